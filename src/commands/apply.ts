/** `rtp-cluster apply`: makes the fleet what a file declares, all of it or nothing. */

import { type Action, runAction, shapesOf, show } from './actions.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { type FleetFile, FleetFileFault, readFleetFile } from './fleet-toml.ts';
import { InputFault, MAX_BODY_BYTES, readInput } from './input.ts';
import { isObject, type JsonObject, listOf, textOf } from './json.ts';
import { Progress } from './progress.ts';
import { type Look, paint, printable, type Style } from './style.ts';
import { counted } from './table.ts';

export const help = `Usage: rtp-cluster apply FILE [--dry-run] [--prune]

Makes the nodes and sets what FILE declares, all of it or, if anything is wrong, nothing, and shows
what changed. "-" reads standard input. FILE is TOML, as "rtp-cluster export" writes it:

  [[set]]
  id = 0
  policy = "least-load"

  [[node]]
  id = 3                            # optional; else the node is found by its socket and set
  socket = "udp:192.168.2.3:7890"
  set_id = 0
  inner_media_ip = "192.168.2.3"
  out_media_ip = "203.0.113.3"
  weight = 100

Further keys of a node: kind, impose_mode, priority, capacity, tags, http_port, media_addresses; of a
set: description, direction, load_by, port_reserve, media_probe. A key that is left out has its default, whatever
the node or set had before. Orders (drain, maint) stay.

  --dry-run          Only tell what would change
  --prune            Remove what is not in FILE: nodes (calls on them go on) and settings of sets
${CLIENT_HELP}`;

const MAX_FILE_BYTES = 4 * 1024 * 1024;
const MARKS: Readonly<Record<string, readonly [mark: string, style: Style]>> = {
  add: ['+', 'green'],
  change: ['~', 'yellow'],
  remove: ['-', 'red'],
};

const apply: Action = {
  words: ['FILE'],
  flags: { 'dry-run': 'switch', prune: 'switch' },
  async run(args, [file = ''], api, io) {
    const fail = (message: string): number => {
      io.err(`rtp-cluster apply: ${message}`);

      return EXIT.failed;
    };
    const bytes = readInput(file, MAX_FILE_BYTES);
    if (bytes instanceof InputFault) return fail(bytes.message);
    const fleet = readFleetFile(bytes.toString('utf8'));
    if (fleet instanceof FleetFileFault) return fail(`${file}:${fleet.line}: ${printable(fleet.message)}`);
    const { sets, nodes } = fleet;
    const size = Buffer.byteLength(JSON.stringify({ sets, nodes }));
    if (size > MAX_BODY_BYTES) {
      return fail(
        `${file} makes a request of ${size} bytes; the service takes ${MAX_BODY_BYTES}. Without --prune it may be applied in parts`,
      );
    }
    const query = [args.has('dry-run') ? 'dry_run=true' : [], args.has('prune') ? 'prune=true' : []].flat();
    const path = `/v1/fleet${query.length === 0 ? '' : `?${query.join('&')}`}`;
    const progress = new Progress(io, 'apply');
    progress.show(`${counted(nodes.length, 'node')} sent, waiting for the service`);
    const reply = await api.call('POST', path, { sets, nodes });
    progress.end();
    if (reply instanceof ApiError) {
      const faults = listOf(reply.reply?.json, 'errors');
      for (const fault of faults) io.err(`${file}:${printable(faultText(fault, fleet))}`);

      return faults.length > 0 ? reply : located(reply, file, fleet);
    }
    const note = args.has('dry-run') ? ['dry run: nothing was changed'] : [];

    return show(args, io, reply, (look) => [...diffLines(reply.json, look), ...note]);
  },
};

/** `LINE: node 2: what is wrong` */
function faultText(fault: JsonObject, { lineOf }: FleetFile): string {
  const what = textOf(fault, 'what');
  const key = textOf(fault, 'key');
  const line = lineOf(what, Number(fault.index), key === '' ? undefined : key);

  return `${line}: ${textOf(fault, 'message')}`;
}

/** An error of a value of the wrong type names its place as `nodes.2.weight`. */
function located(error: ApiError, file: string, { lineOf }: FleetFile): ApiError {
  const match = /^(set|node)s\.(\d+)(?:\.(\w+))?/.exec(error.message);
  if (match === null) return error;
  const [, what = '', index, key] = match;

  return new ApiError(`${file}:${lineOf(what, Number(index), key)}: ${error.message}`, error.reply);
}

function diffLines(answer: unknown, look: Look): string[] {
  const changes = listOf(answer, 'changes');
  const changed = changes.filter(({ change }) => change !== 'none');
  const unmanaged = Number(textOf(answer, 'unmanaged'));
  const lines = changed.map((change) =>
    paint(look, changeText(change), MARKS[textOf(change, 'change')]?.[1]),
  );
  if (changed.length < changes.length) lines.push(`= ${changes.length - changed.length} unchanged`);
  if (changed.length === 0) lines.push('the fleet is as the file says');
  if (unmanaged > 0) {
    lines.push(
      `${unmanaged} ${unmanaged === 1 ? 'node is' : 'nodes are'} not in the file and left alone; --prune would remove ${unmanaged === 1 ? 'it' : 'them'}`,
    );
  }

  return lines;
}

function changeText(change: JsonObject): string {
  const kind = textOf(change, 'change');
  const name = `${MARKS[kind]?.[0] ?? '?'} ${textOf(change, 'what')} ${textOf(change, 'id')}`;
  if (kind === 'change') {
    const fields = isObject(change.fields) ? Object.entries(change.fields) : [];

    return `${name} ${fields.map(([key, value]) => fieldText(key, value)).join(', ')}`;
  }
  const calls = Number(textOf(change, 'calls'));
  const goOn = calls > 0 ? ` (${calls} ${calls === 1 ? 'call goes' : 'calls go'} on)` : '';

  return `${name} ${textOf(change, 'socket')}`.trimEnd() + goOn;
}

function fieldText(key: string, value: unknown): string {
  const { from, to }: JsonObject = isObject(value) ? value : {};

  return `${key} ${valueText(from)} -> ${valueText(to)}`;
}

function valueText(value: unknown): string {
  if (value === null || value === undefined || value === '') return 'none';
  if (!Array.isArray(value)) return String(value);
  const items = value.map((item: unknown) => {
    if (!isObject(item)) return String(item);
    const name = textOf(item, 'interface');

    return `${textOf(item, 'side')}=${textOf(item, 'address')}${name === '' ? '' : `@${name}`}`;
  });

  return items.length === 0 ? 'none' : items.join(',');
}

export const shapes = shapesOf({ '': apply });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('apply', apply, argv, io);
}
