/** The last look at an SDP before it leaves us: every address in it is the wanted one, or there is no SDP. */

import { type Family, isUnspecified, sameAddress } from '../util/ip.ts';
import {
  connectionOf,
  forEachLine,
  isHeldByAddress,
  type Outline,
  outline,
  parseConnection,
} from './outline.ts';
import { handlingOf } from './streams.ts';

/** What the reader of an SDP must see. */
export interface Imposition {
  /** The address wanted, and its family. */
  readonly address: string;
  readonly family: Family;
  /** All addresses the node has on the reader's side, for candidates of both families. */
  readonly readerSide: readonly string[];
  /** All addresses of the node, on any side. */
  readonly own: readonly string[];
  /**
   * Whether another address of the same node may be replaced by the wanted one. True where the relay has one socket
   * behind several addresses (impose mode `media-address`); false where each address has sockets of its own.
   */
  readonly mayReplace: boolean;
  /**
   * The sender's own lines, which may stay as they are. Only for ng's `ICE: force-relay`, where the relay adds itself as
   * one more candidate and the sender's stay on purpose.
   */
  readonly senderLines?: ReadonlySet<string>;
  /**
   * Whether streams which no UDP relay carries (MSRP, TCP) are left to their parties: they keep the sender's address, and no line
   * of theirs is touched. True for relays whose SDP we write ourselves (rtpproxy); others say what they make of such streams.
   */
  readonly leavesOtherTransports?: boolean;
}

/** The relay's SDP shows an address that is neither wanted nor ours to replace. */
export class WrongAddress {
  constructor(
    readonly line: string,
    readonly address: string,
  ) {}
}

/**
 * Returns the relay's SDP with the wanted address in every place that names one: `c=`, `o=`, `a=rtcp` (RFC 3605) and
 * ICE candidates (RFC 8839 section 5.1). All other lines stay byte for byte,
 * but for attributes that name the sender's own address or another way round the relay, which are left out. A stream that is off (port 0) and lines
 * which no stream uses are simply set; a live stream with an address we cannot account for is an error, because its
 * media would pass the relay by. Streams which the sender holds by an unspecified address stay held so: relays before
 * 13.1 lose it when told a media address (reference: ng-protocol 5.1).
 *
 * @param returned what the relay made of it
 * @param sent the outline of what the sender sent
 */
