/** `rtp-cluster restore`: puts a backup in the place of the database. */

import { BadSettings } from '../config/load.ts';
import { stampOf } from '../store/backup.ts';
import { DatabaseProblem } from '../store/open.ts';
import { realPlace } from '../store/places.ts';
import { asideName, type Restored, restoreDatabase } from '../store/restore.ts';
import { type Shape, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { copying, Progress } from './progress.ts';
import { loadSome, refuseSettings, refuseUsage, SETTINGS_HELP, splitArgs } from './settings-args.ts';
import { printable } from './style.ts';
import { counted, size, timeText } from './table.ts';

export const help = `Usage: rtp-cluster restore FILE [--json] [--config FILE] [SETTINGS]

Puts a copy of FILE, a backup, in the place of the database of the settings. The service must be stopped.
FILE is checked first and stays as it is; it may come from an older version, not from a newer one. The
present database is kept beside the new one as DATABASE.before-restore-YYYYMMDDTHHMMSSZ.

  --json             Print what was done as JSON
${SETTINGS_HELP}`;

const SHAPE: Shape = { words: ['FILE'], flags: { json: 'switch' }, takesSettings: true };
export const shapes = { '': SHAPE };

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = splitArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('restore', args, io);
  const [backup = ''] = args.own.words;
  const settings = loadSome(args.settings, io, ['database.path']);
  if (settings instanceof BadSettings) return refuseSettings('restore', settings, io);
  const path = realPlace(settings.database.path);
  const progress = new Progress(io, 'restore');
  progress.show('copying the database');
  const aside = asideName(path, stampOf(Date.now()));
  const restored = restoreDatabase(backup, path, aside, copying(progress));
  progress.end();
  if (restored instanceof DatabaseProblem) {
    io.err(`rtp-cluster restore: ${printable(restored.message)}`);

    return EXIT.failed;
  }
  if (args.own.has('json')) {
    const { bytes, calls, liveCalls, nodes, newest, pending } = restored;
    const counts = { bytes, calls, live_calls: liveCalls, nodes };
    io.out(JSON.stringify({ database: path, ...counts, newest, pending, aside: restored.aside }));
  } else for (const line of report(path, restored)) io.out(printable(line));

  return EXIT.ok;
}

function report(
  path: string,
  { bytes, calls, liveCalls, nodes, newest, pending, aside }: Restored,
): string[] {
  const state = newest === null ? '' : `, as of ${timeText(newest)}`;

  return [
    `${path}: ${size(bytes)}, ${counted(calls, 'call')} (${liveCalls} live), ${counted(nodes, 'node')}${state}.`,
    aside === null
      ? 'There was no database before.'
      : `The database of before is ${aside}; remove it when all is well.`,
    ...(pending.length === 0
      ? []
      : [
          `It comes from an older version; the next start adds ${counted(pending.length, 'migration')} (${pending.join(', ')}).`,
        ]),
    'Start the service (systemctl start rtp-cluster). It compares its calls with the nodes: those that ended',
    'since the backup end here, and requests of calls that began since are looked for on the nodes.',
  ];
}
