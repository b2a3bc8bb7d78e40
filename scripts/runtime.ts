/**
 * Bun's runtime for the processors of a release: the npm packages that package-lock.json names, compared with the sums that
 * stand there. Left to itself `bun build --target` downloads them too, but compares them with nothing.
 */

import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Arch } from './program.ts';

const ROOT = join(import.meta.dir, '..');
const CACHE = join(ROOT, 'node_modules', '.cache', 'rtp-cluster');
const NAMES: Readonly<Record<Arch, string>> = {
  x64: '@oven/bun-linux-x64',
  arm64: '@oven/bun-linux-aarch64',
};

/** Why there is no runtime, for who makes the release. */
export class RuntimeProblem {
  constructor(readonly message: string) {}
}

/** What package-lock.json says about a package. */
export function pinned(name: string): { version: string; integrity: string } | undefined {
  const lock = JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'));
  const { version, integrity } = lock.packages[`node_modules/${name}`] ?? {};

  return typeof version === 'string' && typeof integrity === 'string' ? { version, integrity } : undefined;
}

/** @returns the path of the runtime; fetched with npm if it is not there yet */
export function fetchRuntime(arch: Arch): string | RuntimeProblem {
  const name = NAMES[arch];
  const pin = pinned(name);
  if (pin === undefined) return new RuntimeProblem(`package-lock.json does not name ${name} with its sum`);
  if (pin.version !== Bun.version) {
    return new RuntimeProblem(`package-lock.json has ${name} ${pin.version}, but this is Bun ${Bun.version}`);
  }
  const folder = join(CACHE, `${arch}-${pin.version}`);
  const runtime = join(folder, 'package', 'bin', 'bun');
  if (existsSync(runtime)) return runtime;
  console.log(`fetching ${name} ${pin.version} from the npm registry`);
  const fresh = `${folder}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  const spec = `${name}@${pin.version}`;
  const pack = Bun.spawnSync(
    ['npm', 'pack', '--json', '--loglevel=error', `--pack-destination=${fresh}`, spec],
    {
      cwd: ROOT,
      stderr: 'inherit',
    },
  );
  if (pack.exitCode !== 0) return new RuntimeProblem(`npm cannot fetch ${spec}, see above`);
  const [archive = ''] = [...new Bun.Glob('*.tgz').scanSync(fresh)];
  const sum = `sha512-${new Bun.CryptoHasher('sha512').update(readFileSync(join(fresh, archive))).digest('base64')}`;
  if (sum !== pin.integrity) {
    return new RuntimeProblem(
      `${spec} is not what package-lock.json says: its sum is ${sum}, not ${pin.integrity}`,
    );
  }
  const { exitCode } = Bun.spawnSync(['tar', '-xzf', archive, 'package/bin/bun'], {
    cwd: fresh,
    stderr: 'inherit',
  });
  if (exitCode !== 0) return new RuntimeProblem(`${archive} cannot be unpacked, see above`);
  rmSync(join(fresh, archive));
  // Only a whole one gets the name that is looked for.
  rmSync(folder, { recursive: true, force: true });
  renameSync(fresh, folder);

  return runtime;
}