export function impose(returned: string, sent: Outline, want: Imposition): string | WrongAddress {
  const got = outline(returned);
  const isLeft = got.media.map(
    (section) => want.leavesOtherTransports === true && handlingOf(section) === 'leave',
  );
  const wanted = `IN ${want.family} ${want.address}`;
  const unspecified = want.family === 'IP4' ? 'IN IP4 0.0.0.0' : 'IN IP6 ::';
  const isHeld = got.media.map(
    (_, index) => index < sent.media.length && (isHeldByAddress(sent, index) || isHeldByAddress(got, index)),
  );
  const usesSession = got.media.map((section) => section.connection === null);
  const sessionUsers = usesSession.flatMap((uses, index) =>
    uses && got.media[index]?.port !== 0 && !isLeft[index] ? [index] : [],
  );
  // Nobody else's: `rewrite` gives a left section a c= line of its own where others use the session's.
  const isSessionLeft = sessionUsers.length === 0 && usesSession.some((uses, index) => uses && isLeft[index]);
  const holdSession = sessionUsers.length > 0 && sessionUsers.every((index) => isHeld[index]);

  const senderAddresses = addressesOf(sent).filter(
    (address) => !sameAddress(address, want.address) && !includes(want.own, address),
  );

  const bare = got.media.findIndex(({ port }, index) => port !== 0 && connectionOf(got, index) === null);
  let wrong = bare === -1 ? undefined : new WrongAddress(`m= line ${bare + 1}, which has no c= line`, 'none');
  let section = -1;
  let needsHold = false;
  let out = '';

  /** Whether the wanted address may stand where the relay wrote `address`. */
  const accounts = (address: string): boolean =>
    isUnspecified(address) ||
    sameAddress(address, want.address) ||
    (want.mayReplace && includes(want.own, address));

  const connectionLine = (line: string): string => {
    const address = parseConnection(line.slice(2))?.address ?? '';
    const isUsed = section === -1 ? sessionUsers.length > 0 : got.media[section]?.port !== 0;
    if (isUsed && want.senderLines?.has(line)) return line;
    if (isUsed && !accounts(address)) wrong ??= new WrongAddress(line, address);
    const holds = section === -1 ? holdSession : isHeld[section];

    return `c=${holds ? unspecified : wanted}`;
  };

  const rtcpLine = (line: string): string => {
    const match = /^(a=rtcp:\s*\d+\s+)IN\s+IP[46]\s+(\S+)/i.exec(line);
    const address = match?.[2] ?? '';
    if (match === null || isUnspecified(address) || want.senderLines?.has(line)) return line;
    if (got.media[section]?.port !== 0 && !accounts(address)) wrong ??= new WrongAddress(line, address);

    return `${match[1]}${wanted}`;
  };

  /** The candidate as the reader may see it, or undefined if it must not. */
  const candidateLine = (line: string): string | undefined => {
    if (want.senderLines?.has(line)) return line;
    const match = /^(a=candidate:\S+\s+\S+\s+\S+\s+\S+\s+)(\S+)(.*)$/.exec(line);
    const [, head = '', address = '', tail = ''] = match ?? [];
    const isOurs = sameAddress(address, want.address) || includes(want.readerSide, address);
    // With `force-relay` a candidate that is not the sender's is the relay's, even if its bound address is not in our table.
    const isRelays = want.senderLines !== undefined || includes(want.own, address);
    if (!isOurs && !(want.mayReplace && isRelays)) return undefined;
    const shown = want.mayReplace ? want.address : address;

    return head + shown + tail.replace(/(\sraddr\s+)\S+/gi, (_, before: string) => before + shown);
  };

  const isLeftLine = (line: string): boolean =>
    section === -1
      ? isSessionLeft && line.startsWith('c=')
      : isLeft[section] === true && !line.startsWith('m=');

  const flushHold = (): void => {
    // The last line of an SDP may have no end.
    if (needsHold) out += `${out.endsWith('\n') ? '' : '\r\n'}c=${unspecified}\r\n`;
    needsHold = false;
  };

  forEachLine(returned, (line, end) => {
    if (isLeftLine(line)) {
      out += line + end;

      return;
    }
    // i= comes before c= (RFC 8866 section 5).
    if (!line.startsWith('i=')) flushHold();
    if (line.charCodeAt(1) === 61) {
      switch (line.charCodeAt(0)) {
        case 0x6d: {
          // m=
          section++;
          out += line + end;
          // A held section that relied on a session address which other streams need gets a c= line of its own.
          needsHold =
            usesSession[section] === true && isHeld[section] === true && !holdSession && !isLeft[section];

          return;
        }
        case 0x63: // c=
          out += connectionLine(line) + end;

          return;
        case 0x6f: // o=
          out += originLine(line, wanted) + end;

          return;
        case 0x61: {
          // a=
          if (line.startsWith('a=rtcp:')) {
            out += rtcpLine(line) + end;

            return;
          }
          if (line.startsWith('a=candidate:')) {
            const candidate = candidateLine(line);
            if (candidate !== undefined) out += candidate + end;

            return;
          }
          if (want.senderLines === undefined && (OTHER_WAYS.test(line) || mentions(line, senderAddresses)))
            return;
        }
      }
    }
    out += line + end;
  });

  flushHold();

  return wrong ?? out;
}

/**
 * Attributes by which media or a filter could go past the relay: alternative addresses (RFC 6947), source filters
 * (RFC 4570), candidates of the far end (RFC 8839 section 5.2). Relays let them pass as they came.
 */
const OTHER_WAYS = /^a=(?:altc|source-filter|remote-candidates)\s*:/i;

/** The connection addresses of an SDP, unspecified ones left out. */
function addressesOf(sdp: Outline): string[] {
  const all = sdp.media.flatMap((_, index) => connectionOf(sdp, index)?.address ?? []);

  return [...new Set(all)].filter((address) => !isUnspecified(address));
}

/** Whether a line names one of these addresses, as a word of its own. */
function mentions(line: string, addresses: readonly string[]): boolean {
  return addresses.some((address) => {
    for (let at = line.indexOf(address); at !== -1; at = line.indexOf(address, at + 1)) {
      if (!isPart(line[at - 1]) && !isPart(line[at + address.length])) return true;
    }

    return false;
  });
}

/** Whether a character could belong to an address, so that what stands beside it is only a part of one. */
function isPart(char: string | undefined): boolean {
  return char !== undefined && /[0-9A-Za-z.]/.test(char);
}

/** `o=user id version IN IP4 address` (RFC 8866 section 5.2) with another address. */
function originLine(line: string, wanted: string): string {
  const match = /^(o=\S+\s+\S+\s+\S+\s+)\S+\s+\S+\s+\S+/.exec(line);

  return match === null ? `o=- 0 0 ${wanted}` : `${match[1]}${wanted}`;
}

function includes(addresses: readonly string[], address: string): boolean {
  return addresses.some((own) => sameAddress(own, address));
}
