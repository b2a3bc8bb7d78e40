/** The tarball of a release: one folder with the program, its installer, the units and the documents. */

import { chmodSync, cpSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { DOCUMENTS, type PackageProblem, type Parts, run } from './tools.ts';

/** @returns the path of the tarball */
export function makeTarball({
  root,
  binary,
  arch,
  version,
  epoch,
  out,
  work,
}: Parts): string | PackageProblem {
  const name = `rtp-cluster-${version}-linux-${arch}`;
  const folder = join(work, name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const part of ['install.sh', 'systemd', ...DOCUMENTS]) {
    cpSync(join(root, part), join(folder, part), { recursive: true });
  }
  cpSync(binary, join(folder, 'rtp-cluster'));
  chmodSync(join(folder, 'rtp-cluster'), 0o755);
  const file = join(out, `${name}.tar`);
  const same = [
    '--sort=name',
    `--mtime=@${epoch}`,
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--format=gnu',
  ];
  // Modes of a checkout depend on the umask of who made it.
  const problem =
    run(['tar', ...same, '--mode=u+rw,go+r,go-w,a+X', '-C', work, '-cf', file, name], {}) ??
    run(['gzip', '-n', '-9', '-f', file], {});

  return problem ?? `${file}.gz`;
}
