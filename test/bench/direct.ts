/** Calls straight to relays, by our own drivers. */

import { type RelayDriver, RelayFailure } from '../../src/relay/driver.ts';
import type { LoadResult } from './load.ts';

/** Longest time for one command, ms. */
const ASK_MS = 900;

/** As many calls as `inFlight` callers manage, one after the other each, on the drivers in turn. */
export async function direct(
  drivers: readonly RelayDriver[],
  sdp: { readonly offer: string; readonly answer: string },
  inFlight: number,
  seconds: number,
): Promise<LoadResult> {
  const times: number[] = [];
  let [calls, failed, next] = [0, 0, 0];
  const prefix = crypto.randomUUID();
  const begin = performance.now();
  const timed = async <T>(work: (deadline: number) => Promise<T>): Promise<T> => {
    const at = performance.now();
    const result = await work(at + ASK_MS);
    times.push(performance.now() - at);

    return result;
  };
  const placeCall = async (driver: RelayDriver, callId: string): Promise<boolean> => {
    const common = { callId, fromTag: 'A', family: 'IP4', extra: {} } as const;
    const offer = { ...common, sdp: sdp.offer, address: '1.2.3.4', isNew: true };
    const offered = await timed((deadline) => driver.offer(offer, deadline));
    const memo = offered instanceof RelayFailure ? null : offered.memo;
    const answer = { ...common, memo, toTag: 'B', sdp: sdp.answer, address: '192.168.2.3', isNew: false };
    const answered = await timed((deadline) => driver.answer(answer, deadline));
    const call = { callId, tags: ['A', 'B'], memo: answered instanceof RelayFailure ? memo : answered.memo };
    const deleted = await timed((deadline) => driver.delete(call, deadline));

    return ![offered, answered, deleted].some((reply) => reply instanceof RelayFailure);
  };
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      while (performance.now() < begin + seconds * 1000) {
        const driver = drivers[next % drivers.length] as RelayDriver;
        if (await placeCall(driver, `${prefix}-${next++}`)) calls++;
        else failed++;
      }
    }),
  );

  return {
    calls,
    failed,
    leftOut: 0,
    seconds: (performance.now() - begin) / 1000,
    times: times.sort((a, b) => a - b),
  };
}
