/** `rtp-cluster import`: brings a table of nodes into the fleet, all rows or none. */

import { type Action, runAction, shapesOf } from './actions.ts';
import type { Args } from './args.ts';
import { type Api, ApiError, CLIENT_HELP, type Reply } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { readAddressMap, withAddresses } from './import/addresses.ts';
import { type ReadRow, RowFault, TableFault } from './import/cells.ts';
import { type ImportFile, MAX_FILE_BYTES, readImport } from './import/file.ts';
import { InputFault, MAX_BODY_BYTES, readInput } from './input.ts';
import { isObject, type JsonObject, listOf, textOf } from './json.ts';
import { Progress } from './progress.ts';
import { type Cell, lookOf, printable, styleOf } from './style.ts';
import { counted, formatTable } from './table.ts';

export const help = `Usage: rtp-cluster import FILE [--dry-run] [FLAGS]

Brings a table of nodes into the fleet. A node with the same id is updated; without an id, that with
the same socket in the same set. Nothing is changed if any row is bad. "-" reads standard input.

FILE is one of
  - a dump of OpenSIPS's or Kamailio's database: mysqldump, mariadb-dump, pg_dump in plain text
    (with COPY or INSERT), sqlite3's .dump; or a SQLite database file. The table is found by its
    columns: those of rtpengine, rtpproxy_sockets (OpenSIPS) or rtpproxy (Kamailio), in which
    inner_media_ip, out_media_ip and the optional columns below may stand too. An address OpenSIPS
    advertises for an rtpproxy becomes its out_media_ip; the ids of rtpproxies are chosen here
  - CSV with "," ";" "|" or tab between the columns, or a Markdown table. The first line names them:
      id              number; optional
      socket          control socket, udp:192.168.2.3:7890 or udp6:[2001:db8::3]:7890; of an rtpproxy
                      also tcp:, tcp6:, unix:/PATH and cunix:/PATH
      set_id          number of the set
      inner_media_ip  media address as the inner side sees it
      out_media_ip    media address as the outer side sees it
      weight, kind, impose_mode, priority, capacity, tags, http_port
                      optional, as for "rtp-cluster node add"

Without media addresses, as in the tables of the proxies, a node that exists keeps its own, unless it
moves to another host. For new and moved ones they may come from here:
  --inner-from-socket  The inner media address is the address of the socket
  --addresses FILE     Lines of SOCKET,OUTER_IP or SOCKET,INNER_IP,OUTER_IP, as in
                       192.168.2.3,203.0.113.3; SOCKET is the IP address of a socket, or its path

  --table NAME         The table, if several fit
  --skip-unusable      Leave bad rows out and import the others; they are reported
  --dry-run            Only tell what would be done
${CLIENT_HELP.replace('Print the answer of the service as it is (JSON)', 'Print what became of each row as JSON')}`;

/** Longest texts of the report, in characters: a file of nonsense must not flood the terminal. */
const MAX_CELL = 64;
const MAX_RESULT = 400;

/** What the user asked for. */
interface Task {
  readonly file: string;
  readonly place: ImportFile['place'];
  readonly isDryRun: boolean;
  readonly isJson: boolean;
  readonly skips: boolean;
  readonly api: Api;
  readonly io: Io;
}

const importNodes: Action = {
  words: ['FILE'],
  flags: {
    'dry-run': 'switch',
    'inner-from-socket': 'switch',
    'skip-unusable': 'switch',
    addresses: 'file',
    table: 'value',
  },
  async run(args, [file = ''], api, io) {
    const read = readRows(args, file);
    if (typeof read === 'string') {
      io.err(printable(read.slice(0, MAX_RESULT + file.length)));

      return EXIT.failed;
    }
    const { rows, place } = read;
    const faults = rows.filter(({ result }) => result instanceof RowFault).length;
    const skips = args.has('skip-unusable');
    if (faults > 0 && (!skips || faults === rows.length)) {
      const isJson = args.has('json');
      report(io, rows, { place, isJson }, ({ result }) =>
        result instanceof RowFault ? ['error', result.message] : ['ok', ''],
      );
      io.err(nothingChanged(file, faults, rows.length));

      return EXIT.failed;
    }
    const task = { file, place, isDryRun: args.has('dry-run'), isJson: args.has('json'), skips, api, io };

    return send(rows, task);
  },
};

/** The rows of the file, with media addresses; or what is wrong with the file. */
function readRows(args: Args, file: string): ImportFile | string {
  const bytes = readInput(file, MAX_FILE_BYTES);
  if (bytes instanceof InputFault) return `rtp-cluster import: ${bytes.message}`;
  const read = readImport(file, bytes, args.one('table'));
  if (read instanceof TableFault) return `${file}:${read.row}: ${read.message}`;
  const list = args.one('addresses');
  const listed = list === undefined ? undefined : readInput(list, MAX_BODY_BYTES);
  if (listed instanceof InputFault) return `rtp-cluster import: --addresses: ${listed.message}`;
  const map = listed === undefined ? undefined : readAddressMap(listed.toString('utf8'));
  if (map instanceof TableFault) return `${list}:${map.row}: ${map.message}`;

  return { ...read, rows: withAddresses(read.rows, map, args.has('inner-from-socket')) };
}

