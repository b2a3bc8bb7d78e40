/** `rtp-cluster support-bundle`: all that a bug report needs, in one file, without secrets. */

import type { Database } from 'bun:sqlite';
import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { BadSettings, loadSettings } from '../config/load.ts';
import { TABLE } from '../config/rows.ts';
import type { Settings } from '../config/settings.ts';
import { formatProblem } from '../config/sources.ts';
import { stampOf } from '../store/backup.ts';
import { checkDatabase } from '../store/checkup.ts';
import { DatabaseProblem } from '../store/open.ts';
import { inWords } from '../store/places.ts';
import { readDatabase } from '../store/reading.ts';
import { versionLine } from '../util/version.ts';
import { type Shape, UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_FLAGS, connect } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { databaseLines } from './database-report.ts';
import { Progress } from './progress.ts';
import { serviceAccess } from './service-address.ts';
import { behindService, refuseUsage, SETTINGS_HELP, splitArgs } from './settings-args.ts';
import { printable } from './style.ts';
import { hostFacts, journal, unitFacts } from './support-host.ts';
import { scrubber, secretsOf } from './support-secrets.ts';
import { formatTable, size } from './table.ts';
import { asUnit } from './unit-environment.ts';

export const help = `Usage: rtp-cluster support-bundle [FILE] [--without-logs] [--config FILE] [SETTINGS]

Collects what a bug report needs, with the service up or down: version, host, settings that differ, state
of the service, nodes and sets, the database's check, the last 2,000 events, the unit and the last 5,000
lines of its journal. Run it as root, or it sees less. What cannot be had is told inside.
FILE is a .tar.gz, mode 0600; without it rtp-cluster-support-HOST-DATE.tar.gz in this
folder.

Tokens, secrets, paths of URLs and SDP are taken out. Addresses, host names and Call-IDs, which may hold
telephone numbers, remain: look at it before you send it.

  --without-logs     Leave out events and journal, where the Call-IDs are
  --url URL          Ask the service at this address, not that of the settings; also RTP_CLUSTER_URL
  --unix PATH        Ask at this unix socket
  --token-file FILE  File whose first line is the token; else one of the settings, or RTP_CLUSTER_TOKEN
  --ca-file FILE     Certificate of the authority that certifies an https URL; also RTP_CLUSTER_CA_FILE
  --json             Print the file and what is in it as JSON
${SETTINGS_HELP}`;

const SHAPE: Shape = {
  words: ['[FILE]'],
  flags: { ...CLIENT_FLAGS, 'without-logs': 'switch' },
  takesSettings: true,
};
export const shapes = { '': SHAPE };
/** How long each question to the service may take, ms. */
const ASK_MS = 5000;
const MAX_EVENTS = 2000;
/** Tables that say what the fleet is; none has calls or SDP. */
const TABLES = ['migration', 'node_set', 'node', 'media_address', 'node_health'] as const;

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = splitArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('support-bundle', args, io);
  const name = `rtp-cluster-support-${hostname().replace(/[^A-Za-z0-9.-]/g, '-')}-${stampOf(Date.now())}`;
  const [file = `${name}.tar.gz`] = args.own.words;
  const env = asUnit(io.env);
  const loaded = loadSettings({ argv: args.settings, env });
  const settings = loaded instanceof BadSettings ? loaded.rest : loaded;
  const api = connect(args.own, io, {
    ...(settings === undefined ? {} : serviceAccess(settings)),
    timeoutMs: ASK_MS,
  });
  if (api instanceof UsageError) return refuseUsage('support-bundle', api, io);
  // The file first: who has no place for it need not wait for the rest.
  let target: number;
  try {
    target = openSync(file, 'wx', 0o600);
  } catch (error) {
    io.err(`rtp-cluster support-bundle: ${printable(file)}: ${inWords(error)}`);

    return EXIT.failed;
  }
  const progress = new Progress(io, 'support-bundle');
  try {
    const isShort = args.own.has('without-logs');
    const texts = await collect(loaded, settings, { api, isShort, progress });
    progress.show('packing');
    const scrub = scrubber(secretsOf(settings, env));
    const entries = Object.entries(texts).map(([path, text]) => [`${name}/${path}`, scrub(text)]);
    const bytes = await new Bun.Archive(Object.fromEntries(entries), { compress: 'gzip' }).bytes();
    writeFileSync(target, bytes);
    fchmodSync(target, 0o600);
    fsyncSync(target);
    progress.end();
    if (args.own.has('json'))
      io.out(JSON.stringify({ file, bytes: bytes.length, has_logs: !isShort, parts: Object.keys(texts) }));
    else for (const line of report(file, bytes.length, isShort)) io.out(line);

    return EXIT.ok;
  } catch (error) {
    progress.end();
    rmSync(file, { force: true });
    io.err(`rtp-cluster support-bundle: ${printable(file)}: ${inWords(error)}`);

    return EXIT.failed;
  } finally {
    closeSync(target);
  }
}

