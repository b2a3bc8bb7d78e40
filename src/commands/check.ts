/** `rtp-cluster check`: says whether `serve` would start with these settings and this database, without starting. */

import { defaultConfig, settingsHelp, settingTexts } from '../config/describe.ts';
import { BadSettings, DEFAULT_FILE, loadSettings } from '../config/load.ts';
import { showListen, showNgListen } from '../config/readers.ts';
import type { Settings } from '../config/settings.ts';
import { formatProblem } from '../config/sources.ts';
import type { Token } from '../domain/role.ts';
import { checkDatabase } from '../store/checkup.ts';
import { type Shape, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { databaseFacts, databaseLines } from './database-report.ts';
import { Progress } from './progress.ts';
import { behindService, refuseUsage, splitArgs } from './settings-args.ts';
import { type Look, lookOf, paint, printable } from './style.ts';
import { counted, formatTable } from './table.ts';
import { asUnit } from './unit-environment.ts';

export const help = `Usage: rtp-cluster check [--database] [--config FILE] [SETTINGS]
       rtp-cluster check --defaults [--json]

Reads the settings as serve would, and tells everything that is wrong with them, or what differs from
the defaults and where it comes from. Starts nothing. Exit code 0 if serve would take the settings.

  --database
      Read the database as well, all of it, beside a running service or without one: whether it is whole,
      known to this version and can be written, and what is in it. Changes nothing: migrations that are
      to be done are tried on a copy, beside it.
  --defaults
      Print a complete settings file with every default and what it is for.
  --json
      Print all of it as JSON.
${settingsHelp()}`;

const SHAPE: Shape = {
  words: [],
  flags: { database: 'switch', defaults: 'switch', json: 'switch' },
  takesSettings: true,
};
export const shapes = { '': SHAPE };

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = splitArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('check', args, io);
  const { own } = args;
  const isJson = own.has('json');
  if (own.has('defaults')) {
    if (own.has('database') || args.settings.length > 0) {
      const rule = '--defaults stands alone: it shows the defaults, whatever is set';

      return refuseUsage('check', new UsageError(rule), io);
    }
    io.out(isJson ? defaultsJson() : defaultConfig().trimEnd());

    return EXIT.ok;
  }
  const settings = loadSettings({ argv: args.settings, env: asUnit(io.env) });
  const problems = settings instanceof BadSettings ? settings.problems : [];
  const database =
    settings instanceof BadSettings || !own.has('database') ? undefined : readDatabase(settings, io);
  const isGood = problems.length === 0 && (database?.checkup.problems.length ?? 0) === 0;
  if (isJson) {
    const changed = settings instanceof BadSettings ? [] : settings.origins;
    const result = {
      result: isGood ? 'ok' : 'failed',
      file: settings instanceof BadSettings ? (settings.rest?.file ?? null) : settings.file,
      problems,
      settings: changed
        .filter(({ source }) => source !== 'default')
        .map(({ key, shown, where }) => ({ key, value: shown, from: where })),
      database: database === undefined ? null : databaseFacts(database.path, database.checkup),
    };
    io.out(JSON.stringify(result));

    return isGood ? EXIT.ok : EXIT.failed;
  }
  if (settings instanceof BadSettings) {
    for (const problem of problems) io.err(formatProblem(problem));
    io.err(`rtp-cluster check: ${counted(problems.length, 'problem')}; serve would not start`);

    return EXIT.failed;
  }
  const look = lookOf(io);
  for (const line of summary(settings, look)) io.out(line);
  for (const line of database === undefined ? [] : databaseLines(database.path, database.checkup))
    io.out(printable(line));
  for (const problem of database?.checkup.problems ?? []) io.err(`rtp-cluster check: ${printable(problem)}`);

  return isGood ? EXIT.ok : EXIT.failed;
}

function readDatabase({ database: { path } }: Settings, io: Io) {
  const progress = new Progress(io, 'check');
  progress.show('reading the database');
  behindService();
  const checkup = checkDatabase(path);
  progress.end();

  return { path, checkup };
}

function defaultsJson(): string {
  const settings = settingTexts().map(({ fallback, changeBy, ...setting }) => ({
    ...setting,
    default: fallback,
    change_by: changeBy,
  }));

  return JSON.stringify({ settings });
}

function summary({ file, origins, http, https, ng, sides }: Settings, look: Look): string[] {
  const changed = origins.filter(({ source }) => source !== 'default');
  const rows = changed.map(({ key, shown, where }) => [key, shown, where]);
  const access =
    http.tokens.length === 0
      ? 'from this host only, without a token'
      : `with a token of ${owners(http.tokens)}`;
  const clients = origins.find(({ key }) => key === 'ng.clients')?.shown ?? '';
  const ports = ng.listen.map(showNgListen).join(', ');

  return [
    `The settings are ${paint(look, 'good', 'green')}. File: ${file ?? `none (there is no ${DEFAULT_FILE})`}.`,
    `Sides: ${sides.names.join(', ')}.`,
    `HTTP at ${showListen(http.listen)}: ${access}.`,
    ...(https === null ? [] : [`HTTPS at ${showListen(https.listen)}: ${access}.`]),
    ng.listen.length === 0 ? 'ng: nowhere.' : `ng at ${ports}: for ${clients}, without a token.`,
    ...(rows.length === 0 ? ['All are defaults.'] : formatTable(['SETTING', 'VALUE', 'FROM'], rows, look)),
  ];
}

/** Who has tokens, as in `install (admin), grafana (read)`. */
function owners(tokens: readonly Token[]): string {
  return tokens.map(({ name, role }) => `${name} (${role})`).join(', ');
}
