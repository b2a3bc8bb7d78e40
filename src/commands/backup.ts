/** `rtp-cluster backup`: a copy of the database, while the service goes on. */

import { BadSettings } from '../config/load.ts';
import { isFolder, makeBackup } from '../store/backup.ts';
import { DatabaseProblem } from '../store/open.ts';
import { readInteger, type Shape, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { copying, Progress } from './progress.ts';
import {
  behindService,
  loadSome,
  refuseSettings,
  refuseUsage,
  SETTINGS_HELP,
  splitArgs,
} from './settings-args.ts';
import { printable } from './style.ts';
import { counted, size } from './table.ts';

export const help = `Usage: rtp-cluster backup FILE [--keep N] [--json] [--config FILE] [SETTINGS]

Copies the database of the settings to FILE, as of one moment, beside a running service or without one.
The copy is checked and on disk before it takes the place of an older FILE; mode 0600, for it holds SDP
with the keys of calls. If FILE is a folder, or ends in "/", the name is rtp-cluster-YYYYMMDDTHHMMSSZ.db.
Bring it back with "rtp-cluster restore".

  --keep N           Keep the newest N backups of such names in the folder, this one included, and remove
                     older ones once this one is made
  --json             Print what was done as JSON
${SETTINGS_HELP}`;

const SHAPE: Shape = { words: ['FILE'], flags: { keep: 'value', json: 'switch' }, takesSettings: true };
export const shapes = { '': SHAPE };
/** More are no retention. */
const MAX_KEEP = 10_000;

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = splitArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('backup', args, io);
  const order = readOrder(args.own.words, args.own.one('keep'));
  if (order instanceof UsageError) return refuseUsage('backup', order, io);
  const settings = loadSome(args.settings, io, ['database.path']);
  if (settings instanceof BadSettings) return refuseSettings('backup', settings, io);
  const begin = performance.now();
  behindService();
  const { path } = settings.database;
  const progress = new Progress(io, 'backup');
  progress.show('copying the database');
  const onCopied = copying(progress);
  const backup = makeBackup({ path, ...order, now: Date.now(), onCopied });
  progress.end();
  if (backup instanceof DatabaseProblem) {
    io.err(`rtp-cluster backup: ${printable(backup.message)}`);

    return EXIT.failed;
  }
  const ms = Math.round(performance.now() - begin);
  const { file, bytes, calls, liveCalls, nodes, removed, trouble } = backup;
  if (args.own.has('json'))
    io.out(
      JSON.stringify({
        file,
        bytes,
        calls,
        live_calls: liveCalls,
        nodes,
        ms,
        removed,
        trouble: trouble ?? null,
      }),
    );
  else {
    io.out(
      `${printable(file)}: ${size(bytes)}, ${counted(calls, 'call')} (${liveCalls} live), ${counted(nodes, 'node')}, ${ms} ms`,
    );
    if (removed.length > 0) io.out(`removed: ${removed.join(', ')}`);
  }
  if (trouble === undefined) return EXIT.ok;
  io.err(`rtp-cluster backup: ${printable(trouble)}`);

  return EXIT.failed;
}

function readOrder(
  [target = '']: readonly string[],
  keepText: string | undefined,
): { target: string; keep: number | undefined } | UsageError {
  if (keepText === undefined) return { target, keep: undefined };
  const keep = readInteger(keepText, '--keep', 1, MAX_KEEP);
  if (keep instanceof UsageError) return keep;
  if (isFolder(target)) return { target, keep };

  return new UsageError(
    `--keep is for a folder of backups, and ${target} is none; end it with "/" or leave --keep out`,
  );
}
