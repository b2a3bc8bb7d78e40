/** `rtp-cluster call watch` without a Call-ID: the live calls as they come and go. */

import { callTable, MAX_PAGE } from './call-query.ts';
import { type Api, ApiError } from './client.ts';
import { EXIT, type Io } from './command.ts';
import { type JsonObject, listOf, numberOf, textOf } from './json.ts';
import { onScreen, screenOf } from './screen.ts';
import { type Look, lookOf, paint, paintWord } from './style.ts';
import { timeText } from './table.ts';
import { interruptible, pause, unless } from './waiting.ts';

/** How long a call is told to be new, and one that has ended stays on the screen, ms. */
const LINGER_MS = 10_000;

/** Of the calls that have ended so many are looked at; if more end between two looks, some are told without a reason. */
const ENDED_PAGE = 100;

/** How the calls are watched. */
export interface CallsWatch {
  /** Which calls; `state` and `limit` are set here. */
  readonly query: URLSearchParams;
  /** Time between two looks, ms. */
  readonly interval: number;
  readonly isJson: boolean;
}

/** A call that came, changed or ended. */
interface Change {
  readonly event: 'live' | 'new' | 'changed' | 'ended';
  readonly call: JsonObject;
}

/** One that is still worth telling. */
interface Recent extends Change {
  /** UTC ms by the clock of this host. */
  readonly until: number;
}

/** The calls at a time. */
interface View {
  /** UTC ms by the clock of this host. */
  readonly at: number;
  readonly live: ReadonlyMap<string, JsonObject>;
  /** Call-IDs of the last ones that had ended. */
  readonly ended: ReadonlySet<string>;
  readonly hasMore: boolean;
  readonly changes: readonly Change[];
  readonly trouble: string | undefined;
}

/** Watches until somebody has seen enough: on a terminal as a screen, elsewhere a line for each change. */
export async function watchCalls(api: Api, io: Io, watch: CallsWatch): Promise<number | ApiError> {
  const first = await look(api, watch.query, undefined);
  if (first instanceof ApiError) return first;
  const terminal = screenOf(io);
  if (terminal === undefined || watch.isJson) {
    return interruptible(async (signal) => {
      await follow(api, watch, first, signal, (view, before) => {
        for (const line of lines(view, before, watch.isJson, lookOf(io))) io.out(line);
      });

      return EXIT.ok;
    });
  }
  let recent: readonly Recent[] = [];
  await onScreen({ ...io, terminal }, (screen) =>
    follow(api, watch, first, screen.signal, (view) => {
      recent = [...recent, ...view.changes.map((change) => ({ ...change, until: view.at + LINGER_MS }))]
        .filter(({ event, until }) => (event === 'new' || event === 'ended') && until > view.at)
        .slice(-MAX_PAGE);
      const shown = recent;
      screen.show((look) => screenLines(view, shown, look));
    }),
  );

  return EXIT.ok;
}

async function follow(
  api: Api,
  { query, interval }: CallsWatch,
  first: View,
  signal: AbortSignal,
  show: (view: View, before: View | undefined) => void,
): Promise<void> {
  let before: View | undefined;
  let view = first;
  for (;;) {
    show(view, before);
    await pause(interval, signal);
    const next = await unless(signal, look(api, query, view));
    if (next === undefined) return;
    before = view;
    view = next instanceof ApiError ? { ...view, at: Date.now(), changes: [], trouble: next.message } : next;
  }
}