/** Sends the rows that are good; with `skips`, once more without those the service finds bad. */
async function send(rows: readonly ReadRow[], task: Task): Promise<number | ApiError> {
  const { file, api, io } = task;
  const good = rows.filter(({ result }) => !(result instanceof RowFault));
  const body = { rows: good.map(({ result }) => result) };
  const size = Buffer.byteLength(JSON.stringify(body));
  if (size > MAX_BODY_BYTES) {
    io.err(
      `rtp-cluster import: ${file}: ${good.length} rows make a request of ${size} bytes; the service takes ${MAX_BODY_BYTES}. Import the file in parts`,
    );

    return EXIT.failed;
  }
  const progress = new Progress(io, 'import');
  progress.show(`${counted(good.length, 'row')} sent, waiting for the service`);
  const reply = await api.call('POST', `/v1/nodes/import${task.isDryRun ? '?dry_run=true' : ''}`, body);
  progress.end();
  const answer: Reply | undefined = reply instanceof ApiError ? reply.reply : reply;
  const answered = new Map(listOf(answer?.json, 'rows').map((row) => [textOf(row, 'row'), row]));
  // Without rows in it, the error is not about rows.
  if (answered.size === 0 && reply instanceof ApiError) return reply;
  const bad = new Map(
    [...answered].flatMap(([row, { result, message }]) =>
      result === 'error' ? [[row, String(message)]] : [],
    ),
  );
  if (reply instanceof ApiError && task.skips && bad.size > 0 && bad.size < good.length) {
    return send(
      rows.map((row) => {
        const message = bad.get(String(row.row));

        return message === undefined ? row : { ...row, result: new RowFault(message) };
      }),
      // What is still bad then is no matter of single rows.
      { ...task, skips: false },
    );
  }
  const { code, message } = reply instanceof ApiError && isObject(answer?.json) ? answer.json : {};
  report(
    io,
    rows,
    { ...task, refusal: code === undefined ? {} : { code, message } },
    (row) => resultOf(row, answered.get(String(row.row))),
    (row) => textOf(answered.get(String(row.row)), 'id') || row.id,
  );
  if (reply instanceof ApiError) {
    io.err(`${nothingChanged(file, bad.size, rows.length)} ${reply.message}`);
    if ([...bad.values()].some((message) => message.includes('no media address')))
      io.err(
        'Media addresses are given with --inner-from-socket and --addresses FILE (rtp-cluster help import)',
      );

    return EXIT.failed;
  }
  if (!task.isJson) {
    const skipped = rows.length - good.length;
    const done = task.isDryRun ? 'Dry run: nothing was changed.' : `${good.length} rows imported.`;
    io.out(skipped === 0 ? done : `${done} ${skipped} of ${rows.length} rows skipped.`);
  }

  return EXIT.ok;
}

/** What became of a row, and what there is to say of it. */
type Result = readonly [word: string, message: string];

function resultOf({ result, note }: ReadRow, row: unknown): Result {
  if (result instanceof RowFault) return ['skipped', result.message];
  const messages = [textOf(row, 'message'), note ?? ''].filter((message) => message !== '');

  return [textOf(row, 'result') || 'no answer', messages.join(': ')];
}

function report(
  io: Io,
  rows: readonly ReadRow[],
  { place, isJson, refusal }: Pick<Task, 'place' | 'isJson'> & { readonly refusal?: JsonObject },
  resultOf: (read: ReadRow) => Result,
  idOf: (read: ReadRow) => string = (read) => read.id,
): void {
  if (isJson) {
    const list = rows.map((read) => {
      const [result, message] = resultOf(read);
      const id = idOf(read);

      return {
        row: read.row,
        id: /^\d{1,15}$/.test(id) ? Number(id) : null,
        socket: read.socket,
        result,
        message: message || null,
      };
    });
    io.out(JSON.stringify({ ...refusal, place: place.toLowerCase(), rows: list }));

    return;
  }
  const lines = rows.map((read): Cell[] => {
    const [word, message] = resultOf(read);

    return [
      String(read.row),
      idOf(read).slice(0, MAX_CELL),
      read.socket.slice(0, MAX_CELL),
      { text: (message === '' ? word : `${word}: ${message}`).slice(0, MAX_RESULT), style: styleOf(word) },
    ];
  });
  for (const line of formatTable([place, 'ID', 'SOCKET', 'RESULT'], lines, lookOf(io))) io.out(line);
}

function nothingChanged(file: string, bad: number, all: number): string {
  return `rtp-cluster import: ${file}: ${bad} of ${all} rows ${bad === 1 ? 'is' : 'are'} bad; nothing was changed.`;
}

export const shapes = shapesOf({ '': importNodes });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('import', importNodes, argv, io);
}
