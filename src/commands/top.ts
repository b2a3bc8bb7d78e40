/** `rtp-cluster top`: the nodes as they are now, in a terminal, until somebody has seen enough. */

import { HEALTHS, isHealthy } from '../domain/state.ts';
import { PANIC_BELOW } from '../placement/choose.ts';
import { type Action, runAction, shapesOf, show } from './actions.ts';
import { UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { readDuration } from './duration.ts';
import { isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from './json.ts';
import { nodeTable } from './node-table.ts';
import { type Draw, onScreen, type Screen, screenOf } from './screen.ts';
import { type Look, paint } from './style.ts';
import { pause, unless } from './waiting.ts';

export const help = `Usage: rtp-cluster top [--interval TIME] [--wide]

Shows all nodes and refreshes them, sets that are in panic marked; q or Ctrl-C ends it. Without a terminal it
shows them once.

  --interval TIME    Time between two looks; default 2s
  --wide             All columns
${CLIENT_HELP}`;

const DEFAULT_INTERVAL = '2s';
const MAX_INTERVAL_MS = 3_600_000;

const top: Action = {
  words: [],
  flags: { interval: 'value', wide: 'switch' },
  async run(args, _words, api, io) {
    const interval = readDuration(args.one('interval') ?? DEFAULT_INTERVAL, '--interval', MAX_INTERVAL_MS);
    if (interval instanceof UsageError) return interval;
    const first = await api.call('GET', '/v1/nodes');
    if (first instanceof ApiError) return first;
    const terminal = screenOf(io);
    const isWide = args.has('wide');
    if (terminal === undefined || args.has('json'))
      return show(args, io, first, (look) => topLines(first.json, null, isWide, look));

    return onScreen({ ...io, terminal }, (screen) =>
      watch(api, screen, { interval, isWide, first: first.json }),
    );
  },
};

interface Options {
  /** Time between two looks, ms. */
  readonly interval: number;
  readonly isWide: boolean;
  /** The first answer. */
  readonly first: unknown;
}

async function watch(api: Api, screen: Screen, { interval, isWide, first }: Options): Promise<number> {
  let before: Counted | null = null;
  let lines: Draw = () => [];
  let answer: unknown = first;
  for (;;) {
    const trouble = answer instanceof ApiError ? answer.message : undefined;
    if (isObject(answer) && trouble === undefined) {
      const [shown, now] = [answer, counted(answer)];
      const rate = rateOf(before, now);
      lines = (look) => topLines(shown, rate, isWide, look);
      before = now;
    }
    const drawn = lines;
    screen.show((look) => [...(trouble === undefined ? [] : [paint(look, trouble, 'red')]), ...drawn(look)]);
    await pause(interval, screen.signal);
    const reply = await unless(screen.signal, api.call('GET', '/v1/nodes'));
    if (reply === undefined || screen.signal.aborted) return EXIT.ok;
    answer = reply instanceof ApiError ? reply : reply.json;
  }
}

/** How many calls there had been at a time. */
interface Counted {
  /** Monotonic ms. */
  readonly at: number;
  readonly begun: number;
}

function counted(answer: unknown): Counted {
  return { at: performance.now(), begun: numberOf(answer, 'calls_begun') ?? 0 };
}

/** New calls per second between two answers; null if nobody can tell, as after a restart of the service. */
function rateOf(before: Counted | null, now: Counted): number | null {
  if (before === null || now.begun < before.begun) return null;

  return ((now.begun - before.begun) * 1000) / (now.at - before.at);
}

/** All there is to see. */
function topLines(answer: unknown, callsPerS: number | null, isWide: boolean, look: Look): string[] {
  const nodes = [...listOf(answer, 'nodes')].sort(
    (a, b) => at(a, 'set_id') - at(b, 'set_id') || at(a, 'id') - at(b, 'id'),
  );
  const up = nodes.filter((node) => healthOf(node) === 'up').length;
  const sessions = nodes.reduce((sum, node) => sum + (numberOf(objectOf(node, 'load'), 'sessions') ?? 0), 0);
  const calls = nodes.reduce((sum, node) => sum + at(node, 'calls'), 0);
  const summary = [
    `nodes up ${up}/${nodes.length}`,
    `calls ${calls}`,
    `sessions ${sessions}`,
    `new calls ${callsPerS === null ? '-' : callsPerS.toFixed(1)}/s`,
  ];

  return [
    paint(look, summary.join('   '), up < nodes.length ? 'yellow' : undefined),
    ...panicLines(nodes).map((text) => paint(look, text, 'red')),
    '',
    ...nodeTable(nodes, isWide, look),
  ];
}

/** Sets most of whose weight is gone, by the same rule as placement. Nodes that people took out do not count. */
function panicLines(nodes: readonly JsonObject[]): string[] {
  const ready = nodes.filter((node) => textOf(objectOf(node, 'order'), 'state') === 'ready');

  return [...Map.groupBy(ready, (node) => textOf(node, 'set_id'))].flatMap(([set, members]) => {
    const all = members.reduce((sum, node) => sum + at(node, 'weight'), 0);
    const healthy = members.filter(isHealthyNode).reduce((sum, node) => sum + at(node, 'weight'), 0);
    if (healthy >= all * PANIC_BELOW) return [];

    return [`set ${set} is in PANIC: ${healthy} of ${all} of its weight is healthy; bad nodes are tried too`];
  });
}

function isHealthyNode(node: JsonObject): boolean {
  const health = HEALTHS.find((word) => word === healthOf(node));

  return health !== undefined && isHealthy(health);
}

function healthOf(node: unknown): string {
  return textOf(objectOf(node, 'health'), 'state');
}

function at(node: unknown, field: string): number {
  return numberOf(node, field) ?? 0;
}

export const shapes = shapesOf({ '': top });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('top', top, argv, io);
}
