/** The Debian package of a release, built with dpkg-deb alone. Its maintainer scripts are in scripts/debian. */

import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { SCRIPTS as COMPLETIONS } from '../../src/commands/completion-scripts.ts';
import type { Arch } from '../program.ts';
import { DOCUMENTS, type PackageProblem, type Parts, run, sumOf } from './tools.ts';

/** Debian's words for the processors. */
const ARCHITECTURES: Readonly<Record<Arch, string>> = { x64: 'amd64', arm64: 'arm64' };
const SCRIPTS = ['preinst', 'postinst', 'prerm', 'postrm'] as const;
const MAINTAINER = 'The rtp_cluster authors <maintainers@rtp-cluster.invalid>';
const DOC = 'usr/share/doc/rtp-cluster';
/** Where each shell of Debian looks for completions. */
const COMPLETION_FILES = {
  bash: 'usr/share/bash-completion/completions/rtp-cluster',
  zsh: 'usr/share/zsh/vendor-completions/_rtp-cluster',
  fish: 'usr/share/fish/vendor_completions.d/rtp-cluster.fish',
} as const;

/** @returns the path of the package */
export function makeDeb(parts: Parts): string | PackageProblem {
  const { root, binary, arch, version, epoch, out, work, compression = 'xz' } = parts;
  const tree = join(work, 'deb');
  rmSync(tree, { recursive: true, force: true });
  put(binary, join(tree, 'usr/bin/rtp-cluster'), 0o755);
  for (const name of readdirSync(join(root, 'systemd'))) {
    const place =
      name === 'sysusers.conf' || name === 'tmpfiles.conf'
        ? `usr/lib/${name.replace('.conf', '.d')}/rtp-cluster.conf`
        : `lib/systemd/system/${name}`;
    const text = readFileSync(join(root, 'systemd', name), 'utf8');
    write(join(tree, place), text.replaceAll('/usr/local/bin/', '/usr/bin/'));
  }
  for (const shell of ['bash', 'zsh', 'fish'] as const)
    write(join(tree, COMPLETION_FILES[shell]), `${COMPLETIONS[shell]}\n`);
  for (const name of DOCUMENTS) cpSync(join(root, name), join(tree, DOC, name), { recursive: true });
  cpSync(join(root, 'LICENSE'), join(tree, DOC, 'copyright'));
  write(join(tree, DOC, 'changelog'), changelog(version, epoch));
  const zipped = run(['gzip', '-n', '-9', join(tree, DOC, 'changelog')], {});
  if (zipped !== undefined) return zipped;
  const files = [...new Bun.Glob('**/*').scanSync({ cwd: tree, dot: true })].sort();
  const bytes = files.reduce((sum, file) => sum + statSync(join(tree, file)).size, 0);
  write(join(tree, 'DEBIAN/control'), control(version, ARCHITECTURES[arch], Math.ceil(bytes / 1024)));
  write(
    join(tree, 'DEBIAN/md5sums'),
    files.map((file) => `${sumOf(join(tree, file), 'md5')}  ${file}\n`).join(''),
  );
  for (const name of SCRIPTS) put(join(root, 'scripts', 'debian', name), join(tree, 'DEBIAN', name), 0o755);
  setModes(tree);
  const file = join(out, `rtp-cluster_${version}_${ARCHITECTURES[arch]}.deb`);
  // The time of every file, and of the package itself.
  const env = { SOURCE_DATE_EPOCH: String(epoch) };
  const stamp = run(['find', tree, '-exec', 'touch', '-h', '-d', `@${epoch}`, '{}', '+'], {});

  return (
    stamp ??
    run(['dpkg-deb', '--root-owner-group', `-Z${compression}`, '--build', tree, file], { env }) ??
    file
  );
}

function put(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  cpSync(from, to);
  chmodSync(to, mode);
}

function write(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Folders 755, programs 755, other files 644, whatever the umask of who builds. */
function setModes(folder: string): void {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) setModes(path);
    else chmodSync(path, (statSync(path).mode & 0o100) === 0 ? 0o644 : 0o755);
  }
}

/** The control file. The program needs nothing but glibc; the scripts need what starts services and makes users. */
export function control(version: string, architecture: string, kilobytes: number): string {
  return `Package: rtp-cluster
Version: ${version}
Architecture: ${architecture}
Maintainer: ${MAINTAINER}
Installed-Size: ${kilobytes}
Depends: libc6 (>= 2.17), systemd (>= 247), init-system-helpers (>= 1.54), passwd
Suggests: opensips | kamailio, rtpengine-daemon
Section: net
Priority: optional
Description: one appliance in front of a fleet of media relays
 SIP proxies hand it SDP, by HTTP or by the ng protocol of rtpengine. It places
 the call on a relay (rtpengine, rtpproxy) and hands back SDP with the right
 address of that relay for whoever reads it. It watches and drains the relays,
 and keeps every call where it is, across restarts too.
`;
}

function changelog(version: string, epoch: number): string {
  const date = new Date(epoch * 1000).toUTCString().replace('GMT', '+0000');

  return `rtp-cluster (${version}) unstable; urgency=medium

  * See CHANGELOG.md beside this file.

 -- ${MAINTAINER}  ${date}
`;
}
