/**
 * Runs the operator's program when a drain has come to its end. It never holds up anything: it runs by itself, for a
 * bounded time, and what it writes goes into our log.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import type { Node } from '../domain/node.ts';
import type { Store } from '../store/store.ts';
import { after, type Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';

/** How long it may run, ms; then it is killed with all it started. */
const MAX_RUN_MS = 60_000;
/** Programs that run at a time, and those that wait; further ones are not run, which is an event. */
const MAX_RUNNING = 4;
const MAX_WAITING = 1000;
/** Bytes of its output that are logged; the rest is thrown away. */
const MAX_OUTPUT = 4096;
/** How long output may still come after its end, ms: what it left running may hold the pipe. */
const OUTPUT_MS = 200;
/** What it gets of our environment. */
const INHERITED = ['PATH', 'HOME', 'LANG'] as const;

/** How the drain of a node ended. */
export interface DrainEnd {
  readonly event: 'drained' | 'deadline';
  readonly node: Pick<Node, 'id' | 'socket' | 'setId'>;
  /** Calls it still has. */
  readonly calls: number;
  readonly by: string;
  readonly reason: string;
}

export class DrainHook {
  /** Programs that were run, and those that failed or could not be. */
  readonly counters = { runs: 0, failed: 0 };
  #path = '';
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #running = new Set<ChildProcess>();
  readonly #waiting: DrainEnd[] = [];

  /** @param path of the program, '' for none */
  constructor(path: string, store: Store, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
    this.replace(path);
  }

  /**
   * From now on this program is run, for those that wait too; what runs goes on.
   * @param path of the program, '' for none
   */
  replace(path: string): void {
    this.#path = path;
    if (path === '') {
      this.#waiting.length = 0;

      return;
    }
    try {
      accessSync(path, constants.X_OK);
    } catch (error) {
      // No reason not to start: calls need no hook, and it may come with the next roll-out.
      log.warning('drain_hook.unusable', { path, error: messageOf(error) });
    }
  }

  /** Programs that are to be run, those that run included. */
  get pending(): number {
    return this.#running.size + this.#waiting.length;
  }

  run(end: DrainEnd): void {
    if (this.#path === '') return;
    if (this.#waiting.length >= MAX_WAITING) this.#failed(end, { reason: 'too many hooks wait' });
    else this.#waiting.push(end);
    this.#next();
  }

  /** Kills what runs and forgets what waits. */
  stop(): void {
    this.#waiting.length = 0;
    for (const child of this.#running) kill(child);
  }

  #next(): void {
    while (this.#running.size < MAX_RUNNING) {
      const end = this.#waiting.shift();
      if (end === undefined) return;
      void this.#start(end);
    }
  }

  async #start(end: DrainEnd): Promise<void> {
    this.counters.runs++;
    // A group of its own, so that its children can be ended with it.
    const child = spawn(this.#path, [], {
      env: environment(end),
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#running.add(child);
    const output = collect(child);
    const ended = Promise.withResolvers<{ exit: number | null; signal: string | null } | Error>();
    child.once('error', (error) => ended.resolve(error));
    child.once('exit', (exit, signal) => ended.resolve({ exit, signal }));
    const stopTimer = this.#clock.every(MAX_RUN_MS, () => kill(child));
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    const result = await ended.promise;
    stopTimer();
    if (!(result instanceof Error)) await Promise.race([closed, after(this.#clock, OUTPUT_MS)]);
    child.stdout?.destroy();
    child.stderr?.destroy();
    this.#running.delete(child);
    const { text, isCut } = output();
    if (text !== '') log.info('drain_hook.output', { node: end.node.id, text, cut: isCut });
    if (result instanceof Error) this.#failed(end, { reason: messageOf(result) });
    else if (result.exit === null) this.#failed(end, { reason: `killed by ${result.signal}` });
    else if (result.exit !== 0) this.#failed(end, { exit: result.exit });
    this.#next();
  }

  #failed({ event, node }: DrainEnd, why: { readonly exit: number } | { readonly reason: string }): void {
    this.counters.failed++;
    log.warning('drain_hook.failed', { node: node.id, path: this.#path, event, ...why });
    this.#store.event('node.hook_failed', { nodeId: node.id, event, ...why });
  }
}

function environment({ event, node, calls, by, reason }: DrainEnd): Record<string, string> {
  const inherited = INHERITED.flatMap((name) => {
    const value = process.env[name];

    return value === undefined ? [] : [[name, value] as const];
  });

  return {
    ...Object.fromEntries(inherited),
    RTP_CLUSTER_EVENT: event,
    RTP_CLUSTER_NODE_ID: String(node.id),
    RTP_CLUSTER_NODE_SOCKET: node.socket,
    RTP_CLUSTER_NODE_SET: String(node.setId),
    RTP_CLUSTER_NODE_CALLS: String(calls),
    RTP_CLUSTER_REASON: reason.replaceAll('\0', ''),
    RTP_CLUSTER_BY: by.replaceAll('\0', ''),
  };
}

/** Reads all a child writes and keeps the beginning. */
function collect({ stdout, stderr }: ChildProcess): () => { text: string; isCut: boolean } {
  const chunks: Buffer[] = [];
  let size = 0;
  const take = (chunk: Buffer): void => {
    if (size < MAX_OUTPUT) chunks.push(chunk.subarray(0, MAX_OUTPUT - size));
    size += chunk.length;
  };
  stdout?.on('data', take);
  stderr?.on('data', take);

  return () => ({ text: Buffer.concat(chunks).toString('utf8').trimEnd(), isCut: size > MAX_OUTPUT });
}

/** Ends a child and its group. */
function kill({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch {
    // Gone already.
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
