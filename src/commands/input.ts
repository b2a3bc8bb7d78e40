/** Reads the file a command is given. */

import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { inWords } from '../store/places.ts';

/** Largest body the service takes, in bytes. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** How much is read at a time, in bytes. */
const CHUNK = 64 * 1024;

/** The file cannot be used; the message says why. */
export class InputFault {
  constructor(readonly message: string) {}
}

/** All bytes of a file, of standard input if it is called `-`; a fault if there are more than `maxBytes`. */
export function readInput(file: string, maxBytes: number): Buffer | InputFault {
  try {
    const descriptor = file === '-' ? 0 : openSync(file, 'r');
    try {
      if (fstatSync(descriptor).isDirectory())
        return new InputFault(`cannot read ${file}: it is a directory`);

      return (
        readAll(descriptor, maxBytes) ??
        new InputFault(`${file} has more than ${maxBytes} bytes; that is the limit`)
      );
    } finally {
      if (descriptor !== 0) closeSync(descriptor);
    }
  } catch (error) {
    return new InputFault(`cannot read ${file}: ${inWords(error)}`);
  }
}

/** Undefined if there are more than `maxBytes`: pipes and devices do not tell their size before. */
function readAll(descriptor: number, maxBytes: number): Buffer | undefined {
  const chunks: Buffer[] = [];
  let total = 0;
  for (;;) {
    const chunk = Buffer.allocUnsafe(CHUNK);
    const count = readSync(descriptor, chunk);
    if (count === 0) return Buffer.concat(chunks, total);
    chunks.push(chunk.subarray(0, count));
    total += count;
    if (total > maxBytes) return undefined;
  }
}
