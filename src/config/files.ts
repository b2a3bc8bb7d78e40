/** The files that settings name, as text; and why one cannot be read. */

import { readFileSync, statSync } from 'node:fs';

/** Larger files are no settings. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Whether a read failed because there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** `cannot read /x: permission denied; ...` */
export function unreadable(path: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const known: Record<string, string> = {
    ENOENT: 'there is no such file',
    EACCES: 'this user may not read it (see chmod and chown)',
    EISDIR: 'it is a folder',
    ENOTDIR: 'a part of its path is no folder',
  };

  return `cannot read ${path}: ${known[code] ?? (error instanceof Error ? error.message : String(error))}`;
}

/** The text of a file; throws as `readFileSync` does, and if it is too large or no UTF-8. */
export function readTextFile(path: string): string {
  const { size } = statSync(path);
  if (size > MAX_FILE_BYTES) throw new Error(`it has ${size} bytes; allowed are ${MAX_FILE_BYTES}`);
  const bytes = readFileSync(path);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new Error('it is no UTF-8 text');
  }
}
