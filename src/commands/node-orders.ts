/** `rtp-cluster node drain`, `maint` and `ready`: orders to a node, and waiting until it is empty. */

import { hostname } from 'node:os';
import { MAX_ID } from '../domain/node-limits.ts';
import { type Action, show } from './actions.ts';
import { type Args, readInteger, UsageError } from './args.ts';
import { type Api, ApiError, type Reply } from './client.ts';
import { EXIT, type Io } from './command.ts';
import { readDuration } from './duration.ts';
import { numberOf, objectOf, textOf, timeOf } from './json.ts';
import { drainText } from './node-lines.ts';
import { Progress } from './progress.ts';
import { printable } from './style.ts';
import { interruptible, pause } from './waiting.ts';

export const ORDERS_HELP = `  --reason TEXT      Why, for other people; wanted by drain and maint
  --deadline TIME    After so long a drain becomes maint; calls that are left go on. 90s, 30m, 2h, 1d
  --tell-relay       Tell the relay itself, an rtpengine, to take no new calls, also not from other
                     controllers; "node ready" gives it back the limit it had
  --wait             Wait until the node is empty: exit code 0; or until its deadline is over with calls
                     left: exit code 1. Ctrl-C ends the waiting, not the order: exit code 130
  --until WHEN       When a maintenance should be over: 2h from now, or a time such as
                     2026-11-23T12:00:00Z; nothing happens then but an event`;

const MAX_TIME_MS = 365 * 86_400_000;
/** How often the service is asked while we wait, ms, and which share of the answers is shown where there is no terminal. */
const POLL_MS = 1000;
const POLLS_A_LINE = 10;

const drain: Action = {
  words: ['ID'],
  flags: { reason: 'value', deadline: 'value', 'tell-relay': 'switch', wait: 'switch' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reason = readReason(args);
    if (reason instanceof UsageError) return reason;
    const deadline = args.one('deadline');
    const ms = deadline === undefined ? undefined : readDuration(deadline, '--deadline', MAX_TIME_MS);
    if (ms instanceof UsageError) return ms;
    const reply = await api.call('POST', `/v1/nodes/${id}/drain`, {
      reason,
      by: whoAsks(io),
      ...(ms === undefined ? {} : { deadline_s: ms / 1000 }),
      ...(args.has('tell-relay') ? { tell_relay: true } : {}),
    });
    if (reply instanceof ApiError) return reply;
    if (!args.has('wait')) return told(args, io, reply, `node ${id} is draining: ${drainText(reply.json)}`);
    warn(io, reply);
    const outcome = await interruptible((signal) =>
      waitUntilEmpty(id, api, args.has('json') ? quiet(io) : io, {
        signal,
        pause: () => pause(POLL_MS, signal),
      }),
    );
    if (outcome instanceof ApiError) return outcome;
    if (args.has('json') && outcome.reply !== undefined) io.out(outcome.reply.text);

    return outcome.code;
  },
};

const maint: Action = {
  words: ['ID'],
  flags: { reason: 'value', until: 'value' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reason = readReason(args);
    if (reason instanceof UsageError) return reason;
    const until = readUntil(args.one('until'));
    if (until instanceof UsageError) return until;
    const reply = await api.call('POST', `/v1/nodes/${id}/maint`, {
      reason,
      by: whoAsks(io),
      ...(until === undefined ? {} : { until }),
    });
    if (reply instanceof ApiError) return reply;
    const calls = numberOf(reply.json, 'calls') ?? 0;

    return told(
      args,
      io,
      reply,
      `node ${id} is in maintenance${calls === 0 ? '' : `; ${callsText(calls)} left`}`,
    );
  },
};

const ready: Action = {
  words: ['ID'],
  flags: { reason: 'value' },
  async run(args, [text], api, io) {
    const id = readId(text);
    if (id instanceof UsageError) return id;
    const reply = await api.call('POST', `/v1/nodes/${id}/ready`, {
      reason: args.one('reason') ?? '',
      by: whoAsks(io),
    });
    if (reply instanceof ApiError) return reply;
    const health = textOf(objectOf(reply.json, 'health'), 'state');
    const but = health === 'up' ? '' : `, but ${health}`;

    return told(args, io, reply, `node ${id} is ready${but}`);
  },
};

/** Actions of `rtp-cluster node` that are orders. */
export const orderActions = { drain, maint, ready } as const;

