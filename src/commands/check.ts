/** `rtp-cluster check`: says whether `serve` would start with these settings and this database, without starting. */

import { defaultConfig, settingsHelp } from '../config/describe.ts';
import { BadSettings, DEFAULT_FILE, loadSettings } from '../config/load.ts';
import { showListen, showNgListen } from '../config/readers.ts';
import type { Settings } from '../config/settings.ts';
import { formatProblem } from '../config/sources.ts';
import type { Token } from '../domain/role.ts';
import { checkDatabase } from '../store/checkup.ts';
import { UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { databaseLines } from './database-report.ts';
import { behindService, refuseUsage, splitArgs } from './settings-args.ts';
import { formatTable, printable } from './table.ts';
import { asUnit } from './unit-environment.ts';

export const help = `Usage: rtp-cluster check [--database] [--config FILE] [SETTINGS]
       rtp-cluster check --defaults

Reads the settings as serve would, and tells everything that is wrong with them, or what differs from
the defaults and where it comes from. Starts nothing. Exit code 0 if serve would take the settings.

  --database
      Read the database as well, all of it, beside a running service or without one: whether it is whole,
      known to this version and can be written, and what is in it. Changes nothing: migrations that are
      to be done are tried on a copy, beside it.
  --defaults
      Print a complete settings file with every default and what it is for.
${settingsHelp()}`;

const FLAGS = { database: 'switch' } as const;

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  if (argv.includes('--defaults')) {
    if (argv.length > 1) {
      io.err('rtp-cluster check: --defaults stands alone: it shows the defaults, whatever is set');

      return EXIT.usage;
    }
    io.out(defaultConfig().trimEnd());

    return EXIT.ok;
  }
  const args = splitArgs(argv, FLAGS);
  if (args instanceof UsageError) return refuseUsage('check', args, io);
  const settings = loadSettings({ argv: [...args.settings, ...args.own.words], env: asUnit(io.env) });
  if (settings instanceof BadSettings) {
    for (const problem of settings.problems) io.err(formatProblem(problem));
    const count = settings.problems.length;
    io.err(`rtp-cluster check: ${count === 1 ? '1 problem' : `${count} problems`}; serve would not start`);

    return EXIT.failed;
  }
  for (const line of summary(settings)) io.out(line);

  return args.own.has('database') ? reportDatabase(settings.database.path, io) : EXIT.ok;
}

function reportDatabase(path: string, io: Io): number {
  behindService();
  const checkup = checkDatabase(path);
  for (const line of databaseLines(path, checkup)) io.out(printable(line));
  for (const problem of checkup.problems) io.err(`rtp-cluster check: ${printable(problem)}`);

  return checkup.problems.length === 0 ? EXIT.ok : EXIT.failed;
}

function summary({ file, origins, http, https, ng, sides }: Settings): string[] {
  const changed = origins.filter(({ source }) => source !== 'default');
  const rows = changed.map(({ key, shown, where }) => [key, shown, where]);
  const access =
    http.tokens.length === 0
      ? 'from this host only, without a token'
      : `with a token of ${owners(http.tokens)}`;
  const clients = origins.find(({ key }) => key === 'ng.clients')?.shown ?? '';
  const ports = ng.listen.map(showNgListen).join(', ');

  return [
    `The settings are good. File: ${file ?? `none (there is no ${DEFAULT_FILE})`}.`,
    `Sides: ${sides.names.join(', ')}.`,
    `HTTP at ${showListen(http.listen)}: ${access}.`,
    ...(https === null ? [] : [`HTTPS at ${showListen(https.listen)}: ${access}.`]),
    ng.listen.length === 0 ? 'ng: nowhere.' : `ng at ${ports}: for ${clients}, without a token.`,
    ...(rows.length === 0 ? ['All are defaults.'] : formatTable(['SETTING', 'VALUE', 'FROM'], rows)),
  ];
}

/** Who has tokens, as in `install (admin), grafana (read)`. */
function owners(tokens: readonly Token[]): string {
  return tokens.map(({ name, role }) => `${name} (${role})`).join(', ');
}
