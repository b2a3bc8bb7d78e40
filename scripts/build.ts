/** Builds one file that needs neither Bun, nor Node, nor the sources: `dist/rtp-cluster`, or what `--outfile` names. */

import { mkdirSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import manifest from '../package.json' with { type: 'json' };

const root = join(import.meta.dir, '..');
const { values } = parseArgs({ options: { outfile: { type: 'string' } } });
const outfile = resolve(values.outfile ?? join(root, 'dist', 'rtp-cluster'));

/** The commit the sources are at; `dev` outside of a checkout. */
function commit(): string {
  const { stdout, exitCode } = Bun.spawnSync(['git', 'rev-parse', '--short=8', 'HEAD'], {
    cwd: root,
    stderr: 'ignore',
  });

  return exitCode === 0 ? stdout.toString().trim() : 'dev';
}

mkdirSync(dirname(outfile), { recursive: true });
const args = [
  'build',
  './src/main.ts',
  '--compile',
  `--outfile=${outfile}`,
  // Names stay: Elysia recognises some errors by the name of their class.
  '--minify-whitespace',
  '--minify-syntax',
  '--sourcemap',
  // Start-up in half the time for 4 MB (reference: bun-appliance 2). ESM, because main.ts awaits at top level.
  '--bytecode',
  '--format=esm',
  // Without these the binary runs what `.env` and `bunfig.toml` of the working directory say.
  '--no-compile-autoload-dotenv',
  '--no-compile-autoload-bunfig',
  `--define=BUILD_VERSION=${JSON.stringify(manifest.version)}`,
  `--define=BUILD_COMMIT=${JSON.stringify(commit())}`,
];
const build = Bun.spawnSync([process.execPath, ...args], { cwd: root, stdout: 'inherit', stderr: 'inherit' });
if (build.exitCode !== 0) process.exit(build.exitCode);
console.log(`built ${relative(process.cwd(), outfile)}: ${(Bun.file(outfile).size / 1e6).toFixed(1)} MB`);
