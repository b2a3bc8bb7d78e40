/** Relays that die in each of the ways relays die, and an appliance that is killed: what calls must not notice, and what they may. */

import { expect } from 'bun:test';
import { freeze, thaw } from '../lab/freeze.ts';
import type { Relay } from '../lab/netns.ts';
import type { LabCall } from '../lab/netns-call.ts';
import type { Answerer, NetnsLab, Way } from '../lab/netns-lab.ts';
import { CHANGING, STANDING } from '../lab/netns-scenarios.ts';
import type { Verdict } from '../lab/netns-verdicts.ts';
import { poll } from '../lab/processes.ts';
import { shuffled } from '../lab/random.ts';
import type { Sipp } from '../lab/sipp.ts';
import type { Step } from '../lab/sipp-scenario.ts';

const WAYS: readonly Way[] = ['out', 'in'];
/** Calls each way that stand before something happens; and those that come at that moment, and after it was found out. */
const OLD = 4;
const NEW = 3;

export interface World {
  readonly lab: NetnsLab;
  readonly conclude: (name: string, calls: readonly LabCall[]) => Promise<Verdict>;
}

/** Answerers on both sides, and calls to them. */
export interface Stage {
  /** Places so many calls each way; they stand when this returns. */
  dial(steps: readonly Step[], calls: number): Promise<readonly LabCall[]>;
  /** Lets all calls end, each waiting for its last signal, and waits for that. */
  end(calls: readonly LabCall[]): Promise<void>;
}

/** @param total how many calls there will be, each way */
export async function stand(
  lab: NetnsLab,
  name: string,
  { callee }: { readonly callee: readonly Step[] },
  total: number,
): Promise<Stage> {
  const answerers = new Map<Way, Answerer>();
  for (const way of WAYS) answerers.set(way, await lab.answer(way, `${name}-${way}`, callee, total));
  const sipps = new Set<Sipp>([...answerers.values()].map(({ sipp }) => sipp));
  let batch = 0;

  return {
    async dial(steps, calls) {
      batch++;
      const placed = await Promise.all(
        [...answerers].map(([way, answerer]) =>
          lab.dial(way, `${name}-${way}-${batch}`, steps, answerer, { calls, perSecond: 100 }),
        ),
      );
      for (const { sipp } of placed) sipps.add(sipp);
      const all = placed.flatMap((one) => one.calls);
      for (const call of all) {
        await call.caller.passed('SIP/2.0 200');
        await call.callee.passed('ACK');
      }

      return all;
    },
    async end(calls) {
      await Promise.all(calls.map((call) => call.caller.signal()));
      await lab.finish(...sipps);
    },
  };
}

/** One way in which a relay fails, and what becomes of its calls. */
export interface Fault {
  readonly name: string;
  readonly happen: (lab: NetnsLab, relay: Relay) => Promise<void>;
  /** Undefined if it is there again already. */
  readonly heal?: (lab: NetnsLab, relay: Relay) => Promise<void>;
  /** Whether it knows its calls no more. Their next re-INVITE begins them anew, on any relay. */
  readonly isFatal: boolean;
}

export const FAULTS: readonly Fault[] = [
  {
    name: 'relay killed',
    happen: (lab, relay) => lab.relay(relay).stop(),
    heal: (lab, relay) => lab.startRelay(relay),
    isFatal: true,
  },
  {
    name: 'relay hung',
    happen: (lab, relay) => freeze(lab.relay(relay).pid),
    heal: async (lab, relay) => thaw(lab.relay(relay).pid),
    isFatal: false,
  },
  {
    name: 'relay cut off',
    happen: async (lab, relay) => lab.net.cut(relay),
    heal: async (lab, relay) => lab.net.mend(relay),
    isFatal: false,
  },
  {
    name: 'relay restarted',
    async happen(lab, relay) {
      await lab.relay(relay).stop();
      await lab.startRelay(relay);
    },
    isFatal: true,
  },
];

/** The relay of one of the calls, its calls, and the others. */
function pick(calls: readonly LabCall[]): {
  readonly victim: Relay;
  readonly hit: readonly LabCall[];
  readonly spared: readonly LabCall[];
} {
  const victim = calls[0]?.relay;
  if (victim === undefined) throw new Error('the first call has no relay');
  const hit = calls.filter(({ relay }) => relay === victim);
  const spared = calls.filter(({ relay }) => relay !== victim);
  expect(spared.length).toBeGreaterThan(0);

  return { victim, hit, spared };
}

