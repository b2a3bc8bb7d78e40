/** `rtp-cluster import`: brings a table of nodes into the fleet, all rows or none. */

import { readFileSync, statSync } from 'node:fs';
import { type Action, runAction } from './actions.ts';
import { UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_HELP, type Reply } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { type ReadRow, RowFault, readTable, TableFault } from './import-rows.ts';
import { listOf, textOf } from './json.ts';
import { formatTable } from './table.ts';

export const help = `Usage: rtp-cluster import FILE [--dry-run]

Brings a table of nodes into the fleet. A node with the same id is updated. Nothing is changed if any
row is bad. FILE is CSV with "," ";" "|" or tab between the columns, or a Markdown table as it stands
in a README; "-" reads standard input. The first line names the columns:

  id              number; optional
  socket          control socket, udp:192.168.2.3:7890 or udp6:[2001:db8::3]:7890
  set_id          number of the set
  inner_media_ip  media address as the inner side sees it
  out_media_ip    media address as the outer side sees it
  weight, kind, impose_mode
                  optional, as for "rtp-cluster node add"

  --dry-run          Only tell what would be done
${CLIENT_HELP}`;

/** Larger files are no table of nodes. */
const MAX_FILE_BYTES = 4 * 1024 * 1024;

const importNodes: Action = {
  words: ['FILE'],
  flags: { 'dry-run': 'switch' },
  async run(args, [file = ''], api, io) {
    const text = readFile(file);
    if (text instanceof UsageError) {
      io.err(`rtp-cluster import: ${text.message}`);

      return EXIT.failed;
    }
    const rows = readTable(text);
    if (rows instanceof TableFault) {
      io.err(`${file}:${rows.row}: ${rows.message}`);

      return EXIT.failed;
    }
    const faults = rows.filter(({ result }) => result instanceof RowFault).length;
    if (faults > 0) {
      report(io, rows, (read) => (read.result instanceof RowFault ? `error: ${read.result.message}` : 'ok'));
      io.err(nothingChanged(file, faults, rows.length));

      return EXIT.failed;
    }

    return send(file, rows, args.has('dry-run'), args.has('json'), api, io);
  },
};

async function send(
  file: string,
  rows: readonly ReadRow[],
  isDryRun: boolean,
  isJson: boolean,
  api: Api,
  io: Io,
): Promise<number | ApiError> {
  const path = `/v1/nodes/import${isDryRun ? '?dry_run=true' : ''}`;
  const reply = await api.call('POST', path, { rows: rows.map(({ result }) => result) });
  const answer: Reply | undefined = reply instanceof ApiError ? reply.reply : reply;
  const answered = new Map(listOf(answer?.json, 'rows').map((row) => [textOf(row, 'row'), row]));
  // Without rows in it, the error is not about rows.
  if (answered.size === 0 && reply instanceof ApiError) return reply;
  if (isJson) io.out(answer?.text ?? '');
  else
    report(
      io,
      rows,
      (read) => {
        const row = answered.get(String(read.row));
        const message = textOf(row, 'message');

        return `${textOf(row, 'result') || 'no answer'}${message === '' ? '' : `: ${message}`}`;
      },
      (read) => textOf(answered.get(String(read.row)), 'id') || read.id,
    );
  if (reply instanceof ApiError) {
    const bad = [...answered.values()].filter((row) => row.result === 'error').length;
    io.err(`${nothingChanged(file, bad, rows.length)} ${reply.message}`);

    return EXIT.failed;
  }
  if (!isJson) io.out(isDryRun ? 'Dry run: nothing was changed.' : `${rows.length} rows imported.`);

  return EXIT.ok;
}

function report(
  io: Io,
  rows: readonly ReadRow[],
  resultOf: (read: ReadRow) => string,
  idOf: (read: ReadRow) => string = (read) => read.id,
): void {
  const lines = rows.map((read) => [String(read.row), idOf(read), read.socket, resultOf(read)]);
  for (const line of formatTable(['LINE', 'ID', 'SOCKET', 'RESULT'], lines)) io.out(line);
}

function nothingChanged(file: string, bad: number, all: number): string {
  return `rtp-cluster import: ${file}: ${bad} of ${all} rows ${bad === 1 ? 'is' : 'are'} bad; nothing was changed.`;
}

function readFile(file: string): string | UsageError {
  try {
    if (file === '-') return readFileSync(0, 'utf8');
    const { size } = statSync(file);
    if (size > MAX_FILE_BYTES)
      return new UsageError(`${file} has ${size} bytes; allowed are ${MAX_FILE_BYTES}`);

    return readFileSync(file, 'utf8');
  } catch (error) {
    return new UsageError(`cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
}

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('import', importNodes, argv, io);
}
