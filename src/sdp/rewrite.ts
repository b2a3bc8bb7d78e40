/**
 * Puts a relay between two parties by rewriting their SDP, for relays that only give ports (reference: rtpproxy-protocol 8).
 * What is not named here stays byte for byte, so security (a=crypto, a=fingerprint, a=setup, a=tls-id, a=key-mgmt), direction,
 * codecs and bandwidth stay between the parties. So does a=nortpproxy, with which other controllers tell each other that a relay
 * is there already: who asks us wants our relay, so we neither obey that mark nor set it. The o= line is left to `impose`.
 */

import { type Family, isUnspecified } from '../util/ip.ts';
import { DISCARD_PORT, forEachLine, isHeldByAddress, outline } from './outline.ts';
import { handlingOf } from './streams.ts';

/** What the reader of an SDP is to be shown. */
export interface Shown {
  /** The relay's port for each relayed stream, by the stream's `n`, 1 to 65534. RTCP is one above. */
  readonly ports: ReadonlyMap<number, number>;
  readonly address: string;
  readonly family: Family;
  /** Whether the SDP is an answer, so that what it says of a=rtcp-mux is settled. */
  readonly isAnswer: boolean;
}

/**
 * Attributes by which media could pass the relay by: ICE (RFC 8839), which would find the direct way or end in a mismatch with the
 * new c= line; alternative addresses (RFC 6947, RFC 7006, and `a=alt` of phones before ICE); filters on addresses which the relay
 * hides (RFC 4570). Also where they are only offered as a capability (RFC 5939). A party that insists on ICE needs a relay that speaks it.
 */
const OTHER_WAYS =
  /^a=(?:acap:\s*\d+\s+)?(?:candidate|remote-candidates|end-of-candidates|ice-[a-z0-9-]+|altc?|ccap|source-filter)\s*(?::|$)/i;

/**
 * One port for all streams (RFC 9143): each has its own on the relay, so there is no bundle any more. Without the group the m=
 * lines which are bundle-only, all with port 0, are just off, and an answerer has no bundle to accept; the offerer falls back to
 * a port for each stream, as it must with a peer that knows no bundles. An a=mid without a group is harmless, and a=extmap
 * and other groups (lip synchronisation, RFC 5888) refer to it.
 */
const BUNDLE = /^a=(?:group:\s*BUNDLE|bundle-only)(?:\s|$)/i;

const RTCP = /^a=rtcp\s*:/i;

/** How the attributes above begin: most lines do not, and are spared the rest. */
const TOUCHED = /^a=(?:a[cl]|bu|c[ac]|en|gr|ic|re|rtcp\s*:|so)/i;

interface Line {
  readonly text: string;
  /** Its own line end. */
  readonly end: string;
}

/**
 * Returns the SDP with the relay's address and ports in every section that is relayed (`readStreams`), and no other way round it.
 * A stream which is to be relayed and has no port in `ports` is shown as off: nothing else would be safe. Meant for what
 * `readStreams` accepts; takes any text.
 */
export function rewrite(sdp: string, { ports, address, family, isAnswer }: Shown): string {
  const sent = outline(sdp);
  const [session = [], ...media] = sectionsOf(sdp);
  const handlings = sent.media.map(handlingOf);
  if (!handlings.includes('relay')) return sdp;

  const there = `IN ${family} ${address}`;
  const nowhere = family === 'IP4' ? 'IN IP4 0.0.0.0' : 'IN IP6 ::';
  const targets = media.map((_, index) => (isHeldByAddress(sent, index) ? nowhere : there));
  const usesSession = sent.media.map(({ connection }) => connection === null);
  const sharing = targets.filter((_, index) => handlings[index] === 'relay' && usesSession[index]);
  // Those who share the session's c= line are all held or none is, but for streams whose candidates come later.
  const shared = sharing.every((target) => target === nowhere) ? nowhere : there;
  const lineEnd = /\r?\n/.exec(sdp)?.[0] ?? '\r\n';
  const oldShared = session.find(({ text }) => isConnection(text))?.text;

  const sections = media.map((lines, index) => {
    const target = targets[index] ?? there;
    const loses = usesSession[index] === true && sharing.length > 0;
    switch (handlings[index]) {
      case 'relay': {
        const port = ports.get(index + 1) ?? 0;
        const written = relayed(lines, { port, target, there, isAnswer });

        return loses && target !== shared ? withConnection(written, `c=${target}`, lineEnd) : written;
      }
      case 'leave':
        return loses && oldShared !== undefined ? withConnection(lines, oldShared, lineEnd) : lines;
      default:
        return mapLines(lines, (text) => (BUNDLE.test(text) ? undefined : text));
    }
  });
  const head = mapLines(session, (text) => {
    if (isConnection(text)) return sharing.length > 0 ? `c=${shared}` : text;

    // RTCP has a port for each stream, so here it can only be a mistake, and a port of the sender.
    return TOUCHED.test(text) && (OTHER_WAYS.test(text) || BUNDLE.test(text) || RTCP.test(text))
      ? undefined
      : text;
  });

  let written = '';
  for (const section of [head, ...sections]) for (const { text, end } of section) written += text + end;

  return written;
}