const talkAll = (calls: readonly LabCall[]) => Promise.all(calls.map((call) => call.talk()));

/** Lets calls send their next re-INVITE, one after the other; each must end with one of these. */
async function reinvite(
  calls: readonly LabCall[],
  count: number,
  ...allowed: readonly (200 | 503)[]
): Promise<void> {
  for (const { caller } of calls) {
    await caller.signal();
    await caller.passed('ACK', count + 1);
    const { start = '' } = caller.messages.findLast(({ isReceived }) => isReceived) ?? {};
    expect(allowed).toContain(Number(start.split(' ')[1]) as 200);
  }
}

/**
 * Calls stand when it happens; others come at that very moment, and when it was found out. Living relays must not notice, and new
 * calls must find one. The calls of the relay itself may be refused a change until it is back.
 */
export async function relayFails({ lab, conclude }: World, fault: Fault): Promise<void> {
  const stage = await stand(lab, 'fault', CHANGING, OLD + 2 * NEW);
  const old = await stage.dial(CHANGING.caller, OLD);
  await talkAll(old);
  const { victim, hit, spared } = pick(old);
  const isAway = fault.heal !== undefined;
  const fresh: LabCall[] = [];
  await fault.happen(lab, victim);
  try {
    const [atOnce] = await Promise.all([stage.dial(STANDING.caller, NEW), talkAll(spared)]);
    await talkAll(atOnce);
    if (isAway) await lab.health(victim, false);
    const later = await stage.dial(STANDING.caller, NEW);
    await talkAll(later);
    fresh.push(...atOnce, ...later);
    if (isAway) for (const { relay } of fresh) expect(relay).not.toBe(victim);
    await reinvite(spared, 1, 200);
    if (fault.isFatal) for (const call of hit) call.moves();
    // A relay that is back at once begins the call anew, until its restart was found out.
    await reinvite(hit, 1, 503, ...(isAway ? [] : [200 as const]));
  } finally {
    await fault.heal?.(lab, victim);
  }
  await lab.health(victim, true);
  await reinvite(spared, 2, 200);
  if (fault.isFatal) for (const call of hit) call.moves();
  await reinvite(hit, 2, 200);
  await talkAll(old);
  await stage.end([...old, ...fresh]);
  await conclude(fault.name, [...old, ...fresh]);
}

/** Old calls stay and may change; new ones go elsewhere; then it is empty. */
export async function drained({ lab, conclude }: World): Promise<void> {
  const stage = await stand(lab, 'drain', CHANGING, OLD + NEW);
  const old = await stage.dial(CHANGING.caller, OLD);
  const { victim, hit } = pick(old);
  await lab.order(victim, 'drain');
  try {
    const fresh = await stage.dial(STANDING.caller, NEW);
    for (const { relay } of fresh) expect(relay).not.toBe(victim);
    await reinvite(shuffled(old), 1, 200);
    await talkAll([...old, ...fresh]);
    await reinvite(shuffled(old), 2, 200);
    expect(await lab.drainOf(victim)).toMatchObject({ calls_left: hit.length, is_drained: false });
    await stage.end([...old, ...fresh]);
    await conclude('relay drained', [...old, ...fresh]);
    await poll(
      async () => ((await lab.drainOf(victim))?.is_drained === true ? true : undefined),
      () => `${victim} does not become empty`,
    );
  } finally {
    await lab.order(victim, 'ready');
  }
}

/** The media do not notice; calls stay where they are, in whatever order they come back. Shuffled: in the old order chance might do. */
export async function applianceDies({ lab, conclude }: World): Promise<void> {
  const stage = await stand(lab, 'restart', CHANGING, 2 * OLD + NEW);
  const calls = await stage.dial(CHANGING.caller, 2 * OLD);
  await talkAll(calls);
  await lab.appliance.kill();
  await talkAll(calls);
  await lab.startAppliance();
  await reinvite(shuffled(calls), 1, 200);
  await talkAll(calls);
  await lab.appliance.kill();
  await lab.startAppliance();
  const fresh = await stage.dial(STANDING.caller, NEW);
  await reinvite(shuffled(calls), 2, 200);
  await talkAll(fresh);
  await stage.end([...calls, ...fresh]);
  await conclude('appliance killed and restarted', [...calls, ...fresh]);
}
