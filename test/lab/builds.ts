/** Builds of the program that are not this one: what an upgrade brings, good and bad. */

import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from './processes.ts';

const ROOT = join(import.meta.dir, '..', '..');
const TREE = ['src', 'drizzle', 'scripts', 'package.json', 'tsconfig.json'];

export interface Variant {
  readonly version: string;
  /** SQL of one migration more. */
  readonly migration?: string;
}

/** Builds this source tree with another version and perhaps a migration more; returns the path of the binary. */
export function buildVariant({ version, migration }: Variant): string {
  const tree = join(temporaryFolder(), 'tree');
  mkdirSync(tree);
  for (const name of TREE) cpSync(join(ROOT, name), join(tree, name), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(tree, 'node_modules'));
  edit(join(tree, 'package.json'), /"version": "[^"]*"/, `"version": "${version}"`);
  if (migration !== undefined) addMigration(tree, migration);
  const binary = join(tree, 'rtp-cluster');
  const build = Bun.spawnSync([process.execPath, join(tree, 'scripts', 'build.ts'), '--outfile', binary]);
  if (build.exitCode !== 0) throw new Error(`the build failed:\n${build.stdout}${build.stderr}`);

  return binary;
}

function addMigration(tree: string, sql: string): void {
  const journal = join(tree, 'drizzle', 'meta', '_journal.json');
  const content = JSON.parse(readFileSync(journal, 'utf8')) as { entries: Record<string, unknown>[] };
  content.entries.push({ ...content.entries.at(-1), idx: content.entries.length, tag: '9999_lab' });
  writeFileSync(journal, JSON.stringify(content));
  writeFileSync(join(tree, 'drizzle', '9999_lab.sql'), sql);
  const migrations = join(tree, 'src', 'store', 'migrations.ts');
  edit(
    migrations,
    /^import journal/m,
    "import lab from '../../drizzle/9999_lab.sql' with { type: 'text' };\nimport journal",
  );
  edit(migrations, /(const SQL: [^{]*\{)/, "$1 '9999_lab': lab,");
}

/** Throws if there is nothing to replace. */
function edit(file: string, what: RegExp, by: string): void {
  const text = readFileSync(file, 'utf8');
  if (!what.test(text)) throw new Error(`${file} has nothing like ${what}`);
  writeFileSync(file, text.replace(what, by));
}

/** A program in the place of ours: every command is that of `binary`, but for `serve`, which is this line of shell. */
export function withServe(file: string, binary: string, serve: string): void {
  writeFileSync(file, `#!/bin/sh\nif [ "$1" = serve ]; then ${serve}; fi\nexec ${binary} "$@"\n`);
  chmodSync(file, 0o755);
}
