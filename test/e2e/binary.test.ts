/** The compiled binary, alone in an empty directory with an empty environment: what a host without Bun and Node has. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const binary = join(import.meta.dir, '..', '..', 'dist', 'rtp-cluster');
let home = '';

beforeAll(() => {
  if (!existsSync(binary)) throw new Error('dist/rtp-cluster is missing; run "npm run build" first');
  home = mkdtempSync(join(tmpdir(), 'rtp-cluster-binary-'));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

function run(...args: string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([binary, ...args], { cwd: home, env: {} });

  return { exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
}

/** Starts `serve` and waits until it says where it listens. */
async function serve(...flags: string[]) {
  const child = Bun.spawn(
    [
      binary,
      'serve',
      '--ng-listen=',
      '--database-path',
      join(home, 'test.db'),
      '--http-listen',
      '127.0.0.1:0',
      '--log-format',
      'json',
      ...flags,
    ],
    { cwd: home, env: {}, stdout: 'pipe', stderr: 'inherit' },
  );
  let output = '';
  const decoder = new TextDecoder();
  const reader = child.stdout.getReader();
  while (!output.includes('appliance.started')) {
    const { value, done } = await reader.read();
    if (done) throw new Error(`serve ended: ${output}`);
    output += decoder.decode(value);
  }
  const line = output.split('\n').find((each) => each.includes('appliance.started')) ?? '';
  const rest = (async () => {
    for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read())
      output += decoder.decode(chunk.value);

    return output;
  })();

  return { child, url: String(JSON.parse(line).url), rest };
}

describe('the binary', () => {
  test('tells its version, the commit and the runtime', () => {
    expect(run('--version').stdout).toMatch(
      /^rtp-cluster \d+\.\d+\.\d+ \(commit ([0-9a-f]{8}(-dirty)?|unknown), bun \d+\.\d+\.\d+\)\n$/,
    );
  });

  test('lists its commands with --help and exits 0', () => {
    const { exitCode, stdout } = run('--help');
    expect(exitCode).toBe(0);
    for (const command of ['serve', 'check', 'node', 'set', 'call', 'import', 'fake-relay'])
      expect(stdout).toContain(command);
  });

  test('checks settings without starting', () => {
    writeFileSync(join(home, 'bad.toml'), '[http]\nlisten = "nonsense"\n');
    const { exitCode, stderr } = run('check', '--config', join(home, 'bad.toml'));
    expect(exitCode).toBe(1);
    expect(stderr).toContain('bad.toml:2');
    expect(stderr).toContain('nonsense');
  });

  test('has its migrations inside, serves, and exits 0 on SIGTERM', async () => {
    const { child, url, rest } = await serve();
    const ready = await fetch(`${url}/readyz`);
    expect(ready.status).toBe(200);
    expect(await (await fetch(`${url}/v1/nodes`)).json()).toMatchObject({ nodes: [] });
    expect(statSync(join(home, 'test.db')).mode & 0o777).toBe(0o600);
    child.kill('SIGTERM');
    expect(await child.exited).toBe(0);
    expect(await rest).toContain('appliance.stopped');
  });

  test('tells no internals in the answer to a defective request', async () => {
    const { child, url } = await serve();
    const answer = await fetch(`${url}/v1/nodes`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: '{"socket":5}',
    });
    expect(answer.status).toBe(400);
    const text = await answer.text();
    expect(JSON.parse(text).code).toBe('RTPC_BAD_PARAMETER');
    expect(text).not.toContain('"expected"');
    child.kill('SIGTERM');
    await child.exited;
  });

  test('runs neither .env nor bunfig.toml of the working directory', async () => {
    writeFileSync(join(home, '.env'), 'RTP_CLUSTER_HTTP_LISTEN=nonsense\n');
    writeFileSync(join(home, 'bunfig.toml'), 'preload = ["./evil.ts"]\n');
    writeFileSync(
      join(home, 'evil.ts'),
      `require('node:fs').writeFileSync(${JSON.stringify(join(home, 'evil'))}, '');\n`,
    );
    const { exitCode } = run('check');
    expect(exitCode).toBe(0);
    expect(existsSync(join(home, 'evil'))).toBe(false);
  });

  test('refuses a second copy on the same port and on the same database', async () => {
    const { child, url } = await serve();
    const port = new URL(url).port;
    const samePort = run(
      'serve',
      '--ng-listen=',
      '--database-path',
      join(home, 'other.db'),
      '--http-listen',
      `127.0.0.1:${port}`,
    );
    expect(samePort.exitCode).toBe(1);
    expect(samePort.stderr).toContain('cannot listen');
    const sameDatabase = run(
      'serve',
      '--ng-listen=',
      '--database-path',
      join(home, 'test.db'),
      '--http-listen',
      '127.0.0.1:0',
    );
    expect(sameDatabase.exitCode).toBe(1);
    expect(sameDatabase.stderr).toContain('another rtp-cluster');
    child.kill('SIGTERM');
    await child.exited;
  });
});
