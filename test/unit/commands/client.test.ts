/** How a command knows the service, and how the service knows it. */

import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as node from '../../../src/commands/node.ts';
import { certificate } from '../http/certificates.ts';
import { startStub, testIo } from './stub.ts';

const TOKEN = 'abcdefghijklmnop0123';
const PAIR = certificate();
const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-client-'));
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);

  return join(folder, name);
};
const ends: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

async function list(argv: string[], env: Record<string, string> = {}) {
  const io = testIo(env);
  const code = await node.run(['list', '--json', ...argv], io);

  return { code, out: io.outLines.join('\n'), err: io.errLines.join('\n') };
}

describe('--token-file', () => {
  test.each([
    TOKEN,
    `# mine\nread anna   ${TOKEN}\n`,
    `\nadmin anna ${TOKEN}\ncall proxy other-token-00001\n`,
  ])('takes the token of the first line, alone or behind role and name: %p', async (text) => {
    const stub = startStub({ 'GET /v1/nodes': { nodes: [] } });
    ends.push(() => stub.stop());
    expect((await list(['--url', stub.url, '--token-file', file('token', text)])).code).toBe(0);
    expect(stub.seen[0]?.authorization).toBe(`Bearer ${TOKEN}`);
  });
});

describe("the service of this host's settings", () => {
  function settings(url: string): Record<string, string> {
    const tokens = file('tokens', `call proxy other-token-00001\nadmin anna ${TOKEN}\n`);
    const text = `[http]\nlisten = "${new URL(url).host}"\ntoken_file = "${tokens}"\n`;

    return { RTP_CLUSTER_CONFIG: file('config.toml', text) };
  }

  test('is asked at its address, with the token of an admin', async () => {
    const stub = startStub({ 'GET /v1/nodes': { nodes: [] } });
    ends.push(() => stub.stop());
    expect((await list([], settings(stub.url))).code).toBe(0);
    expect(stub.seen[0]?.authorization).toBe(`Bearer ${TOKEN}`);
  });

  test('is asked over its unix socket where no token can be read, if the user may use that', async () => {
    const stub = startStub({ 'GET /v1/nodes': { nodes: [] } });
    ends.push(() => stub.stop());
    const unix = join(folder, 'api.sock');
    const text = `[http]\nlisten = "${new URL(stub.url).host}"\nunix = "${unix}"\n`;
    const env = { RTP_CLUSTER_CONFIG: file('unix.toml', text) };
    expect((await list([], env)).code).toBe(0);
    expect(stub.seen.length).toBe(1);
    const server = Bun.serve({ unix, fetch: () => Response.json({ nodes: [], by: 'unix' }) });
    ends.push(() => server.stop(true));
    expect((await list([], env)).out).toContain('"by":"unix"');
  });

  test('keeps its token from any other service', async () => {
    const stub = startStub({ 'GET /v1/nodes': { nodes: [] } });
    ends.push(() => stub.stop());
    const env = settings('http://127.0.0.1:1');
    await list(['--url', stub.url], env);
    await list([], { ...env, RTP_CLUSTER_URL: stub.url });
    expect(stub.seen.map(({ authorization }) => authorization ?? null)).toEqual([null, null]);
  });
});

describe('an https service', () => {
  function serve(): string {
    const server = Bun.serve({
      hostname: '127.0.0.1',
      port: 0,
      tls: PAIR,
      fetch: () => Response.json({ nodes: [] }),
    });
    ends.push(() => server.stop(true));

    return `https://127.0.0.1:${server.port}`;
  }

  test('with a certificate of its own is known by --ca-file or RTP_CLUSTER_CA_FILE; the flag wins', async () => {
    const url = serve();
    const good = file('good.pem', PAIR.cert);
    const other = file('other.pem', certificate({ name: 'other.example' }).cert);
    expect((await list(['--url', url, '--ca-file', good])).code).toBe(0);
    expect((await list(['--url', url], { RTP_CLUSTER_CA_FILE: good })).code).toBe(0);
    expect((await list(['--url', url, '--ca-file', good], { RTP_CLUSTER_CA_FILE: other })).code).toBe(0);
    expect((await list(['--url', url, '--ca-file', other])).code).toBe(1);
  });

  test('that is not known is not asked, and the message says what to do', async () => {
    const { code, err } = await list(['--url', serve()]);
    expect(code).toBe(1);
    expect(err).toContain('--ca-file or RTP_CLUSTER_CA_FILE');
  });

  test.each([
    ['/none', 'cannot read /none'],
    [file('text', 'no certificate'), 'holds no certificate; allowed is PEM'],
  ])('cannot be known by %p', async (path, message) => {
    const { code, err } = await list(['--url', 'https://127.0.0.1:1', '--ca-file', path]);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
