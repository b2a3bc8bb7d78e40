/**
 * `npm run release`: dist/release with a tarball and a Debian package for each processor, the source map, and SHA256SUMS.
 * The same commit gives the same bytes: names sorted, owners root, all times that of the commit.
 */

import { mkdirSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { makeDeb } from './package/deb.ts';
import { makeTarball } from './package/tarball.ts';
import { PackageProblem, run, writeSums } from './package/tools.ts';
import { ARCHES, buildProgram, readSource } from './program.ts';
import { fetchRuntime, RuntimeProblem } from './runtime.ts';

const ROOT = join(import.meta.dir, '..');

function fail(message: string): never {
  console.error(`release: ${message}`);
  process.exit(1);
}

function check<T>(result: T | PackageProblem | RuntimeProblem): T {
  if (result instanceof PackageProblem || result instanceof RuntimeProblem) fail(result.message);

  return result;
}

const { values } = parseArgs({ options: { out: { type: 'string' } } });
const out = values.out ?? join(ROOT, 'dist', 'release');
const source = readSource();
if (source.commit.endsWith('-dirty')) {
  console.error(
    'release: files differ from the commit; the version line says so, and nobody can repeat this build',
  );
}
// Without a commit there is a time all the same, so that two builds agree.
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? source.time ?? 0);
for (const tool of ['tar', 'gzip', 'dpkg-deb', 'npm']) {
  if (Bun.which(tool) === null) fail(`there is no ${tool}; on Debian: apt-get install tar gzip dpkg npm`);
}
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const work = join(out, '.work');
for (const arch of ARCHES) {
  const outfile = join(work, arch, 'rtp-cluster');
  const target = { arch, runtime: check(fetchRuntime(arch)) };
  if (!buildProgram({ outfile, source, target }))
    fail(`the program for ${arch} could not be built, see above`);
  const parts = {
    root: ROOT,
    binary: outfile,
    arch,
    version: source.version,
    epoch,
    out,
    work: join(work, arch),
  };
  check(makeTarball(parts));
  check(makeDeb(parts));
}
// The same for all processors: it is about the JavaScript in the program.
const map = join(work, ARCHES[0], 'rtp-cluster.map');
check(run(['gzip', '-n', '-9', map], {}));
check(run(['mv', `${map}.gz`, join(out, `rtp-cluster-${source.version}.map.gz`)], {}));
rmSync(work, { recursive: true, force: true });
writeSums(out);
console.log(`release of ${source.version} (commit ${source.commit}) in ${relative(process.cwd(), out)}:`);
check(run(['ls', '-l', out], {}));
