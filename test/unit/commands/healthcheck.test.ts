import { afterEach, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../../src/commands/healthcheck.ts';
import { inDirectory } from '../../fakes/store.ts';
import { type Stub, startStub, testIo } from './stub.ts';

const stubs: Stub[] = [];
afterEach(async () => {
  for (const stub of stubs.splice(0)) await stub.stop();
});

function service(answers: Readonly<Record<string, unknown>>): Stub {
  const stub = startStub(answers);
  stubs.push(stub);

  return stub;
}

async function check(argv: string[], env: Record<string, string> = {}) {
  const io = testIo({ RTP_CLUSTER_CONFIG: '/dev/null', ...env });
  const code = await run(argv, io);

  return { code, out: io.outLines, err: io.errLines };
}

function unready(body: object): Record<string, Response> {
  return { 'GET /readyz': Response.json(body, { status: 503 }) };
}

describe('rtp-cluster healthcheck', () => {
  test.each(['--tiemout 5', '--bogus=1', '--config /etc/x.toml'])(
    'refuses %s beside an address: a misspelt flag must not go unnoticed in a script',
    async (words) => {
      const flag = words.split(' ');
      const { url } = service({ 'GET /readyz': { ready: true } });
      for (const [argv, env] of [
        [['--url', url, ...flag], {}],
        [flag, { RTP_CLUSTER_URL: url }],
      ] as const) {
        const { code, err } = await check([...argv], env);
        expect([code, err[0]]).toEqual([
          2,
          expect.stringContaining(`${flag[0]} is no flag of this command, and no setting is read`),
        ]);
      }
    },
  );

  test('says ready, exit code 0', async () => {
    const { url } = service({ 'GET /readyz': { ready: true, database: 'ok', stopping: false } });
    expect(await check(['--url', url])).toEqual({ code: 0, out: ['ready'], err: [] });
  });

  test.each([
    [
      { ready: false, database: 'the disk is full; make room', stopping: false },
      'calls go on from memory, but the database fails: the disk is full; make room',
    ],
    [{ ready: false, database: 'ok', stopping: true }, 'it is stopping'],
    [{ ready: false }, 'status 503 (503)'],
  ])('%j is not ready, exit code 1 and why', async (body, why) => {
    const { url } = service(unready(body));
    expect(await check(['--url', url])).toEqual({
      code: 1,
      out: [],
      err: [`rtp-cluster healthcheck: not ready: ${why}`],
    });
  });

  test('--json prints the result, the reason and, where it is told, the version', async () => {
    const { url } = service({
      ...unready({ database: 'the disk is full' }),
      'GET /healthz': { status: 'alive', version: '1.2.3' },
    });
    const ready = await check(['--url', url, '--json']);
    expect([ready.code, JSON.parse(ready.out.join(''))]).toEqual([
      1,
      {
        result: 'not ready',
        reason: 'calls go on from memory, but the database fails: the disk is full',
        version: null,
      },
    ]);
    const live = await check(['--url', url, '--json', '--live']);
    expect([live.code, JSON.parse(live.out.join(''))]).toEqual([
      0,
      { result: 'alive', reason: null, version: '1.2.3' },
    ]);
  });

  test('--live is content with an answer', async () => {
    const { url } = service({
      ...unready({ database: 'full' }),
      'GET /healthz': { status: 'alive', version: '1.2.3' },
    });
    expect(await check(['--live', '--url', url])).toEqual({
      code: 0,
      out: ['alive, version 1.2.3'],
      err: [],
    });
  });

  test('nobody there, and somebody else there, are not ready', async () => {
    const stub = service({});
    expect((await check(['--url', stub.url])).code).toBe(1);
    const page = service({ 'GET /readyz': new Response('<html>welcome</html>') });
    expect((await check(['--url', page.url])).err[0]).toContain('something that is not from rtp_cluster');
    await stub.stop();
    const { code, err } = await check(['--url', stub.url]);
    expect(code).toBe(1);
    expect(err.length).toBe(1);
    expect(err[0]).toContain(`not ready: no answer from ${stub.url}`);
  });

  test('a service that is silent is not ready after --timeout', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const begin = performance.now();
    const { code, err } = await check(['--url', `http://127.0.0.1:${silent.port}`, '--timeout', '150']);
    const took = performance.now() - begin;
    silent.stop(true);
    expect(code).toBe(1);
    expect(err[0]).toEndWith('did not answer within 0.15 s');
    expect(took).toBeGreaterThan(140);
    expect(took).toBeLessThan(1900);
  });

  test('asks where the settings say the service is; on loopback if that is everywhere', () =>
    inDirectory(async (folder) => {
      const { url, seen } = service({ 'GET /readyz': { ready: true } });
      const config = join(folder, 'config.toml');
      // Of a token this user cannot read it needs nothing.
      writeFileSync(
        config,
        `[http]\nlisten = "0.0.0.0:${new URL(url).port}"\ntoken_file = "/no/such/file"\n`,
      );
      expect((await check(['--config', config])).code).toBe(0);
      expect((await check([], { RTP_CLUSTER_CONFIG: config })).code).toBe(0);
      expect((await check([], { RTP_CLUSTER_HTTP_LISTEN: `0.0.0.0:${new URL(url).port}` })).code).toBe(0);
      expect((await check([`--http-listen=127.0.0.1:${new URL(url).port}`])).code).toBe(0);
      expect(seen.length).toBe(4);
      writeFileSync(config, '[http]\nlisten = 7\n');
      const { code, err } = await check(['--config', config]);
      expect(code).toBe(1);
      expect(err[0]).toStartWith(`rtp-cluster healthcheck: ${config}:2: http.listen: is 7`);
      expect(err[1]).toContain('nobody was asked; name the address with --url');
    }));

  test('asks the unix socket where the system chose the port', () =>
    inDirectory(async (folder) => {
      const unix = join(folder, 'api.sock');
      const server = Bun.serve({ unix, fetch: () => Response.json({ ready: true }) });
      expect((await check(['--http-listen=127.0.0.1:0', `--http-unix=${unix}`])).code).toBe(0);
      expect((await check(['--unix', unix])).code).toBe(0);
      await server.stop(true);
    }));

  test.each([
    [['word'], 'wanted is no words, given is word'],
    [['--timeout', '5'], '--timeout is "5"; allowed is a whole number from 100 to 60000'],
    [['--url', 'x'], '--url is "x"; allowed is a URL'],
    [['--url', 'http://a', '--unix', '/b'], '--url and --unix are both given'],
  ])('%j is a wrong call', async (argv, message) => {
    const { code, err } = await check(argv);
    expect(code).toBe(2);
    expect(err[0]).toStartWith(`rtp-cluster healthcheck: ${message}`);
  });
});
