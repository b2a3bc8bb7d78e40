/**
 * Starts a real OpenSIPS with one of the scripts of the documents. Debian 12 has no OpenSIPS, so the binary comes by the
 * environment: OPENSIPS_BIN, and OPENSIPS_MPATH for its modules.
 */

import { expect } from 'bun:test';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endProcess, leashed, own, poll, temporaryFolder } from './processes.ts';
import type { Door, RunningProxy, ScriptValues } from './sip-lab.ts';
import { answersSip } from './sipp.ts';

const FOLDER = join(import.meta.dir, '..', '..', 'docs', 'opensips');
const binary = Bun.env.OPENSIPS_BIN ?? '';
const modules = Bun.env.OPENSIPS_MPATH ?? '';

/** Why there can be no calls by OpenSIPS, or undefined. */
export function whyNoOpensips(): string | undefined {
  if (binary === '' || modules === '') return 'OPENSIPS_BIN and OPENSIPS_MPATH name no OpenSIPS';

  return Bun.which('sipp') === null ? 'not installed: sipp' : undefined;
}

/** A script with the values of the lab; each text to replace must be in it, except those of the other door. */
function configure(script: string, door: Door, values: ScriptValues): string {
  const { listen, insideNet, insideHop, outsideHop, url, token, ngSocket } = values;
  const replacements: readonly (readonly [string, string])[] = [
    ['log_level=3', 'log_level=3\nstderror_enabled=yes\nsyslog_enabled=no'],
    ['socket=udp:127.0.0.1:5060', `socket=udp:${listen.address}:${listen.port}`],
    ['/usr/lib/x86_64-linux-gnu/opensips/modules/', modules],
    ['ip.matches,192.168.0.0/16', `ip.matches,${insideNet}`],
    ['sip:198.51.100.20:5060', `sip:${outsideHop}`],
    ['sip:192.168.2.10:5060', `sip:${insideHop}`],
    ...(door !== 'http'
      ? ([['udp:127.0.0.1:2223', ngSocket]] as const)
      : ([
          ['http://127.0.0.1:7888', url],
          [
            '# rest_append_hf("Authorization: Bearer TOKEN")',
            `rest_append_hf("Authorization: Bearer ${token}")`,
          ],
        ] as const)),
  ];
  let text = readFileSync(join(FOLDER, script), 'utf8');
  for (const [from, to] of replacements) {
    expect(text).toContain(from);
    text = text.replaceAll(from, to);
  }

  return text;
}

/** Starts a script of docs/opensips, and waits until it answers. */
export async function startOpensips(script: string, door: Door, values: ScriptValues): Promise<RunningProxy> {
  const { listen } = values;
  const file = join(temporaryFolder(), 'opensips.cfg');
  writeFileSync(file, configure(script, door, values));
  const child = own(
    Bun.spawn(leashed([binary, '-F', '-m', '64', '-M', '8', '-f', file], 'SIGTERM'), {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'pipe',
    }),
    'SIGTERM',
  );
  let log = '';
  const collect = async (): Promise<void> => {
    for await (const chunk of child.stderr)
      log = (log + Buffer.from(chunk).toString('latin1')).slice(-200_000);
  };
  collect().catch(() => undefined);
  let isEnded = false;
  child.exited.then(() => {
    isEnded = true;
  });
  await poll(
    async () => {
      if (isEnded) throw new Error(`OpenSIPS ended:\n${log}`);

      return (await answersSip(listen.address, listen.port)) ? true : undefined;
    },
    () => `OpenSIPS does not answer:\n${log}`,
    15_000,
  );

  return {
    log: () => log,
    async stop() {
      await endProcess(child);
    },
  };
}
