/** Sessions of the compiled binary: who logs in, what the cookie opens, and when it ends. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { loggedEvents } from '../lab/client.ts';
import { openEventSource } from '../lab/event-source.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { certificate } from '../unit/http/certificates.ts';

const ANNA = 'token-of-anna-0000001';
const WALL = 'token-of-the-wall-0001';
const PROXY = 'token-of-a-proxy-0001';
const LINES = [`admin anna ${ANNA}`, `read the-wall ${WALL}`, `call proxy ${PROXY}`];
const TIMEOUT_MS = 60_000;
const NODE = { socket: 'udp:127.0.0.1:2299', inner_media_ip: '10.9.0.1', out_media_ip: '198.51.100.1' };

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

interface Site {
  readonly appliance: Appliance;
  readonly folder: string;
  /** Writes the token file anew and has it read. */
  reload(lines: readonly string[]): Promise<void>;
}

async function startSite(flags: readonly string[] = [], folder = temporaryFolder(), port = 0): Promise<Site> {
  const tokens = join(folder, 'tokens');
  writeFileSync(tokens, LINES.join('\n'));
  const appliance = await startAppliance({
    binary,
    port,
    database: join(folder, 'cluster.db'),
    flags: [`--http-token-file=${tokens}`, ...flags],
  });

  return {
    appliance,
    folder,
    async reload(lines) {
      const before = loggedEvents(appliance, 'settings.reloaded').length;
      writeFileSync(tokens, lines.join('\n'));
      process.kill(appliance.pid, 'SIGHUP');
      await poll(
        () => (loggedEvents(appliance, 'settings.reloaded').length > before ? true : undefined),
        () => `no reload:\n${appliance.output()}`,
      );
    },
  };
}

