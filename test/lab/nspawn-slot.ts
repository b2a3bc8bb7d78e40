/** What a machine takes of this host: a folder with an overlay on a root of Debian, a network, cgroups. All of it goes when it goes. */

import { existsSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ext4Disk } from './ext4-disk.ts';
import { mustRun } from './runs.ts';

/** Addresses of a machine (RFC 5737): one for each side of a relay. */
export const INNER = '192.0.2.10';
export const OUTER = '198.51.100.10';

/** Hierarchies of cgroups a systemd may want a place in, of version 1 and of version 2. */
const HIERARCHIES = ['systemd', 'unified', '.']
  .map((name) => join('/sys/fs/cgroup', name))
  .filter((folder) => existsSync(join(folder, 'cgroup.procs')));
/**
 * Runs when this process is gone, whatever it died of: kills what is in the cgroups, and removes all that was made, a memory cgroup
 * of this name included, if a test has made one.
 */
const TIDY = `trap "" INT HUP TERM; cat > /dev/null
name=$1 folder=$2; shift 2
# What waits for a frozen disk cannot be killed.
awk -v root="$folder/root/" 'index($2, root) == 1 { print $2 }' /proc/mounts | xargs -r -n 1 fsfreeze -u 2>/dev/null
for round in 1 2 3 4 5 6 7 8 9; do
	pids=$(find "$@" -name cgroup.procs -exec cat {} + 2>/dev/null)
	[ -n "$pids" ] || break
	kill -9 $pids 2>/dev/null
	sleep 0.1
done
find "$@" "/sys/fs/cgroup/memory/$name" -depth -type d -exec rmdir {} + 2>/dev/null
ip netns pids "$name" | xargs -r kill -9
ip netns del "$name"
while mountpoint -q "$folder/root" && umount -l "$folder/root"; do :; done
rm -rf --one-file-system "$folder" "/run/systemd/nspawn/propagate/$name"`;

/** Why no machine can be booted here, or undefined. */
export function whyNoMachine(): string | undefined {
  const missing = ['systemd-nspawn', 'ip', 'nsenter', 'xargs'].filter((name) => Bun.which(name) === null);
  if (process.getuid?.() !== 0) return 'a machine wants root to be booted';
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  if (!readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n'))
    return 'this kernel has no overlayfs';
  if (HIERARCHIES.length === 0) return 'there are no cgroups in /sys/fs/cgroup';
  if (Bun.env.RTPC_INSTALL_ROOT === undefined)
    return 'RTPC_INSTALL_ROOT is not set; "npm run test:install" makes a root';

  return undefined;
}

export interface SlotOptions {
  /** A disk of its own, and where the machine has it. */
  readonly disk?: { readonly at: string; readonly megabytes: number };
}

export class Slot {
  /** Of the machine, its network and its cgroups; nobody else's. */
  readonly name: string;
  readonly cgroups: readonly string[];
  /** What the machine has as `/`. */
  readonly root: string;
  disk: Ext4Disk | undefined;
  readonly #folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-machine-'));
  readonly #janitor: Bun.Subprocess<'pipe', 'ignore', 'ignore'>;

  private constructor() {
    this.name = `rtpc${this.#folder.split('-').at(-1)}`;
    this.cgroups = HIERARCHIES.map((folder) => join(folder, this.name));
    this.root = join(this.#folder, 'root');
    this.#janitor = Bun.spawn(['sh', '-c', TIDY, 'janitor', this.name, this.#folder, ...this.cgroups], {
      stdin: 'pipe',
      stdout: 'ignore',
      stderr: 'ignore',
    });
  }

  static async make(options: SlotOptions): Promise<Slot> {
    const reason = whyNoMachine();
    if (reason !== undefined) throw new Error(reason);
    const slot = new Slot();
    try {
      slot.#build(options);
    } catch (error) {
      await slot.clear();
      throw error;
    }

    return slot;
  }

  /** Ends what runs in it, and removes it. */
  async clear(): Promise<void> {
    this.#janitor.stdin.end();
    await this.#janitor.exited;
  }

  #build({ disk }: SlotOptions): void {
    const [upper, work] = [join(this.#folder, 'upper'), join(this.#folder, 'work')];
    for (const folder of [upper, work, this.root, ...this.cgroups]) mkdirSync(folder);
    const layers = `lowerdir=${Bun.env.RTPC_INSTALL_ROOT},upperdir=${upper},workdir=${work}`;
    mustRun('mount', '-t', 'overlay', 'overlay', '-o', layers, this.root);
    // So that what is taken off it here goes from the namespaces of relays and load generators too.
    mustRun('mount', '--make-shared', this.root);
    if (disk !== undefined)
      this.disk = new Ext4Disk(join(this.#folder, 'disk'), join(this.root, disk.at), disk.megabytes);
    mustRun('ip', 'netns', 'add', this.name);
    const ip = (...words: string[]): void => mustRun('ip', '-n', this.name, ...words);
    ip('link', 'set', 'lo', 'up');
    // A cable from this host to itself: systemd-nspawn has none for a network it is given.
    ip('link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'wire');
    for (const device of ['wire', 'eth0']) ip('link', 'set', device, 'up');
    for (const address of [INNER, OUTER]) ip('addr', 'add', `${address}/24`, 'dev', 'eth0');
    ip('route', 'add', 'default', 'via', INNER.replace(/\d+$/, '1'));
  }
}
