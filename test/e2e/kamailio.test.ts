/** docs/kamailio/kamailio.cfg as it stands, run by a real Kamailio between real SIPp endpoints. */

import { afterAll, beforeAll, describe, test } from 'bun:test';
import { join } from 'node:path';
import { endProcess, leashed, own, poll, temporaryFolder } from '../lab/processes.ts';
import { runCase, runTalk, runWithoutAppliance, runWithoutNodes, SIP_CASES } from '../lab/sip-calls.ts';
import { RELAYS, type RunningProxy, type ScriptValues, SipLab, whyNoRelays } from '../lab/sip-lab.ts';
import { answersSip } from '../lab/sipp.ts';

const CONFIG = join(import.meta.dir, '..', '..', 'docs', 'kamailio', 'kamailio.cfg');
const missing = ['kamailio', 'sipp'].filter((name) => Bun.which(name) === null);
const reason =
  missing.length > 0 && Bun.env.RTPC_REQUIRE_ALL !== '1' ? `not installed: ${missing.join(', ')}` : undefined;

async function startKamailio(values: ScriptValues): Promise<RunningProxy> {
  const { listen, insideNet, insideHop, outsideHop, url, token } = values;
  const defines = {
    SIP_LISTEN: `udp:${listen.address}:${listen.port}`,
    INSIDE_NET: insideNet,
    INSIDE_HOP: insideHop,
    OUTSIDE_HOP: outsideHop,
    RTPC_URL: url,
    RTPC_TOKEN: token,
  };
  const folder = temporaryFolder();
  // In the foreground and without an own session, so that the main process answers for its children.
  const child = own(
    Bun.spawn(
      leashed(
        [
          'kamailio',
          ...['-DD', '-E', '-f', CONFIG, '-Y', folder, '-w', folder, '-m', '32', '-M', '8'],
          ...Object.entries(defines).flatMap(([name, value]) => ['-A', `${name}=${value}`]),
        ],
        'SIGTERM',
      ),
      { stdin: 'ignore', stdout: 'pipe', stderr: 'pipe' },
    ),
    'SIGTERM',
  );
  let log = '';
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const chunk of stream) log = (log + Buffer.from(chunk).toString('latin1')).slice(-200_000);
  };
  collect(child.stdout).catch(() => undefined);
  collect(child.stderr).catch(() => undefined);
  let isEnded = false;
  child.exited.then(() => {
    isEnded = true;
  });
  await poll(
    async () => {
      if (isEnded) throw new Error(`Kamailio ended:\n${log}`);

      return (await answersSip(listen.address, listen.port)) ? true : undefined;
    },
    () => `Kamailio does not answer:\n${log}`,
    15_000,
  );

  return {
    log: () => log,
    async stop() {
      await endProcess(child);
    },
  };
}

for (const relays of RELAYS) {
  const why = reason ?? whyNoRelays(relays);
  if (why !== undefined) console.warn(`SKIP test/e2e/kamailio, ${relays.name}: ${why}`);
  describe.skipIf(why !== undefined)(`Kamailio with docs/kamailio/kamailio.cfg, ${relays.name}`, () => {
    let lab: SipLab;
    beforeAll(async () => {
      lab = await SipLab.start(relays, startKamailio);
    }, 60_000);
    afterAll(() => lab?.stop());

    for (const way of ['out', 'in'] as const) {
      for (const sipCase of SIP_CASES) {
        test(`${way}: ${sipCase.name}`, () => runCase(lab, way, sipCase), 30_000);
      }
      test(
        `${way}: the appliance is killed and replaced, re-INVITE of the callee, BYE${relays.isFake ? '' : '; they hear each other'}`,
        () => runTalk(lab, way),
        30_000,
      );
    }
    test('no node: 503', () => runWithoutNodes(lab), 30_000);
    test('no appliance: 503', () => runWithoutAppliance(lab), 30_000);
  });
}