async function look(api: Api, query: URLSearchParams, before: View | undefined): Promise<View | ApiError> {
  const reply = await api.call('GET', `/v1/calls?${withPage(query, 'live', MAX_PAGE)}`);
  if (reply instanceof ApiError) return reply;
  const live = new Map(listOf(reply.json, 'calls').map((call) => [textOf(call, 'call_id'), call]));
  const hasMore = textOf(reply.json, 'next') !== '';
  const come = [...live].flatMap(([id, call]): Change[] => {
    const old = before?.live.get(id);
    if (before === undefined) return [{ event: 'live', call }];
    if (old === undefined) return [{ event: 'new', call }];

    return nameOf(old) === nameOf(call) ? [] : [{ event: 'changed', call }];
  });
  // Also those that came and went between two looks.
  const over = await endedCalls(api, query);
  // Older ones than those on the page are only out of sight.
  const oldest = hasMore ? Math.min(...[...live.values()].map(createdAt)) : Number.NEGATIVE_INFINITY;
  const gone = [...(before?.live ?? [])].filter(
    ([id, call]) => !live.has(id) && !over.has(id) && createdAt(call) > oldest,
  );
  const ended = [
    ...[...over].reverse().filter(([id]) => before !== undefined && !before.ended.has(id) && !live.has(id)),
    ...gone.map(([id, call]) => [id, { ...call, state: 'ended' }] as const),
  ].map(([, call]): Change => ({ event: 'ended', call }));

  return {
    at: Date.now(),
    live,
    ended: new Set(over.size === 0 ? before?.ended : over.keys()),
    hasMore,
    changes: [...come, ...ended],
    trouble: undefined,
  };
}

/** The last calls that have ended, newest end first; none if they cannot be had. */
async function endedCalls(api: Api, query: URLSearchParams): Promise<ReadonlyMap<string, JsonObject>> {
  const reply = await api.call('GET', `/v1/calls?${withPage(query, 'ended', ENDED_PAGE)}`);
  if (reply instanceof ApiError) return new Map();

  return new Map(listOf(reply.json, 'calls').map((call) => [textOf(call, 'call_id'), call]));
}

function createdAt(call: JsonObject): number {
  return numberOf(call, 'created_at') ?? 0;
}

function withPage(query: URLSearchParams, state: string, limit: number): URLSearchParams {
  const page = new URLSearchParams(query);
  page.set('state', state);
  page.set('order', 'newest');
  page.set('limit', String(limit));

  return page;
}

/** What of a call is worth a line when it changes. */
function nameOf(call: JsonObject): string {
  return ['state', 'node_id', 'legs'].map((field) => textOf(call, field)).join(' ');
}

function screenLines({ live, hasMore, trouble }: View, recent: readonly Recent[], look: Look): string[] {
  const ended = recent.filter(({ event, call }) => event === 'ended' && !live.has(textOf(call, 'call_id')));
  const sum = [
    hasMore
      ? `the newest ${live.size} live calls; narrow them with --node, --set or --search`
      : `live calls ${live.size}`,
    `in the last ${LINGER_MS / 1000} s: new ${recent.filter(({ event }) => event === 'new').length}, ended ${ended.length}`,
  ];

  return [
    paint(look, sum.join('   ')),
    ...(trouble === undefined ? [] : [paint(look, trouble, 'red')]),
    '',
    ...callTable([...ended.map(({ call }) => call).reverse(), ...live.values()], look),
  ];
}

function lines(view: View, before: View | undefined, isJson: boolean, look: Look): string[] {
  const { at, changes, trouble } = view;
  const hasTrouble = trouble !== undefined && trouble !== before?.trouble;
  if (isJson) {
    return [
      ...changes.map((change) => JSON.stringify({ at, ...change })),
      ...(hasTrouble ? [JSON.stringify({ at, event: 'trouble', message: trouble })] : []),
    ];
  }

  return [
    ...changes.map((change) => changeLine(at, change, look)),
    ...(hasTrouble ? [`${timeText(at)}  ${paint(look, trouble, 'red')}`] : []),
  ];
}

function changeLine(at: number, { event, call }: Change, look: Look): string {
  const [node, reason] = [textOf(call, 'node_id'), textOf(call, 'end_reason')];

  return [
    timeText(at),
    paint(look, event.padEnd('changed'.length), event === 'new' ? 'bold' : undefined),
    paintWord(look, textOf(call, 'state')) + paint(look, reason === '' ? '' : ` (${reason})`),
    paint(look, node === '' ? 'on no node' : `node ${node}`),
    paint(look, `set ${textOf(call, 'set_id')}`),
    paint(look, textOf(call, 'direction')),
    paint(look, textOf(call, 'call_id')),
  ].join('  ');
}
