/** What a SIP proxy with a script of ours must do, whatever the proxy and the relays behind it. */

import { afterAll, beforeAll, describe, test } from 'bun:test';
import { runCase, runTalk, runWithoutAppliance, runWithoutNodes, SIP_CASES } from '../lab/sip-calls.ts';
import { type Door, type RunningProxy, type ScriptValues, SipLab } from '../lab/sip-lab.ts';
import { ALONE, RELAYS, whyNoRelays } from '../lab/sip-relays.ts';

/**
 * @param file the test file, for the line that says why something is skipped
 * @param door how the script asks the appliance
 * @param start starts the proxy
 * @param reason why it cannot; undefined if it can
 */
export function describeSip(
  name: string,
  file: string,
  door: Door,
  start: (values: ScriptValues) => Promise<RunningProxy>,
  reason: string | undefined,
): void {
  for (const relays of door === 'rtpengine' ? [ALONE] : RELAYS) {
    const why = reason ?? whyNoRelays(relays);
    if (why !== undefined) console.warn(`SKIP ${file}, ${relays.name}: ${why}`);
    describe.skipIf(why !== undefined)(`${name}, ${relays.name}`, () => {
      let lab: SipLab;
      beforeAll(async () => {
        lab = await SipLab.start(relays, door, start);
      }, 60_000);
      afterAll(() => lab?.stop());

      for (const way of ['out', 'in'] as const) {
        for (const sipCase of SIP_CASES) {
          test(`${way}: ${sipCase.name}`, () => runCase(lab, way, sipCase), 30_000);
        }
        const replaced = door === 'rtpengine' ? '' : 'the appliance is killed and replaced, ';
        test(
          `${way}: ${replaced}re-INVITE of the callee, BYE${relays.isFake ? '' : '; they hear each other'}`,
          () => runTalk(lab, way),
          30_000,
        );
      }
      if (door === 'rtpengine') return;
      test('no node: 503', () => runWithoutNodes(lab), 30_000);
      test('no appliance: 503', () => runWithoutAppliance(lab), 30_000);
    });
  }
}
