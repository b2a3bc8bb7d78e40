/** `rtp-cluster top`: the nodes as they are now, in a terminal, until somebody has seen enough. */

import { HEALTHS, isHealthy } from '../domain/state.ts';
import { PANIC_BELOW } from '../placement/choose.ts';
import { type Action, runAction, show } from './actions.ts';
import { UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_HELP } from './client.ts';
import { EXIT, type Io, systemIo, type Terminal } from './command.ts';
import { readDuration } from './duration.ts';
import { isObject, type JsonObject, listOf, numberOf, objectOf, textOf } from './json.ts';
import { pause } from './node-orders.ts';
import { nodeTable } from './node-table.ts';
import { printable } from './table.ts';

export const help = `Usage: rtp-cluster top [--interval TIME] [--wide]

Shows all nodes and refreshes them, sets that are in panic marked; q or Ctrl-C ends it. Without a terminal it
shows them once.

  --interval TIME    Time between two looks; default 2s
  --wide             All columns
${CLIENT_HELP}`;

const DEFAULT_INTERVAL = '2s';
const MAX_INTERVAL_MS = 3_600_000;
/** Another screen, without a cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** To the upper left corner; empty the rest of a line; empty the rest of the screen. */
const [HOME, REST, BELOW] = ['\u001b[H', '\u001b[K', '\u001b[J'];
/** q, Ctrl-C and Ctrl-D; a raw terminal makes no signals of them. */
const ENDING = ['q', 'Q', '\u0003', '\u0004'];
const STYLES = { bold: 1, red: 31, yellow: 33, cyan: 36 } as const;
type Style = keyof typeof STYLES;

/** A line of the screen. */
interface Line {
  readonly text: string;
  readonly style?: Style | undefined;
}

const top: Action = {
  words: [],
  flags: { interval: 'value', wide: 'switch' },
  async run(args, _words, api, io) {
    const interval = readDuration(args.one('interval') ?? DEFAULT_INTERVAL, '--interval', MAX_INTERVAL_MS);
    if (interval instanceof UsageError) return interval;
    const first = await api.call('GET', '/v1/nodes');
    if (first instanceof ApiError) return first;
    const { terminal } = io;
    if (terminal === undefined || args.has('json')) {
      return show(args, io, first, () => screen(first.json, null, args.has('wide')).map(({ text }) => text));
    }
    const isColoured = (io.env.NO_COLOR ?? '') === '' && io.env.TERM !== 'dumb';

    return watch(api, terminal, { interval, isWide: args.has('wide'), isColoured, first: first.json });
  },
};

interface Options {
  /** Time between two looks, ms. */
  readonly interval: number;
  readonly isWide: boolean;
  readonly isColoured: boolean;
  /** The first answer. */
  readonly first: unknown;
}

/** Draws until somebody ends it; whatever ends it, the terminal is left as it was. */
async function watch(api: Api, terminal: Terminal, options: Options): Promise<number> {
  const end = new AbortController();
  const stop = (): void => end.abort();
  // Several keys may come at once.
  const onKeys = (keys: Buffer): void => {
    if (ENDING.some((key) => keys.includes(key))) stop();
  };
  const leave = (): void => terminal.write(LEAVE);
  const { stdin } = process;
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, stop);
  process.once('exit', leave);
  if (stdin.isTTY) stdin.setRawMode(true).on('data', onKeys).resume();
  let lines: readonly Line[] = [];
  let trouble: Line[] = [];
  const paint = (): void => draw(terminal, [...trouble, ...lines], options.isColoured);
  process.stdout.on('resize', paint);
  terminal.write(ENTER);
  try {
    let before: Counted | null = null;
    let answer: unknown = options.first;
    for (;;) {
      if (answer instanceof ApiError) trouble = [{ text: printable(answer.message), style: 'red' }];
      else if (isObject(answer)) {
        trouble = [];
        const now = counted(answer);
        lines = screen(answer, rateOf(before, now), options.isWide);
        before = now;
      }
      paint();
      await pause(options.interval, end.signal);
      if (end.signal.aborted) return EXIT.ok;
      const reply = await Promise.race([api.call('GET', '/v1/nodes'), aborted(end.signal)]);
      if (reply === undefined) return EXIT.ok;
      answer = reply instanceof ApiError ? reply : reply.json;
    }
  } finally {
    process.stdout.off('resize', paint);
    if (stdin.isTTY) stdin.off('data', onKeys).setRawMode(false).pause();
    process.off('exit', leave);
    leave();
    for (const signal of signals) process.off(signal, stop);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(undefined), { once: true }));
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
export function screen(answer: unknown, callsPerS: number | null, isWide: boolean): Line[] {
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
  const [head = '', ...rows] = nodeTable(nodes, isWide);

  return [
    { text: summary.join('   '), style: up < nodes.length ? 'yellow' : undefined },
    ...panicLines(nodes),
    { text: '' },
    { text: head, style: 'bold' },
    ...rows.map((text, index) => ({ text, style: styleOf(nodes[index]) })),
  ];
}

/** Sets most of whose weight is gone, by the same rule as placement. Nodes that people took out do not count. */
function panicLines(nodes: readonly JsonObject[]): Line[] {
  const ready = nodes.filter((node) => textOf(objectOf(node, 'order'), 'state') === 'ready');

  return [...Map.groupBy(ready, (node) => textOf(node, 'set_id'))].flatMap(([set, members]): Line[] => {
    const all = members.reduce((sum, node) => sum + at(node, 'weight'), 0);
    const healthy = members.filter(isHealthyNode).reduce((sum, node) => sum + at(node, 'weight'), 0);
    if (healthy >= all * PANIC_BELOW) return [];
    const text = `set ${set} is in PANIC: ${healthy} of ${all} of its weight is healthy; bad nodes are tried too`;

    return [{ text: printable(text), style: 'red' }];
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

/** What needs somebody is red or yellow, what somebody wants so is cyan. */
function styleOf(node: unknown): Style | undefined {
  const health = healthOf(node);
  if (health === 'down') return 'red';
  if (textOf(objectOf(node, 'order'), 'state') !== 'ready') return 'cyan';

  return health === 'up' ? undefined : 'yellow';
}

/** Paints over what was there, so that nothing flickers; what does not fit is cut off, and said to be. */
function draw(terminal: Terminal, lines: readonly Line[], isColoured: boolean): void {
  const { columns, rows } = terminal;
  const shown = lines.length <= rows ? lines : lines.slice(0, rows - 1);
  const more: Line[] =
    shown === lines ? [] : [{ text: `... ${lines.length - shown.length} more lines`, style: 'yellow' }];
  const painted = [...shown, ...more].map(({ text, style }) => {
    const cut = text.slice(0, columns);

    return `${isColoured && style !== undefined ? `\u001b[${STYLES[style]}m${cut}\u001b[0m` : cut}${REST}`;
  });
  terminal.write(`${HOME}${painted.join('\r\n')}${BELOW}`);
}

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('top', top, argv, io);
}