function readId(text = ''): number | UsageError {
  return readInteger(text, 'the node id', 0, MAX_ID);
}

/** Other people will ask. */
function readReason(args: Args): string | UsageError {
  const reason = args.one('reason')?.trim();

  return reason || new UsageError('--reason is missing; say why, as in --reason "new kernel"');
}

/** UTC ms. */
function readUntil(text: string | undefined): number | undefined | UsageError {
  if (text === undefined) return undefined;
  const time = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  const ms = readDuration(text, '--until', MAX_TIME_MS);
  if (typeof ms === 'number') return Date.now() + ms;

  return new UsageError(`${ms.message}, or a time such as 2026-11-23T12:00:00Z`);
}

/** `root@edge1`; with sudo the one who called it. */
function whoAsks({ env }: Io): string {
  return `${env.SUDO_USER || env.USER || env.LOGNAME || `uid${process.getuid?.() ?? ''}`}@${hostname()}`;
}

function told(args: Args, io: Io, reply: Reply, line: string): number {
  warn(io, reply);

  return show(args, io, reply, () => [line]);
}

function warn(io: Io, reply: Reply): void {
  const warning = textOf(reply.json, 'warning');
  if (warning !== '') io.err(`rtp-cluster: ${printable(warning)}`);
}

function callsText(calls: number): string {
  return `${calls} ${calls === 1 ? 'call is' : 'calls are'}`;
}

/** With `--json` only the last answer is shown. */
function quiet(io: Io): Io {
  return { ...io, out: () => undefined };
}

export interface Waiting {
  /** Ends the waiting. */
  readonly signal: AbortSignal;
  /** The time between two looks. */
  pause(): Promise<void>;
}

/** Shows how a drain goes until it is over, one way or the other. A service that is away for a while may come back. */
export async function waitUntilEmpty(
  id: number,
  api: Pick<Api, 'call'>,
  io: Io,
  { signal, pause }: Waiting,
): Promise<{ readonly code: number; readonly reply?: Reply } | ApiError> {
  const progress = new Progress(io);
  // Where nobody sees one line that changes, a line now and then.
  const tell = (polls: number, line: string): void => {
    if (progress.isSeen) progress.show(line);
    else if (polls % POLLS_A_LINE === 0) io.out(printable(line));
  };
  const end = (line: string): void => {
    progress.end();
    io.out(printable(line));
  };
  for (let polls = 0; ; polls++) {
    const reply = await api.call('GET', `/v1/nodes/${id}`);
    if (signal.aborted) {
      end(`the order stands, node ${id} goes on draining; "rtp-cluster node ready ${id}" takes it back`);

      return { code: EXIT.interrupted };
    }
    if (reply instanceof ApiError) {
      if (!reply.isUnreachable) {
        progress.end();

        return reply;
      }
      tell(polls, 'the service does not answer, trying again');
    } else {
      const over = outcomeOf(id, reply.json);
      if (over !== undefined) {
        end(over.line);

        return { code: over.isEmpty ? EXIT.ok : EXIT.failed, reply };
      }
      tell(polls, `node ${id}: ${drainText(reply.json)}${deadlineText(reply.json)}`);
    }
    await pause();
  }
}

/** How it ended; undefined while it has not. */
function outcomeOf(id: number, node: unknown): { isEmpty: boolean; line: string } | undefined {
  const order = objectOf(node, 'order');
  const [state, by] = [textOf(order, 'state'), textOf(order, 'by')];
  const calls = numberOf(node, 'calls') ?? 0;
  if (state === 'drain') {
    return objectOf(node, 'drain')?.is_drained === true
      ? { isEmpty: true, line: `node ${id} is empty` }
      : undefined;
  }
  if (state === 'maint' && calls === 0)
    return { isEmpty: true, line: `node ${id} is empty and in maintenance` };
  const left = `${callsText(calls)} left`;
  if (state === 'maint' && by === 'deadline')
    return { isEmpty: false, line: `the deadline is over; node ${id} is in maintenance and ${left}` };

  return { isEmpty: false, line: `node ${id} is not draining any more: ${state} by ${by}; ${left}` };
}

function deadlineText(node: unknown): string {
  const until = timeOf(objectOf(node, 'order'), 'until');

  return until === '' ? '' : `, until ${until}`;
}
