/** Programs that are run to their end. */

import { expect } from 'bun:test';
import { BINARY } from './appliance.ts';

export function command(...words: string[]): { code: number; text: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync(words);

  return { code: exitCode, text: `${stdout}${stderr}`.trim() };
}

/** Runs a program that must succeed. */
export function mustRun(...words: string[]): void {
  const { code, text } = command(...words);
  if (code !== 0) throw new Error(`${words.join(' ')}: ${text}`);
}

/** Runs `serve` where it cannot start; returns how it ended. */
export function failToStart(
  database: string,
  options: { flags?: string[]; prefix?: string[]; ngListen?: string } = {},
) {
  const { exitCode, stdout, stderr } = Bun.spawnSync(
    [
      ...(options.prefix ?? []),
      BINARY,
      'serve',
      `--ng-listen=${options.ngListen ?? ''}`,
      `--database-path=${database}`,
      '--http-listen=127.0.0.1:0',
      '--log-format=json',
      ...(options.flags ?? []),
    ],
    { cwd: '/', env: {}, timeout: 20_000 },
  );

  return { exitCode, output: `${stdout}${stderr}` };
}

/** One line for a person: which file, what is wrong, what to do; and nothing of our inside. */
export function expectPlainRefusal(
  result: { exitCode: number | null; output: string },
  path: string,
  advice: string,
) {
  expect(result.output).toContain(advice);
  expect(result.output.trim().split('\n').length).toBe(1);
  expect(result.output).toStartWith(`rtp-cluster: `);
  expect(result.output).toContain(path);
  expect(result.output).not.toMatch(/\.ts:\d|\n\s+at |\$bunfs|defect/);
  expect(result.exitCode).toBe(1);
}
