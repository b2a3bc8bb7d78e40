/**
 * Bundles the page of the dashboard. A macro: it runs while our sources are built (or run, or tested), and what it returns stands
 * in their place, so there is no generated file and the binary has the page inside.
 */

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What the browser asks for is `/ui/NAME`; the name has a hash of the content in it. */
const PUBLIC_PATH = '/ui/';

/** The files of the page by name, `index.html` among them: gzip, as base64. The same sources give the same bytes. */
export function bundlePage(): Record<string, string> {
  const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-ui-'));
  try {
    // A process of its own: `Bun.build` waits for ever inside a macro.
    const build = Bun.spawnSync(
      [
        process.execPath,
        'build',
        join(import.meta.dir, 'page', 'index.html'),
        `--outdir=${folder}`,
        `--public-path=${PUBLIC_PATH}`,
        '--minify',
        '--production',
      ],
      { cwd: import.meta.dir, env: { ...process.env, NODE_ENV: 'production' } },
    );
    if (build.exitCode !== 0) throw new Error(`the page cannot be bundled:\n${build.stdout}${build.stderr}`);

    return Object.fromEntries(
      readdirSync(folder)
        .sort()
        .map((name) => [name, gzip(readFileSync(join(folder, name)))]),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function gzip(content: Uint8Array<ArrayBuffer>): string {
  return Buffer.from(Bun.gzipSync(content, { level: 9 })).toString('base64');
}
