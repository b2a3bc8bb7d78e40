/** Calls by the relays' own protocol, with our own drivers: straight to relays, or to whoever stands for one. */

import { type RelayDriver, RelayFailure } from '../../src/relay/driver.ts';
import type { LoadResult } from './load.ts';

/** Longest time for one command, ms. */
const ASK_MS = 900;
/** Calls that may be under way; those due beyond it are left out. */
const MAX_RUNNING = 64;

export interface Sdps {
  readonly offer: string;
  readonly answer: string;
}

/** One call after the other, on the drivers in turn, with the time of each command. */
class Caller {
  readonly times: number[] = [];
  calls = 0;
  failed = 0;
  #next = 0;
  readonly #drivers: readonly RelayDriver[];
  readonly #sdps: Sdps;
  readonly #prefix = crypto.randomUUID();

  constructor(drivers: readonly RelayDriver[], sdps: Sdps) {
    this.#drivers = drivers;
    this.#sdps = sdps;
  }

  async place(): Promise<void> {
    const driver = this.#drivers[this.#next % this.#drivers.length] as RelayDriver;
    if (await this.#call(driver, `${this.#prefix}-${this.#next++}`)) this.calls++;
    else this.failed++;
  }

  async #timed<T>(work: (deadline: number) => Promise<T>): Promise<T> {
    const at = performance.now();
    const result = await work(at + ASK_MS);
    this.times.push(performance.now() - at);

    return result;
  }

  async #call(driver: RelayDriver, callId: string): Promise<boolean> {
    // Sides for those who know them; a relay without such interfaces takes its first one.
    const sides = ['inner', 'outer'] as const;
    const common = { callId, fromTag: 'A', family: 'IP4', extra: {}, interfaces: sides } as const;
    const offer = { ...common, sdp: this.#sdps.offer, address: '1.2.3.4', isNew: true };
    const offered = await this.#timed((deadline) => driver.offer(offer, deadline));
    const memo = offered instanceof RelayFailure ? null : offered.memo;
    const answer = {
      ...common,
      memo,
      toTag: 'B',
      sdp: this.#sdps.answer,
      address: '192.168.2.3',
      isNew: false,
    };
    const answered = await this.#timed((deadline) => driver.answer(answer, deadline));
    const call = { callId, tags: ['A', 'B'], memo: answered instanceof RelayFailure ? memo : answered.memo };
    const deleted = await this.#timed((deadline) => driver.delete(call, deadline));

    return ![offered, answered, deleted].some((reply) => reply instanceof RelayFailure);
  }
}

/** As many calls as `inFlight` callers manage, one after the other each, on the drivers in turn. */
export async function direct(
  drivers: readonly RelayDriver[],
  sdps: Sdps,
  inFlight: number,
  seconds: number,
): Promise<LoadResult> {
  const caller = new Caller(drivers, sdps);
  const begin = performance.now();
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < begin + seconds * 1000) await caller.place();
    }),
  );

  return resultOf(caller, 0, begin);
}

/** Calls begun at a fixed rate, whatever the answers take. */
export async function directAtRate(
  drivers: readonly RelayDriver[],
  sdps: Sdps,
  rate: number,
  seconds: number,
): Promise<LoadResult> {
  const caller = new Caller(drivers, sdps);
  const running = new Set<Promise<void>>();
  let leftOut = 0;
  const begin = performance.now();
  const total = rate * seconds;
  for (let begun = 0; begun < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * rate) + 1);
    for (; begun < due; begun++) {
      if (running.size >= MAX_RUNNING) {
        leftOut++;
        continue;
      }
      const call = caller.place();
      running.add(call);
      call.then(() => running.delete(call));
    }
    await Bun.sleep(1);
  }
  await Promise.all(running);

  return resultOf(caller, leftOut, begin);
}

function resultOf({ calls, failed, times }: Caller, leftOut: number, begin: number): LoadResult {
  const seconds = (performance.now() - begin) / 1000;

  return { calls, failed, leftOut, seconds, times: times.sort((a, b) => a - b) };
}
