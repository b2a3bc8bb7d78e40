/** Writes the commands of the rtpproxy protocol (reference: rtpproxy-protocol 3). Words are byte strings without blanks. */

import type { Family } from '../../util/ip.ts';

/**
 * Longest word of ours, bytes: with a branch, two tags, and a Call-ID said again in percents, a command stays below the daemon's
 * 8 KiB.
 */
export const MAX_WORD = 1024;

/** The parties in the order the daemon wants: who made the offer, then who answers. */
export interface Tags {
  readonly offerer: string;
  /** Undefined while nobody has answered. */
  readonly answerer?: string | undefined;
}

/** One U or L: where a party wants its media. */
export interface StreamOrder {
  /** `U` for an offer, `L` for an answer. */
  readonly letter: 'U' | 'L';
  readonly name: string;
  readonly n: number;
  readonly tags: Tags;
  /** Where the sender of the SDP receives; unspecified while it holds. */
  readonly address: string;
  readonly family: Family;
  readonly port: number;
  /** Payload types of the line, 0 to 127, for prompts; empty if it has none. Each is said once. */
  readonly formats: readonly number[];
  readonly socket: LocalSocket;
  /** `a` takes the signalled host at its word, `s` learns where media comes from; undefined leaves it to the daemon. */
  readonly symmetry?: 'a' | 's' | undefined;
  /** Who is to be told when the media ends, and by which words; only with U. */
  readonly notify?: { readonly socket: string; readonly tag: string } | undefined;
}

/**
 * On which of its addresses the daemon opens ports: the one it chooses, the sides of a bridging daemon (`e` and `i`, the
 * sender's first), a named address or label (rtpproxy-protocol 3.1, 4.3).
 */
export type LocalSocket =
  | undefined
  | { readonly sides: readonly [Letter, Letter] }
  | { readonly address: string }
  | { readonly label: string };

export type Letter = 'e' | 'i';

/** Says what keeps a text from being a word of a command, or undefined. A blank in it would shift all that follows. */
export function wordDefect(name: string, text: string): string | undefined {
  if (text === '') return `the ${name} is empty`;
  if (text.length > MAX_WORD)
    return `the ${name} has ${text.length} bytes; at most ${MAX_WORD} are sent to an rtpproxy`;
  if (/[^!-~\x80-\xff]/.test(text))
    return `the ${name} has a blank or a control character, which an rtpproxy cannot be told`;
  // Begins a sub-command.
  if (text === '&&') return `the ${name} is "&&"`;

  return undefined;
}

/** What is said of a stream by number would be said of another one if the tag had a number of its own. */
export function tagDefect(name: string, tag: string): string | undefined {
  return tag.includes(';')
    ? `the ${name} has a semicolon, which an rtpproxy takes for the number of a stream`
    : wordDefect(name, tag);
}

export function streamCommand(order: StreamOrder): string {
  const { letter, name, n, tags, address, family, port, formats, socket, symmetry = '', notify } = order;
  // Digits end what stands before them, so the family comes first and the address last.
  const codecs = formats.length > 0 ? `c${[...new Set(formats)].join(',')}` : '';
  const modifiers = `${family === 'IP6' ? '6' : ''}${symmetry}${codecs}${local(socket, letter)}`;
  const parties = `${tags.offerer};${n}${tags.answerer === undefined ? '' : ` ${tags.answerer};${n}`}`;
  const told = notify === undefined ? '' : ` ${notify.socket} ${notify.tag}`;

  return `${letter}${modifiers} ${name} ${address} ${port} ${parties}${told}`;
}

/** Ends all sessions of a name that one of the tags opened, or with `n` one of them. */
export function deleteCommand(name: string, tags: Tags, n?: number): string {
  return `D ${name} ${pair(tags, n)}`;
}

export function queryCommand(name: string, tags: Tags, n: number): string {
  return `Q ${name} ${pair(tags, n)}`;
}

/** The tags, each with the number of the stream if the command is about one. */
export function pair({ offerer, answerer }: Tags, n?: number): string {
  const number = n === undefined ? '' : `;${n}`;

  return answerer === undefined || answerer === ''
    ? `${offerer}${number}`
    : `${offerer}${number} ${answerer}${number}`;
}

/** A byte string as a word of a notification: the daemon undoes the percent-encoding (rtpproxy-protocol 6). */
export function encodeNotice(text: string): string {
  return text.replace(
    /[^A-Za-z0-9._~-]/g,
    (char) => `%${char.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`,
  );
}

function local(socket: LocalSocket, letter: 'U' | 'L'): string {
  if (socket === undefined) return '';
  // Fixed when the session is opened; an answer changes nothing.
  if ('sides' in socket) return letter === 'U' ? socket.sides.join('') : '';
  if ('label' in socket) return `l{${socket.label}}`;

  return `l${socket.address.includes(':') ? `[${socket.address}]` : socket.address}`;
}
