/** What one command and one reply look like on the wire, whatever carries them (reference: rtpproxy-protocol 2). */

import { RelayFailure } from '../driver.ts';

/** Longest command in bytes, cookie or newline included: the daemon's buffer of 8 KiB less its end. */
export const MAX_COMMAND_BYTES = 8191;
/** Longest reply that is read, bytes; the daemon writes 1 KiB or less. */
export const MAX_REPLY_BYTES = 8192;

/** The command itself if it can be sent; `rejected` if it would not be one command, `too-large` if the daemon cannot take it. */
export function encodeCommand(command: string): string | RelayFailure {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (!/^[^\x00-\x1f\x7f]+$/.test(command) || /[^\x00-\xff]/.test(command)) {
    return new RelayFailure('rejected', 'the command is empty or has characters that are not allowed');
  }
  if (command.length < MAX_COMMAND_BYTES) return command;

  return new RelayFailure(
    'too-large',
    `the command has ${command.length} bytes; at most ${MAX_COMMAND_BYTES - 1} are sent`,
  );
}

/** A whole reply without its last newline; `garbled` if nothing is left. */
export function decodeReply(text: string): string | RelayFailure {
  const reply = text.endsWith('\n') ? text.slice(0, -1) : text;

  return reply === '' ? new RelayFailure('garbled', 'the reply is empty') : reply;
}

/**
 * Length of the reply at the start of what a stream brought, newlines included; undefined if it is not all there yet. Nothing marks
 * the end of a reply of several `lines`; where the daemon reports an error in their place, that is one line.
 */
export function lengthOfReply(text: string, lines: number): number | undefined {
  let end = text.indexOf('\n') + 1;
  const isError = end > 0 && /^E\d+$/.test(text.slice(0, end - 1));
  for (let line = 1; line < lines && end > 0 && !isError; line++) end = text.indexOf('\n', end) + 1;

  return end > 0 ? end : undefined;
}
