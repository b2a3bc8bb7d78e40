/** The SIP messages of an endpoint, as SIPp logs them. */

import { closeSync, openSync, readSync } from 'node:fs';
import { SIGNAL } from './sipp-scenario.ts';

/** One SIP message as an endpoint saw it. */
export interface SipMessage {
  readonly isReceived: boolean;
  /** First line. */
  readonly start: string;
  /** First line and headers. */
  readonly head: string;
  readonly cseq: string;
  readonly callId: string;
  readonly body: string;
  /** The body, or the part of it that is SDP; '' if there is none. */
  readonly sdp: string;
}

/** Reads SIPp's log of messages as it grows; what was read once is not read again. */
export function messageReader(path: string): () => readonly SipMessage[] {
  const whole: SipMessage[] = [];
  let rest = '';
  let position = 0;

  return () => {
    const more = readFrom(path, position);
    position += more.length;
    const parts = (rest + more).split(/^-{10,}.*$/m);
    rest = parts.pop() ?? '';
    whole.push(...parts.flatMap(parseMessage));

    return [...whole, ...parseMessage(rest)].filter(({ start }) => !start.startsWith(SIGNAL));
  };
}

function readFrom(path: string, position: number): string {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch {
    return '';
  }
  try {
    const chunks: Buffer[] = [];
    for (let at = position; ; ) {
      const chunk = Buffer.alloc(65_536);
      const count = readSync(file, chunk, 0, chunk.length, at);
      if (count === 0) return Buffer.concat(chunks).toString('latin1');
      chunks.push(chunk.subarray(0, count));
      at += count;
    }
  } finally {
    closeSync(file);
  }
}

function parseMessage(part: string): SipMessage[] {
  const head = /UDP message (sent|received)[^\n]*\n/.exec(part);
  if (head === null) return [];
  const text = part.slice(head.index + head[0].length).replace(/^\s+/, '');
  const [top = '', ...rest] = text.split(/\r?\n\r?\n/);
  const header = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, 'im').exec(top)?.[1]?.trim() ?? '';
  const body = rest.join('\r\n\r\n').trim();

  return [
    {
      isReceived: head[1] === 'received',
      start: top.split(/\r?\n/)[0] ?? '',
      head: top,
      cseq: header('CSeq'),
      callId: header('Call-ID'),
      body,
      sdp: body.startsWith('v=') ? body : (/^v=0[\s\S]*?(?=\r?\n--)/m.exec(body)?.[0] ?? ''),
    },
  ];
}

/** The SDPs an endpoint has received or sent, without retransmissions. */
export function sdpsIn(messages: readonly SipMessage[], isReceived: boolean): string[] {
  const found = messages.filter((message) => message.isReceived === isReceived && message.sdp !== '');

  return [
    ...new Map(
      found.map(({ start, cseq, head, sdp }) => [`${start}\n${cseq}\n${tagOf(head)}`, sdp]),
    ).values(),
  ];
}

/** Of several callees each has its own. */
function tagOf(head: string): string {
  return /^To:.*;tag=([^;\s]+)/im.exec(head)?.[1] ?? '';
}

/** How many calls have been ended by a BYE and its reply. */
export function countEnded(messages: readonly SipMessage[]): number {
  const ends = messages.filter(({ start, cseq }) => start.startsWith('SIP/2.0 200') && cseq.endsWith('BYE'));

  return new Set(ends.map(({ callId }) => callId)).size;
}
