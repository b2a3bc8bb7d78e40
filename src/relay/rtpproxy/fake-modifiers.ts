/** The modifiers of U and L, and their address argument (reference: rtpproxy-protocol 3.1). */

import { familyOf } from '../../util/ip.ts';
import type { FakeAddresses, Place } from './fake-addresses.ts';
import type { Release } from './fake-version.ts';

/** What U or L asks for. */
export interface MediaOptions {
  /** Places of the answerer's leg and of the offerer's one, for a session that begins. */
  readonly places: readonly [Place, Place];
  /** A place asked for by `l` or `R`, or one that fits `6`. */
  readonly place: Place | undefined;
  /** Whether `e` and `i` named both sides. */
  readonly namesBothSides: boolean;
  readonly isWeak: boolean;
  readonly isNewPort: boolean;
  readonly codecs: string | undefined;
}

/** Lengths of an address argument that is looked at at all, by family. */
const ADDRESS_LENGTHS = { IP4: [7, 15], IP6: [2, 45] } as const;

/** Reads modifiers such as `c8,101ei`, and the address and port of the party; a string is an error code. */
export function readOptions(
  modifiers: string,
  address: string,
  port: string,
  addresses: FakeAddresses,
  release: Release,
): MediaOptions | string {
  let isWeak = false;
  let isNewPort = false;
  let isV6 = false;
  let codecs: string | undefined;
  let place: Place | undefined;
  const places: [Place, Place] = [addresses.internal, addresses.internal];
  let named = 0;
  let at = 0;
  while (at < modifiers.length) {
    const letter = modifiers.charAt(at++).toLowerCase();
    switch (letter) {
      case 'a':
      case 's':
        break;
      case 'e':
      case 'i': {
        if (named > 1 || addresses.external === undefined) return letter === 'e' ? 'E11' : 'E12';
        // The first letter is the offerer's side.
        places[named === 0 ? 1 : 0] = letter === 'e' ? addresses.external : addresses.internal;
        named++;
        break;
      }
      case '6':
        isV6 = true;
        break;
      case 'w':
        isWeak = true;
        break;
      case 'n':
        isNewPort = true;
        break;
      case 'z': {
        const end = skip(modifiers, at, DIGITS);
        const ms = Number(modifiers.slice(at, end));
        if (!(ms > 0 && (ms < 1000 || !release.isStrict))) return 'E13';
        at = end;
        break;
      }
      case 'c': {
        const end = skip(modifiers, at, `${DIGITS},`);
        if (end === at || (codecs !== undefined && release.isStrict)) return 'E14';
        codecs = modifiers.slice(at, end);
        at = end;
        break;
      }
      case 'l':
      case 'r': {
        const found = readPlace(modifiers, at, letter, addresses, release);
        if (typeof found === 'string') return found;
        [place, at] = found;
        break;
      }
      default:
        if (release.isStrict) return 'E35';
    }
  }
  const family = isV6 ? 'IP6' : 'IP4';
  if (place === undefined && named === 0 && addresses.internal.family !== family) {
    place = addresses.byFamily(family);
    if (place === undefined) return 'E36';
  }
  const [shortest, longest] = ADDRESS_LENGTHS[family];
  const isRead = release.isStrict && address.length >= shortest && address.length <= longest;
  if (isRead && (familyOf(address) !== family || skip(port, 0, DIGITS) < port.length)) return 'E37';

  return { places, place, namesBothSides: named === 2, isWeak, isNewPort, codecs };
}

/** The place after `l` or `R`, and where its name ends. */
function readPlace(
  text: string,
  at: number,
  letter: 'l' | 'r',
  addresses: FakeAddresses,
  release: Release,
): readonly [Place, number] | string {
  const opener = text.charAt(at);
  if (opener === '{' && letter === 'l' && release.hasLabels) {
    const end = text.indexOf('}', at);
    if (end < at + 2) return 'E15';
    const labelled = addresses.byLabel(text.slice(at + 1, end));

    return labelled === undefined ? 'E31' : [labelled, end + 1];
  }
  const isV6 = opener === '[';
  const start = isV6 ? at + 1 : at;
  const end = skip(text, start, isV6 ? `${DIGITS}abcdefABCDEF:` : `${DIGITS}.`);
  if (end === start || (isV6 && text.charAt(end) !== ']')) return letter === 'l' ? 'E15' : 'E16';
  const name = text.slice(start, end);
  const found = letter === 'l' ? addresses.byAddress(name) : addresses.towards(name);
  if (found === undefined) return letter === 'l' ? 'E31' : 'E32';

  return [found, isV6 ? end + 1 : end];
}

const DIGITS = '0123456789';

/** The first position from `at` on whose character is not in `set`. */
function skip(text: string, at: number, set: string): number {
  let end = at;
  while (end < text.length && set.includes(text.charAt(end))) end++;

  return end;
}
