/** Debian's Prometheus: promtool, and the server on a loopback port with a configuration of the test. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freeSipPort } from './ports.ts';
import { endProcess, leashed, own, poll, temporaryFolder } from './processes.ts';

/** Why tests with Prometheus cannot run, or undefined if they can. With RTPC_REQUIRE_ALL=1 a missing one fails them instead. */
export function whyNoPrometheus(): string | undefined {
  if (Bun.env.RTPC_REQUIRE_ALL === '1') return undefined;
  if (Bun.which('promtool') !== null && Bun.which('prometheus') !== null) return undefined;

  return 'Prometheus is not installed (Debian package prometheus)';
}

/** What promtool says, and how it ended. @param input for its standard input */
export function promtool(words: readonly string[], input = ''): { code: number; text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(['promtool', ...words], { stdin: Buffer.from(input) });

  return { code: exitCode, text: `${stdout}${stderr}` };
}

export interface Prometheus {
  /** The `data` of an answer of its API; throws what it complains of. */
  ask(path: string, parameters?: Readonly<Record<string, string>>): Promise<unknown>;
  stop(): Promise<number>;
}

/** Starts it and waits until it answers. @param configuration as prometheus.yml has it */
export async function startPrometheus(configuration: object): Promise<Prometheus> {
  const folder = temporaryFolder();
  const file = join(folder, 'prometheus.yml');
  // JSON is YAML too.
  writeFileSync(file, JSON.stringify(configuration));
  const port = await freeSipPort();
  const words = [
    ...['prometheus', `--config.file=${file}`, `--storage.tsdb.path=${join(folder, 'data')}`],
    ...[`--web.listen-address=127.0.0.1:${port}`, '--log.level=warn'],
  ];
  const child = own(Bun.spawn(leashed(words), { stdin: 'ignore', stdout: 'ignore', stderr: 'inherit' }));
  const url = `http://127.0.0.1:${port}`;
  await poll(
    async () => (await fetch(`${url}/-/ready`).catch(() => undefined))?.ok || undefined,
    () => 'prometheus does not start',
    20_000,
  );

  return {
    async ask(path, parameters = {}) {
      const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters)}`);
      const answer = (await response.json()) as { status: string; error?: string; data: unknown };
      if (answer.status !== 'success') throw new Error(`${path}: ${answer.error}`);

      return answer.data;
    },
    stop: () => endProcess(child),
  };
}