const ask = (url: string, method: string, path: string, headers: Record<string, string>, body?: unknown) =>
  fetch(url + path, {
    method,
    headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** Logs in as a browser does; returns what it sends from then on. */
async function logIn(url: string, token: string): Promise<{ cookie: string }> {
  const response = await ask(url, 'POST', '/v1/session', { origin: url }, { token });
  const set = response.headers.get('set-cookie') ?? '';
  expect([response.status, set]).toEqual([
    200,
    expect.stringContaining('; HttpOnly; SameSite=Strict; Path=/;'),
  ]);

  return { cookie: set.split(';')[0] ?? '' };
}

describe('a session', () => {
  test(
    'is begun with a token, changes what its role may, and ends in its browser',
    async () => {
      const { appliance } = await startSite();
      const { url } = appliance;
      const nobody = { needs_token: true, who: null, role: null, expires_at: null, version: null };
      expect(await (await ask(url, 'GET', '/v1/session', {})).json()).toEqual(nobody);
      expect((await ask(url, 'POST', '/v1/session', { origin: url }, { token: PROXY })).status).toBe(403);
      const [anna, wall] = [await logIn(url, ANNA), await logIn(url, WALL)];
      expect(await (await ask(url, 'GET', '/v1/session', wall)).json()).toMatchObject({
        who: 'the-wall',
        role: 'read',
        expires_at: expect.any(Number),
      });
      const ours = { origin: url };
      expect((await ask(url, 'POST', '/v1/nodes', { ...wall, ...ours }, NODE)).status).toBe(403);
      expect((await ask(url, 'POST', '/v1/nodes', { ...anna, ...ours }, NODE)).status).toBe(201);
      const audit = async (): Promise<unknown[]> => {
        const response = await ask(url, 'GET', '/v1/events?kind=admin.request', wall);
        const { events } = (await response.json()) as {
          events: { detail: { who: string; status: number } }[];
        };

        return events.map(({ detail }) => [detail.who, detail.status]);
      };
      const told = await poll(
        async () => {
          const events = await audit();

          return events.length === 2 ? events : undefined;
        },
        () => 'two requests are not in the audit',
      );
      expect(told).toEqual([
        ['anna', 201],
        ['the-wall', 403],
      ]);
      const out = await ask(url, 'DELETE', '/v1/session', { ...anna, ...ours });
      expect([out.status, out.headers.get('set-cookie')]).toEqual([
        204,
        expect.stringContaining('Max-Age=0'),
      ]);
      expect(appliance.output()).not.toContain(ANNA);
      await appliance.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'is of no use to pages of elsewhere, whose forms need no leave to send',
    async () => {
      const { appliance } = await startSite();
      const { url } = appliance;
      const anna = await logIn(url, ANNA);
      const send = async (headers: Record<string, string>): Promise<number> => {
        const init = { method: 'POST', headers: { ...anna, ...headers }, body: JSON.stringify(NODE) };

        return (await fetch(`${url}/v1/nodes`, init)).status;
      };
      const text = { 'content-type': 'text/plain' };
      const form = { 'content-type': 'application/x-www-form-urlencoded' };
      expect([
        await send({ ...text, origin: 'https://evil.example.org' }),
        await send({ ...form, origin: 'https://evil.example.org' }),
        await send({ ...text, origin: 'null' }),
        await send(text),
        await send({ ...text, origin: url.replace(/:\d+$/, ':1') }),
        await send({ ...text, origin: url, 'sec-fetch-site': 'same-site' }),
      ]).toEqual([403, 403, 403, 403, 403, 403]);
      expect(await (await ask(url, 'GET', '/v1/nodes', anna)).json()).toMatchObject({ total: 0 });
      expect(await send({ origin: url, 'content-type': 'application/json' })).toBe(201);
      await appliance.stop();
    },
    TIMEOUT_MS,
  );

  test(
    'goes on over a restart and a kill, and ends with its token at a reload, with all streams it has open',
    async () => {
      const first = await startSite();
      const port = Number(new URL(first.appliance.url).port);
      const anna = await logIn(first.appliance.url, ANNA);
      const wall = await logIn(first.appliance.url, WALL);
      await first.appliance.stop();
      const second = await startSite([], first.folder, port);
      expect((await ask(second.appliance.url, 'GET', '/v1/nodes', anna)).status).toBe(200);
      await second.appliance.kill();
      const { appliance, reload } = await startSite([], first.folder, port);
      const { url } = appliance;
      expect((await ask(url, 'GET', '/v1/nodes', anna)).status).toBe(200);

      const streams = ['/v1/live', '/v1/events'].flatMap((path) => [
        openEventSource(url + path, { Cookie: anna.cookie }),
        openEventSource(url + path, { Authorization: `Bearer ${ANNA}` }),
      ]);
      const others = ['/v1/live', '/v1/events'].map((path) =>
        openEventSource(url + path, { Cookie: wall.cookie }),
      );
      await poll(
        () => ([...streams, ...others].every((stream) => stream.text() !== '') ? true : undefined),
        () => 'not all streams began',
      );
      await reload(LINES.slice(1));
      await poll(
        () => (streams.every((stream) => stream.isEnded()) ? true : undefined),
        () => `streams of a token that has gone: ${streams.map((stream) => stream.isEnded()).join(' ')}`,
        3000,
      );
      expect((await ask(url, 'GET', '/v1/nodes', anna)).status).toBe(401);
      expect((await ask(url, 'GET', '/v1/nodes', wall)).status).toBe(200);
      expect(others.map((stream) => stream.isEnded())).toEqual([false, false]);

      // With another role the session is what the role is.
      await reload([`admin the-wall ${WALL}`]);
      expect((await ask(url, 'POST', '/v1/nodes', { ...wall, origin: url }, NODE)).status).toBe(201);
      await reload([`admin the-tv ${WALL}`]);
      expect((await ask(url, 'GET', '/v1/nodes', wall)).status).toBe(401);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'over HTTPS has a cookie that never goes out without TLS',
    async () => {
      const { cert, key } = certificate({ name: 'cluster.example' });
      const folder = temporaryFolder();
      const paths = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
      writeFileSync(paths.cert, cert);
      writeFileSync(paths.key, key);
      const { appliance } = await startSite([
        '--https-listen=127.0.0.1:0',
        `--https-cert=${paths.cert}`,
        `--https-key=${paths.key}`,
      ]);
      const [{ port } = { port: 0 }] = loggedEvents(appliance, 'https.listening');
      for (const [url, isSecure] of [
        [appliance.url, false],
        [`https://127.0.0.1:${port}`, true],
      ] as const) {
        const response = await fetch(`${url}/v1/session`, {
          method: 'POST',
          headers: { 'content-type': 'application/json', origin: url },
          body: JSON.stringify({ token: ANNA }),
          tls: { rejectUnauthorized: false },
        });
        const cookie = response.headers.get('set-cookie') ?? '';
        expect([url, response.status, /; Secure(;|$)/.test(cookie)]).toEqual([url, 200, isSecure]);
      }
      await appliance.stop();
    },
    TIMEOUT_MS,
  );
});
