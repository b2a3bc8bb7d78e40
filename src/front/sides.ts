/** What an ng client says of sides: by keys of its own for the cluster, or by names of interfaces (reference: sip-proxies 7.2). */

import { Failure } from '../domain/errors.ts';
import { type Direction, findSide, type Side, type Sides } from '../domain/side.ts';
import { bad, type Keys, shown, textOf } from './keys.ts';

/** Keys that name the two interfaces one by one: of rtpengine 12 and later, and words of the OpenSIPS module. */
const INTERFACE_KEYS = [
  ['from-interface', 'to-interface'],
  ['in-iface', 'out-iface'],
] as const;

/**
 * Sender's and reader's side of this SDP: `cluster-from` and `cluster-to`, else the interface names of `direction`, or of the keys
 * that mean the same. rtpengine takes its default interface for a name it does not know; here that would be a guess.
 */
export function readDirection(own: Keys['own'], sides: Sides): Direction | undefined | Failure {
  const sender = readSide('cluster-from', own, sides);
  const reader = readSide('cluster-to', own, sides);
  if (sender instanceof Failure) return sender;
  if (reader instanceof Failure) return reader;
  if (sender !== undefined && reader !== undefined) return { from: sender, to: reader };
  if (sender !== undefined) return bad('cluster-from needs cluster-to, the side that reads the SDP');
  const names = interfacesIn(own);
  if (names.length === 0) return undefined;
  const [from, to] = names.map((name) => findSide(name, sides));
  if (names.length === 2 && from !== undefined && to !== undefined) return { from, to };

  return bad(
    `direction is ${shown(names.join(' '))}; it must have two names, of the sender's side and the reader's. ${namesOf(sides)}. OpenSIPS sends two with "in-iface=A out-iface=B", Kamailio with "direction=A direction=B"`,
  );
}

/** The side that sends the SDP, or reads it, if the client says so by a key of the cluster. */
export function readSide(
  key: 'cluster-from' | 'cluster-to',
  own: Keys['own'],
  sides: Sides,
): Side | undefined | Failure {
  const text = textOf(own.get(key));
  if (text === '') return undefined;

  return findSide(text, sides) ?? bad(`${key} is ${shown(text)}. ${namesOf(sides)}`);
}

function interfacesIn(own: Keys['own']): string[] {
  const direction = own.get('direction');
  if (Array.isArray(direction)) return direction.map(textOf);
  const text = textOf(direction);
  if (text !== '') return text.split(/[\s,>]+/).filter((name) => name !== '');
  for (const keys of INTERFACE_KEYS) {
    const names = keys.map((key) => textOf(own.get(key))).filter((name) => name !== '');
    if (names.length > 0) return names;
  }

  return [];
}

function namesOf({ names }: Sides): string {
  return `Sides are ${names.join(', ')}; other names for them are set in "sides.NAME.aliases", as "sides.${names[0]}.aliases"`;
}
