/** What tarball and Debian package have in common. */

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch } from '../program.ts';

/** What a package is made of. */
export interface Parts {
  /** The source tree. */
  readonly root: string;
  /** Path of the compiled program. */
  readonly binary: string;
  readonly arch: Arch;
  readonly version: string;
  /** Time of every file in the package, in seconds since 1970. */
  readonly epoch: number;
  /** Folder the package is written to. */
  readonly out: string;
  /** Folder for what is put together; may be removed afterwards. */
  readonly work: string;
  /** Of the Debian package; xz if missing. A test that makes several has no minute for each. */
  readonly compression?: 'xz' | 'none';
}

/** Why a package could not be made. */
export class PackageProblem {
  constructor(readonly message: string) {}
}

/** Documents that go with the program; folders with all that is in them. */
export const DOCUMENTS = [
  'docs',
  'README.md',
  'README.zh-CN.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'LICENSE',
  'SECURITY.md',
] as const;

/** Runs a program, its output shown. */
export function run(
  command: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> },
): PackageProblem | undefined {
  const { exitCode } = Bun.spawnSync([...command], {
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: { ...Bun.env, LC_ALL: 'C', ...options.env },
    stdout: 'inherit',
    stderr: 'inherit',
  });

  return exitCode === 0
    ? undefined
    : new PackageProblem(`"${command.join(' ')}" failed with ${exitCode}, see above`);
}

/** Hexadecimal SHA-256 or MD5 of a file. */
export function sumOf(file: string, algorithm: 'sha256' | 'md5'): string {
  return createHash(algorithm).update(readFileSync(file)).digest('hex');
}

/** Writes SHA256SUMS of all files in a folder, as `sha256sum -c` reads it. */
export function writeSums(folder: string): void {
  const names = readdirSync(folder)
    .filter((name) => name !== 'SHA256SUMS')
    .sort();
  const lines = names.map((name) => `${sumOf(join(folder, name), 'sha256')}  ${name}\n`);
  writeFileSync(join(folder, 'SHA256SUMS'), lines.join(''));
}