async function collect(
  loaded: Settings | BadSettings,
  settings: Settings | undefined,
  { api, isShort, progress }: { readonly api: Api; readonly isShort: boolean; readonly progress: Progress },
): Promise<Record<string, string>> {
  progress.show('asking the service');
  const database = settings?.database.path ?? TABLE.database.path.fallback;
  const [readyz, nodes, sets, fleet, service] = await Promise.all([
    answer(api, '/readyz'),
    answer(api, '/v1/nodes'),
    answer(api, '/v1/sets'),
    answer(api, '/v1/fleet'),
    unitFacts(),
  ]);
  behindService();
  progress.show('reading the database');
  const checkup = checkDatabase(database);
  progress.show('reading settings, events and journal');

  return {
    'README.txt': `${personal(isShort).join('\n')}\n`,
    'version.txt': `${versionLine()}\n`,
    'host.txt': hostFacts(database),
    'settings.txt': `${settingsLines(loaded, settings).join('\n')}\n`,
    'readyz.json': readyz,
    'nodes.json': nodes,
    'sets.json': sets,
    'fleet.json': fleet,
    'unit.txt': service,
    'database.txt': `${[...databaseLines(database, checkup), ...checkup.problems.map((problem) => `PROBLEM: ${problem}`)].join('\n')}\n`,
    'database-fleet.jsonl': fromDatabase(database, (open) =>
      TABLES.flatMap((table) => rows(open, table, 'LIMIT 10000').map((row) => ({ table, ...row }))),
    ),
    ...(isShort
      ? {}
      : {
          'events.jsonl': fromDatabase(database, (open) =>
            rows(open, 'event', `ORDER BY id DESC LIMIT ${MAX_EVENTS}`).reverse(),
          ),
          'journal.txt': await journal(),
        }),
  };
}

async function answer(api: Api, path: string): Promise<string> {
  const reply = await api.call('GET', path);
  const text =
    reply instanceof ApiError ? (reply.reply?.text ?? `could not be had: ${reply.message}`) : reply.text;

  return `${text}\n`;
}

function settingsLines(loaded: Settings | BadSettings, settings: Settings | undefined): string[] {
  const problems = loaded instanceof BadSettings ? loaded.problems.map(formatProblem) : [];
  const changed = (settings?.origins ?? []).filter(({ source }) => source !== 'default');
  const roles = (settings?.http.tokens ?? []).map(({ role, name }) => `${role} ${name}`);

  return [
    `file: ${settings?.file ?? 'none'}`,
    ...problems.map((problem) => `PROBLEM: ${problem}`),
    ...formatTable(
      ['SETTING', 'VALUE', 'FROM'],
      changed.map(({ key, shown, where }) => [key, shown, where]),
    ),
    `tokens: ${roles.length === 0 ? 'none that this user can read' : roles.join(', ')}`,
  ];
}

function fromDatabase(path: string, read: (database: Database) => readonly unknown[]): string {
  const result = readDatabase(path, read);
  if (result instanceof DatabaseProblem) return `could not be had: ${result.message}\n`;

  return result.map((row) => `${JSON.stringify(row)}\n`).join('');
}

function rows(database: Database, table: string, rest: string): Record<string, unknown>[] {
  return database.query<Record<string, unknown>, []>(`SELECT * FROM ${table} ${rest}`).all();
}

function personal(isShort: boolean): string[] {
  const rest = isShort
    ? 'addresses and host names. Events and journal were left out.'
    : 'addresses, host names and Call-IDs, which may hold telephone numbers; --without-logs leaves out the latter.';

  return [
    'A support bundle of rtp_cluster. Each text was cleaned of tokens, secrets, paths of URLs and SDP.',
    `It still has ${rest}`,
    'Look at it before you send it.',
  ];
}

function report(file: string, bytes: number, isShort: boolean): string[] {
  return [`${printable(file)}: ${size(bytes)}`, ...personal(isShort).slice(1)];
}