/** What a relayed section is to show. */
interface Target {
  /** Port for RTP. */
  readonly port: number;
  /** Value of its c= line: the relay's address, or none if the sender holds the stream. */
  readonly target: string;
  /** The relay's address. */
  readonly there: string;
  readonly isAnswer: boolean;
}

function relayed(lines: readonly Line[], { port, target, there, isAnswer }: Target): Line[] {
  const old = /^m=\S+\s+(\d+)/.exec(lines[0]?.text ?? '')?.[1];
  const isMuxed = lines.some(({ text }) => /^a=rtcp-mux\s*$/i.test(text));

  return mapLines(lines, (text) => {
    if (text.startsWith('m=')) return text.replace(/^(m=\S+\s+)\d+/, (_, head: string) => head + port);
    if (isConnection(text)) return `c=${target}`;
    if (!TOUCHED.test(text)) return text;
    if (OTHER_WAYS.test(text) || BUNDLE.test(text)) return undefined;
    if (!RTCP.test(text)) return text;
    const match = /^(a=rtcp\s*:\s*)(\d+)(?:(\s+)IN\s+IP[46]\s+(\S+))?\s*$/i.exec(text);
    // What cannot be read is left out: without it RTCP is expected one port above RTP, where the relay has it. So is that of a
    // stream shown as off.
    if (match === null || port === 0) return undefined;
    const [, head = '', oldRtcp, gap, oldAddress = ''] = match;
    // In an offer a=rtcp-mux is a wish, so RTCP keeps a port of its own for a peer that declines (RFC 5761 section 5.1.1), unless
    // the offerer names its RTP port here too, or none: then it listens nowhere else (RFC 8858; browsers write port 9).
    const namesNoOther = oldRtcp === old || Number(oldRtcp) === DISCARD_PORT;
    const isOnePort = isMuxed && (isAnswer || namesNoOther);
    // Reports may go on while media is held, so only an address that was none stays so.
    const address = gap === undefined ? '' : gap + (isUnspecified(oldAddress) ? target : there);

    return `${head}${isOnePort ? port : port + 1}${address}`;
  });
}

/** The lines of an SDP in sections; the first is the session's, each other begins with its m= line. */
function sectionsOf(sdp: string): Line[][] {
  const sections: Line[][] = [[]];
  forEachLine(sdp, (text, end) => {
    if (text.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push({ text, end });
  });

  return sections;
}

/** Every line as `change` wants it, with its own end; those it wants gone are left out. */
function mapLines(lines: readonly Line[], change: (text: string) => string | undefined): Line[] {
  const mapped: Line[] = [];
  for (const line of lines) {
    const text = change(line.text);
    if (text === line.text) mapped.push(line);
    else if (text !== undefined) mapped.push({ text, end: line.end });
  }

  return mapped;
}

/** The section with a c= line of its own, where RFC 8866 section 5 wants it: after m= and i=. */
function withConnection(lines: readonly Line[], text: string, lineEnd: string): Line[] {
  const found = lines.findIndex((line, index) => index > 0 && !line.text.startsWith('i='));
  const at = found === -1 ? lines.length : found;
  const before = lines[at - 1] ?? { text: '', end: '' };
  // The last line of an SDP may have no end.
  const end = before.end.endsWith('\n') ? before.end : lineEnd;

  return [
    ...lines.slice(0, at - 1),
    { text: before.text, end },
    { text, end: before.end },
    ...lines.slice(at),
  ];
}

function isConnection(text: string): boolean {
  return text.startsWith('c=');
}
