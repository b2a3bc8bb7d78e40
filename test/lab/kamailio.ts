/** Starts a real Kamailio with one of the scripts of the documents. */

import { join } from 'node:path';
import type { Place } from './netns.ts';
import { endProcess, inNamespace, leashed, own, poll, temporaryFolder } from './processes.ts';
import type { RunningProxy, ScriptValues } from './sip-lab.ts';
import { answersSip } from './sipp.ts';

const FOLDER = join(import.meta.dir, '..', '..', 'docs', 'kamailio');

/** Why there can be no calls by Kamailio, or undefined. */
export function whyNoKamailio(): string | undefined {
  const missing = ['kamailio', 'sipp'].filter((name) => Bun.which(name) === null);

  return missing.length > 0 && Bun.env.RTPC_REQUIRE_ALL !== '1'
    ? `not installed: ${missing.join(', ')}`
    : undefined;
}

/**
 * Starts a script of docs/kamailio as it stands, and waits until it answers.
 * @param place where it runs; in the network of this process by default
 * @param more further values
 */
export async function startKamailio(
  script: string,
  values: ScriptValues,
  place?: Place,
  more: Readonly<Record<string, string>> = {},
): Promise<RunningProxy> {
  const { listen, insideNet, insideHop, outsideHop, url, token, ngSocket } = values;
  const defines = {
    SIP_LISTEN: `udp:${listen.address}:${listen.port}`,
    INSIDE_NET: insideNet,
    INSIDE_HOP: insideHop,
    OUTSIDE_HOP: outsideHop,
    RTPC_URL: url,
    RTPC_TOKEN: token,
    NG_SOCK: ngSocket,
    ...more,
  };
  const folder = temporaryFolder();
  // In the foreground and without an own session, so that the main process answers for its children.
  const child = own(
    Bun.spawn(
      leashed(
        inNamespace(place?.namespace, [
          'kamailio',
          ...['-DD', '-E', '-f', join(FOLDER, script), '-Y', folder, '-w', folder, '-m', '32', '-M', '8'],
          ...Object.entries(defines).flatMap(([name, value]) => ['-A', `${name}=${value}`]),
        ]),
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

      return (await answersSip(listen.address, listen.port, place?.open)) ? true : undefined;
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
