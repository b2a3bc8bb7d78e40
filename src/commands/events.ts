/** `rtp-cluster events`: what happened and what happens, over the management API. */

import { type Action, runAction, shapesOf } from './actions.ts';
import { type Args, readInteger, UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { readMoment } from './duration.ts';
import { isObject, type JsonObject, listOf, textOf, timeOf } from './json.ts';
import { eventStyle, type Look, lookOf, paint } from './style.ts';
import { formatTable } from './table.ts';

export const help = `Usage: rtp-cluster events [--kind KINDS] [--node ID] [--call CALL-ID] [--since WHEN] [--limit N]
       rtp-cluster events --follow [--kind KINDS] [--node ID] [--call CALL-ID] [--since WHEN]

Shows what happened, newest last; docs/events.md says what each kind means and what to do.

  --follow           Show what happens from now on (or since WHEN), until Ctrl-C; a lost connection is made
                     again and nothing is left out
  --kind KINDS       Only these, as in node.removed or node.*,store.*
  --node ID          Only events of this node
  --call CALL-ID     Only events of this call
  --since WHEN       Only events from then on: 30m, 2h, 7d ago, or a time such as 2026-11-23T12:00:00Z
  --limit N          At most so many, the newest; default 100
${CLIENT_HELP.replace('Print the answer of the service as it is (JSON)', 'Print each event as it is, one JSON object a line')}`;

const LIMIT = { default: 100, max: 100_000, page: 1000 } as const;
/** The service says every 15 s that it lives; after so long without a byte the connection is dead, ms. */
const SILENCE_MS = 45_000;
/** Wait before connecting again, ms, unless the service says how long; and no longer than that. */
const RECONNECT_MS = { default: 2000, max: 60_000 } as const;

const events: Action = {
  words: [],
  flags: {
    follow: 'switch',
    kind: 'value',
    node: 'node',
    call: 'value',
    since: 'value',
    limit: 'value',
  },
  async run(args, _words, api, io) {
    const query = readQuery(args);
    if (query instanceof UsageError) return query;
    const limit = args.one('limit');
    if (args.has('follow')) {
      if (limit !== undefined) return new UsageError('--limit does not go with --follow; give --since');

      return follow(
        api,
        query,
        (event) => io.out(args.has('json') ? JSON.stringify(event) : line(event, lookOf(io))),
        io,
      );
    }
    const count = readInteger(limit ?? String(LIMIT.default), '--limit', 1, LIMIT.max);
    if (count instanceof UsageError) return count;
    const found = await list(api, query, count);
    if (found instanceof ApiError) return found;
    if (args.has('json')) for (const event of found) io.out(JSON.stringify(event));
    else for (const text of table(found, lookOf(io))) io.out(text);

    return EXIT.ok;
  },
};

function readQuery(args: Args): URLSearchParams | UsageError {
  const query = new URLSearchParams();
  for (const flag of ['kind', 'node', 'call']) if (args.has(flag)) query.set(flag, args.one(flag) ?? '');
  const since = args.one('since');
  if (since === undefined) return query;
  const moment = readMoment(since, '--since');
  if (moment instanceof UsageError) return moment;
  query.set('since', moment);

  return query;
}

/** Page by page; oldest first. */
async function list(api: Api, query: URLSearchParams, count: number): Promise<JsonObject[] | ApiError> {
  const found: JsonObject[] = [];
  const page = new URLSearchParams(query);
  for (;;) {
    page.set('limit', String(Math.min(LIMIT.page, count - found.length)));
    const reply = await api.call('GET', `/v1/events?${page}`);
    if (reply instanceof ApiError) return reply;
    found.push(...listOf(reply.json, 'events'));
    const next = textOf(reply.json, 'next');
    if (next === '' || found.length >= count) return found.reverse();
    page.set('before', next);
  }
}

async function follow(
  api: Api,
  query: URLSearchParams,
  show: (event: JsonObject) => void,
  io: Io,
): Promise<number | ApiError> {
  let last = '';
  let isLost = false;
  let wait: number = RECONNECT_MS.default;
  for (;;) {
    const silence = new AbortController();
    const watchdog = setTimeout(() => silence.abort(), SILENCE_MS);
    const headers: Record<string, string> = last === '' ? {} : { 'last-event-id': last };
    const stream = await api.open(`/v1/events?${query}`, headers, silence.signal);
    if (stream instanceof ApiError) {
      // What never worked is a mistake; what worked may come back.
      if (last === '' || !stream.isUnreachable) return stream;
    } else {
      if (isLost) io.err('rtp-cluster events: connected again');
      isLost = false;
      try {
        for await (const { id, data, retry } of messages(stream, () => watchdog.refresh())) {
          const event: unknown = data === '' ? undefined : JSON.parse(data);
          if (isObject(event)) show(event);
          last = id;
          wait = Math.min(retry ?? wait, RECONNECT_MS.max);
        }
      } catch {
        // The connection broke; the loop makes another one.
      }
    }
    clearTimeout(watchdog);
    if (!isLost) io.err('rtp-cluster events: the connection is lost, trying again');
    isLost = true;
    await Bun.sleep(wait);
  }
}

/** The messages of an event stream (WHATWG HTML, section 9.2.6), those without data too: their id counts. */
async function* messages(stream: ReadableStream<Uint8Array>, onBytes: () => void) {
  const decoder = new TextDecoder();
  let text = '';
  let id = '';
  let data = '';
  let retry: number | undefined;
  for await (const bytes of stream) {
    onBytes();
    const lines = (text + decoder.decode(bytes, { stream: true })).split('\n');
    text = lines.pop() ?? '';
    for (const part of lines) {
      if (part.startsWith('id: ')) id = part.slice('id: '.length);
      if (part.startsWith('data: ')) data = part.slice('data: '.length);
      if (/^retry: \d{1,9}$/.test(part)) retry = Number(part.slice('retry: '.length));
      if (part !== '') continue;
      if (id !== '') yield { id, data, retry };
      data = '';
    }
  }
}

/** `socket=udp:... calls=3` */
function detail(event: JsonObject): string {
  const fields = isObject(event.detail) ? event.detail : {};

  return Object.entries(fields)
    .filter(([, value]) => value !== null && value !== '')
    .map(([name, value]) => `${name}=${shown(name, value)}`)
    .join(' ');
}

/** In quotes where it could be taken for several fields; times as people read them. */
function shown(name: string, value: unknown): string {
  if (name === 'until' && typeof value === 'number')
    return timeOf({ until: value }, 'until').replace(' ', 'T');

  return typeof value === 'string' && /^[^\s"=]+$/.test(value) ? value : JSON.stringify(value);
}

function cells(event: JsonObject): string[] {
  const [node, call] = [textOf(event, 'node_id'), textOf(event, 'call_id')];

  return [timeOf(event, 'at'), textOf(event, 'kind'), node, call, detail(event)];
}

function table(found: readonly JsonObject[], look: Look): string[] {
  const rows = found.map((event) => {
    const [time = '', kind = '', ...rest] = cells(event);

    return [time, { text: kind, style: eventStyle(kind) }, ...rest];
  });

  return rows.length === 0
    ? ['There are no such events.']
    : formatTable(['TIME', 'KIND', 'NODE', 'CALL', 'DETAIL'], rows, look);
}

/** A line of a table whose other lines nobody knows yet. */
function line(event: JsonObject, look: Look): string {
  const [time = '', kind = '', node = '', call = '', rest = ''] = cells(event);
  const parts = [
    paint(look, time),
    paint(look, kind, eventStyle(kind)),
    ...[node && `node=${node}`, call && `call=${call}`, rest].map((part) => paint(look, part)),
  ];

  return parts.filter((part) => part !== '').join('  ');
}

export const shapes = shapesOf({ '': events });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('events', events, argv, io);
}
