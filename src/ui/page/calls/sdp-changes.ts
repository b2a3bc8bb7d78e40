/** What changed between two SDP bodies, stream by stream, as facts that the page puts into words. */

/**
 * One change. `stream` is as `audio 1`, counted over all streams; null for the session. `from` and `to` are '' where there was
 * nothing, or is nothing any more.
 */
export interface SdpChange {
  readonly what:
    | 'address'
    | 'port'
    | 'origin'
    | 'rtcp'
    | 'transport'
    | 'direction'
    | 'codecs'
    | 'crypto'
    | 'fingerprint'
    | 'candidates-removed'
    | 'candidates-added'
    | 'stream-off'
    | 'stream-added'
    | 'stream-removed';
  readonly stream: string | null;
  readonly from: string;
  readonly to: string;
  /** How many, where things are counted; else 0. */
  readonly count: number;
}

/** Streams that are looked at. */
const MAX_STREAMS = 32;

const DIRECTIONS = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;

/** What is read of the session, or of one stream. */
interface Section {
  readonly media: string;
  readonly port: string;
  readonly transport: string;
  readonly codecs: readonly string[];
  readonly address: string;
  readonly origin: string;
  readonly rtcp: string;
  readonly direction: string;
  readonly crypto: string;
  readonly fingerprint: string;
  readonly candidates: ReadonlySet<string>;
}

/** Lists the changes in the order of the streams, addresses and ports first. */
export function changesOf(received: string, returned: string): SdpChange[] {
  const left = sectionsOf(received);
  const right = sectionsOf(returned);
  const changes: SdpChange[] = [];
  for (let index = 0; index < Math.min(MAX_STREAMS + 1, Math.max(left.length, right.length)); index++) {
    const [a, b] = [left[index], right[index]];
    const stream = index === 0 ? null : `${(a ?? b)?.media ?? ''} ${index}`;
    if (a !== undefined && b !== undefined) changes.push(...compare(stream, a, b));
    else changes.push(change(a === undefined ? 'stream-added' : 'stream-removed', stream));
  }

  return changes;
}

function compare(stream: string | null, a: Section, b: Section): SdpChange[] {
  if (stream !== null && a.port !== '0' && b.port === '0') return [change('stream-off', stream, a.port, '0')];
  const changes: SdpChange[] = [];
  const note = (what: SdpChange['what'], from: string, to: string) => {
    if (from !== to) changes.push(change(what, stream, from, to));
  };
  note('address', a.address, b.address);
  note('port', a.port, b.port);
  note('rtcp', a.rtcp, b.rtcp);
  note('origin', a.origin, b.origin);
  note('transport', a.transport, b.transport);
  note('direction', a.direction, b.direction);
  note('codecs', a.codecs.join(' '), b.codecs.join(' '));
  note('crypto', a.crypto, b.crypto);
  note('fingerprint', a.fingerprint, b.fingerprint);
  const removed = [...a.candidates].filter((candidate) => !b.candidates.has(candidate)).length;
  const added = [...b.candidates].filter((candidate) => !a.candidates.has(candidate)).length;
  if (removed > 0) changes.push({ ...change('candidates-removed', stream), count: removed });
  if (added > 0) changes.push({ ...change('candidates-added', stream), count: added });

  return changes;
}

function change(what: SdpChange['what'], stream: string | null, from = '', to = ''): SdpChange {
  return { what, stream, from, to, count: 0 };
}

/** The session part, then each stream. */
function sectionsOf(sdp: string): Section[] {
  const parts = sdp.split(/\r?\n(?=m=)/);
  if (parts[0]?.startsWith('m=')) parts.unshift('');

  return parts.map((part) => readSection(part.split(/\r?\n/)));
}

function readSection(lines: readonly string[]): Section {
  const value = (start: string) => lines.find((line) => line.startsWith(start))?.slice(start.length) ?? '';
  const values = (start: string) =>
    lines.filter((line) => line.startsWith(start)).map((line) => line.slice(start.length));
  const [media = '', port = '', transport = '', ...codecs] = value('m=').trim().split(/\s+/);

  return {
    media,
    port,
    transport,
    codecs,
    address: value('c=').trim().split(/\s+/)[2] ?? '',
    origin: value('o=').trim().split(/\s+/)[5] ?? '',
    rtcp: value('a=rtcp:').trim(),
    direction: DIRECTIONS.find((word) => lines.includes(`a=${word}`)) ?? '',
    // Keys are for nobody's eyes here: that there are others is enough.
    crypto: values('a=crypto:').join('\n'),
    fingerprint: values('a=fingerprint:').join('\n'),
    candidates: new Set(values('a=candidate:')),
  };
}
