/** docs/kamailio/kamailio.cfg as it stands, run by a real Kamailio between real SIPp endpoints. */

import { join } from 'node:path';
import { endProcess, leashed, own, poll, temporaryFolder } from '../lab/processes.ts';
import type { RunningProxy, ScriptValues } from '../lab/sip-lab.ts';
import { answersSip } from '../lab/sipp.ts';
import { describeSip } from '../suites/sip.ts';

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

describeSip('Kamailio with docs/kamailio/kamailio.cfg', 'test/e2e/kamailio', startKamailio, reason);
