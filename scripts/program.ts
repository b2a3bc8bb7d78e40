/** How the program is compiled, and what is stamped into it. Shared by `npm run build` and `npm run release`. */

import { mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import manifest from '../package.json' with { type: 'json' };

const ROOT = join(import.meta.dir, '..');

/** Processors there are releases for, in the words of Node. Linux with glibc only. */
export const ARCHES = ['x64', 'arm64'] as const;
export type Arch = (typeof ARCHES)[number];

/** What the sources are. */
export interface Source {
  /** Of package.json, without `v`. */
  readonly version: string;
  /**
   * The first eight digits of the commit; with `-dirty` behind it if files differ from it or are not in it. `unknown` if
   * there is neither a checkout nor an archive of one to tell.
   */
  readonly commit: string;
  /** Time of the commit, in seconds since 1970; undefined if unknown. */
  readonly time: number | undefined;
}

export function readSource(root = ROOT): Source {
  const { version } = manifest;
  // A copy of the tree inside of some other repository is not at the commit of that one.
  if (git(root, 'rev-parse', '--show-toplevel') !== root) return { version, ...archived(root) };
  const [id = '', time = ''] = (git(root, 'log', '-1', '--format=%h %ct', '--abbrev=8') ?? '').split(' ');
  const isDirty = git(root, 'status', '--porcelain') !== '';

  return { version, commit: `${id}${isDirty ? '-dirty' : ''}`, time: Number(time) };
}

/** What `git archive` has written in place of the marks in commit.txt. */
function archived(root: string): Omit<Source, 'version'> {
  const id = readFileSync(join(root, 'scripts', 'commit.txt'), 'utf8').trim();

  return { commit: /^[0-9a-f]{40}$/.test(id) ? id.slice(0, 8) : 'unknown', time: undefined };
}

/** What git prints; undefined if it fails, or is not there. */
function git(root: string, ...args: readonly string[]): string | undefined {
  try {
    // The tree may belong to another user than the one who builds: sudo, or a container.
    const command = ['git', '-c', `safe.directory=${root}`, ...args];
    const { stdout, exitCode } = Bun.spawnSync(command, { cwd: root, stderr: 'ignore' });

    return exitCode === 0 ? stdout.toString().trim() : undefined;
  } catch {
    return undefined;
  }
}

export interface Build {
  /** Path of the program to write; its source map goes beside it. */
  readonly outfile: string;
  readonly source: Source;
  /** For another host than this one: the processor, and the path of Bun's runtime for it. */
  readonly target?: { readonly arch: Arch; readonly runtime: string };
}

/**
 * Compiles the program. The same sources, packages and runtime give the same bytes, in whatever folder.
 * @returns whether it worked; Bun has told why if not
 */
export function buildProgram({ outfile, source, target }: Build): boolean {
  mkdirSync(dirname(outfile), { recursive: true });
  const args = [
    'build',
    './src/main.ts',
    '--compile',
    `--outfile=${outfile}`,
    ...(target === undefined
      ? []
      : [`--target=bun-linux-${target.arch}`, `--compile-executable-path=${target.runtime}`]),
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
    `--define=BUILD_VERSION=${JSON.stringify(source.version)}`,
    `--define=BUILD_COMMIT=${JSON.stringify(source.commit)}`,
  ];
  const build = Bun.spawnSync([process.execPath, ...args], {
    cwd: ROOT,
    stdout: 'inherit',
    stderr: 'inherit',
  });

  return build.exitCode === 0;
}
