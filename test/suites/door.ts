/** What a door of the appliance must do for real calls, in an internet where a wrong address means silence. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'bun:test';
import { RELAYS } from '../lab/netns.ts';
import type { LabCall } from '../lab/netns-call.ts';
import { type ClusterDoor, NetnsLab, type Way, whyNoNetnsLab } from '../lab/netns-lab.ts';
import { type NetnsScenario, SCENARIOS, STANDING } from '../lab/netns-scenarios.ts';
import { isGood, type Verdict, verdictOf, verdictTable } from '../lab/netns-verdicts.ts';
import { applianceDies, drained, FAULTS, relayFails, stand, type World } from './door-faults.ts';

const TIMEOUT_MS = 60_000;
const MANY = 100;

export function describeDoor(door: ClusterDoor): void {
  const reason = whyNoNetnsLab();
  const isSkipped = reason !== undefined && Bun.env.RTPC_REQUIRE_ALL !== '1';
  if (isSkipped) console.warn(`SKIP test/netns, door ${door}: ${reason}`);
  describe.skipIf(isSkipped)(`door ${door}`, () => {
    let lab: NetnsLab;
    const verdicts: Verdict[] = [];
    beforeAll(async () => {
      if (reason !== undefined) throw new Error(reason);
      lab = await NetnsLab.start(door);
    }, TIMEOUT_MS);
    afterEach(() => lab?.clear());
    afterAll(async () => {
      await lab?.stop();
      if (verdicts.length > 0) console.log(`\ndoor ${door}\n${verdictTable(verdicts)}\n`);
    }, TIMEOUT_MS);

    /** Judges calls that are over, and writes it down. */
    async function conclude(name: string, calls: readonly LabCall[]): Promise<Verdict> {
      const verdict = verdictOf(name, calls, await lab.leftovers());
      for (const call of calls) call.close();
      verdicts.push(verdict);
      expect(verdict.complaints).toEqual([]);
      expect(isGood(verdict)).toBe(true);

      return verdict;
    }

    function scene(name: string, run: () => Promise<void>): void {
      test(
        name,
        async () => {
          try {
            await run();
          } catch (error) {
            // What did not come to its end is in the table too.
            if (verdicts.at(-1)?.scenario !== name) verdicts.push(verdictOf(name, [], 0));
            console.error(`${name}: what proxies and appliance said last\n${lab.logs}`);
            throw error;
          }
        },
        TIMEOUT_MS,
      );
    }

    async function replaceNodes(isSwapped: boolean): Promise<void> {
      for (const relay of RELAYS) await lab.removeNode(relay);
      for (const relay of RELAYS) await lab.addNode(relay, isSwapped);
    }

    async function place(way: Way, { name, caller, callee, loser, play }: NetnsScenario): Promise<LabCall> {
      const word = `${name.replace(/\W+/g, '-')}-${way}`;
      const answerer = await lab.answer(way, word, callee);
      const other = loser === undefined ? undefined : await lab.answer(way, `${word}-loser`, loser, 1, 1);
      const { sipp, calls } = await lab.dial(way, word, caller, answerer, { loser: other });
      const [call] = calls;
      if (call === undefined) throw new Error('no call');
      await play(call);
      await lab.finish(sipp, answerer.sipp, ...(other === undefined ? [] : [other.sipp]));

      return call;
    }

    for (const scenario of SCENARIOS) {
      const { name, ways = ['out', 'in'] } = scenario;
      scene(name, async () => {
        await conclude(name, await Promise.all(ways.map((way) => place(way, scenario))));
      });
    }

    scene(`${MANY} calls at once`, async () => {
      const stage = await stand(lab, 'many', STANDING, MANY / 2);
      const calls = await stage.dial(STANDING.caller, MANY / 2);
      await Promise.all(calls.map((call) => call.talk()));
      expect((await lab.callsOn()).length).toBe(MANY);
      await stage.end(calls);
      const { relays } = await conclude(`${MANY} calls at once`, calls);
      expect([...relays].sort()).toEqual([...RELAYS]);
    });

    const world = (): World => ({ lab, conclude });
    for (const fault of FAULTS) scene(fault.name, () => relayFails(world(), fault));
    scene('relay drained', () => drained(world()));
    scene('appliance killed and restarted', () => applianceDies(world()));

    scene('the test can fail: with the addresses of both sides swapped, nobody hears anybody', async () => {
      await replaceNodes(true);
      try {
        const stage = await stand(lab, 'swapped', STANDING, 1);
        const calls = await stage.dial(STANDING.caller, 1);
        await Promise.all(calls.map((call) => call.talk()));
        await stage.end(calls);
        const verdict = verdictOf('swapped', calls, await lab.leftovers());
        for (const call of calls) call.close();
        expect(verdict).toMatchObject({ calls: 2, talked: 2, heard: 0, rightAddress: 0, leftover: 0 });
        expect(isGood(verdict)).toBe(false);
      } finally {
        await replaceNodes(false);
      }
    });
  });
}
