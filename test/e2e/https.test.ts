/** The API with TLS, by the program itself: who gets in, and what happens when the certificate is renewed. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Appliance,
  type ApplianceOptions,
  commandLine,
  ensureBinary,
  startAppliance,
} from '../lab/appliance.ts';
import { loggedEvents } from '../lab/client.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { handshake, startTlsClient, subjectsAt } from '../lab/tls-client.ts';
import { certificate, type Pair } from '../unit/http/certificates.ts';

const FIRST = certificate({ name: 'first.example' });
const SECOND = certificate({ name: 'second.example' });
const TOKENS = {
  call: 'token-of-a-proxy-0001',
  read: 'token-of-a-monitor-01',
  admin: 'token-of-anna-0000001',
};
const TOKEN_FILE = `call proxy ${TOKENS.call}\nread monitor ${TOKENS.read}\nadmin anna ${TOKENS.admin}\n`;

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

interface Site {
  readonly appliance: Appliance;
  readonly port: number;
  readonly paths: { readonly cert: string; readonly key: string; readonly tokens: string };
  /** Puts a pair in place as a careful hook does: written beside, then renamed. */
  put(pair: Partial<Pair>): void;
  /** What `systemctl reload` sends. */
  hangUp(): void;
}

async function startSite(pair: Pair, options: ApplianceOptions = {}): Promise<Site> {
  const folder = temporaryFolder();
  const paths = {
    cert: join(folder, 'fullchain.pem'),
    key: join(folder, 'privkey.pem'),
    tokens: join(folder, 'tokens'),
  };
  const put: Site['put'] = (parts) => {
    for (const part of ['cert', 'key'] as const) {
      const text = parts[part];
      if (text === undefined) continue;
      writeFileSync(`${paths[part]}.new`, text);
      renameSync(`${paths[part]}.new`, paths[part]);
    }
  };
  put(pair);
  writeFileSync(paths.tokens, TOKEN_FILE);
  const appliance = await startAppliance({
    binary,
    ...options,
    flags: [
      '--https-listen=127.0.0.1:0',
      `--https-cert=${paths.cert}`,
      `--https-key=${paths.key}`,
      ...(options.flags ?? []),
    ],
  });
  const [{ port } = { port: 0 }] = loggedEvents(appliance, 'https.listening');

  return {
    appliance,
    port: Number(port),
    paths,
    put,
    hangUp: () => void process.kill(appliance.pid, 'SIGHUP'),
  };
}

/** Runs a command of the program against the site. */
async function run(site: Site, words: readonly string[], env: Record<string, string> = {}) {
  const child = Bun.spawn([...commandLine(binary), ...words, '--url', `https://127.0.0.1:${site.port}`], {
    env: { PATH: Bun.env.PATH ?? '', ...env },
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);

  return { code: await child.exited, out, err };
}

async function untilTold(site: Site, event: string, count = 1): Promise<Readonly<Record<string, unknown>>> {
  return poll(
    () => loggedEvents(site.appliance, event)[count - 1],
    () => `no ${event}:\n${site.appliance.output()}`,
    25_000,
  );
}

/** Waits until nobody sees another certificate any more. */
async function untilShown(site: Site, name: string): Promise<void> {
  let seen: string[] = [];
  await poll(
    async () => {
      // A handshake that meets the end of the old socket is cut.
      seen = await subjectsAt(site.port).catch(() => []);

      return seen.length === 1 && seen[0] === name ? true : undefined;
    },
    () => `still shown: ${seen.join(', ')}`,
    10_000,
  );
}

describe('who knows the certificate', () => {
  test('gets the same API, with TLS 1.2 and 1.3 and nothing older', async () => {
    const site = await startSite(FIRST);
    const response = await fetch(`https://127.0.0.1:${site.port}/v1/nodes`, { tls: { ca: FIRST.cert } });
    expect([response.status, await response.json()]).toMatchObject([200, { nodes: [] }]);
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = await handshake(site.port, { maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    expect(handshake(site.port, { maxVersion: 'TLSv1.1' })).rejects.toThrow();
    // The names of the certificate are hosts we serve, others are not.
    for (const [host, status] of [
      ['first.example', 200],
      ['evil.example', 404],
    ] as const) {
      const asked = await fetch(`https://127.0.0.1:${site.port}/healthz`, {
        headers: { host: `${host}:${site.port}` },
        tls: { ca: FIRST.cert },
      });
      expect([host, asked.status]).toEqual([host, status]);
    }
    expect(await site.appliance.stop()).toBe(0);
  });

  test('may be a command with --ca-file or RTP_CLUSTER_CA_FILE; others are told what to do', async () => {
    const site = await startSite(FIRST);
    expect(await run(site, ['node', 'list', '--json', '--ca-file', site.paths.cert])).toMatchObject({
      code: 0,
    });
    expect(await run(site, ['node', 'list'], { RTP_CLUSTER_CA_FILE: site.paths.cert })).toMatchObject({
      code: 0,
    });
    const stranger = await run(site, ['node', 'list']);
    expect(stranger.code).toBe(1);
    expect(stranger.err).toContain('--ca-file');
    expect((await run(site, ['node', 'list', '--ca-file', '/none'])).err).toContain('cannot read /none');
    await site.appliance.stop();
  });
});

describe('roles over TLS', () => {
  test('are those of the token file, changes are told with name and address, and no token is in log or events', async () => {
    const site = await startSite(FIRST, {
      flags: [`--http-token-file=${join(temporaryFolder(), 'none')}`],
    }).catch((error: Error) => error);
    expect(String(site)).toContain('cannot read');
    const tokens = join(temporaryFolder(), 'tokens');
    writeFileSync(tokens, TOKEN_FILE);
    const good = await startSite(FIRST, { flags: [`--http-token-file=${tokens}`] });
    const ask = async (role: keyof typeof TOKENS, method: string, path: string): Promise<number> => {
      const response = await fetch(`https://127.0.0.1:${good.port}${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKENS[role]}`, 'content-type': 'application/json' },
        tls: { ca: FIRST.cert },
        ...(method === 'GET' ? {} : { body: '{}' }),
      });

      return response.status;
    };
    expect(await ask('read', 'GET', '/v1/nodes')).toBe(200);
    expect(await ask('call', 'GET', '/v1/nodes')).toBe(403);
    expect(await ask('call', 'POST', '/v1/media/delete?call-id=c1&from-tag=a')).toBe(404);
    expect(await ask('read', 'PUT', '/v1/sets/1')).toBe(403);
    expect(await ask('admin', 'PUT', '/v1/sets/1')).toBe(200);
    await untilTold(good, 'admin.request', 2);
    expect(loggedEvents(good.appliance, 'admin.request')).toMatchObject([
      { who: 'monitor', from: '127.0.0.1', method: 'PUT', path: '/v1/sets/1', status: 403 },
      { who: 'anna', from: '127.0.0.1', method: 'PUT', path: '/v1/sets/1', status: 200 },
    ]);
    const shown = await run(good, ['events', '--kind', 'admin.*', '--ca-file', good.paths.cert], {
      RTP_CLUSTER_TOKEN: TOKENS.read,
    });
    expect(shown.out).toContain('anna');
    for (const token of Object.values(TOKENS))
      expect(good.appliance.output() + shown.out).not.toContain(token);
    // A token that is taken away is no token any more after a reload.
    writeFileSync(tokens, TOKEN_FILE.split('\n').slice(0, 1).join('\n'));
    good.hangUp();
    await untilTold(good, 'settings.reloaded');
    expect(await ask('admin', 'GET', '/v1/nodes')).toBe(401);
    expect(await ask('call', 'POST', '/v1/media/delete?call-id=c1&from-tag=a')).toBe(404);
    await good.appliance.stop();
  });
});

describe('a renewed certificate', () => {
  test('is shown after a reload, under load, and nobody who keeps his connection loses a request', async () => {
    const site = await startSite(FIRST);
    const clients = Array.from({ length: 8 }, () => startTlsClient(site.port, '/v1/nodes'));
    for (const [round, pair] of [SECOND, FIRST, SECOND].entries()) {
      site.put(pair);
      site.hangUp();
      await untilTold(site, 'https.certificate_loaded', round + 2);
      const name = pair === FIRST ? 'first.example' : 'second.example';
      // Every client has come again by itself: the old socket asked it to.
      await poll(
        () => (clients.every(({ tally }) => tally.subjects.at(-1) === name) ? true : undefined),
        () => JSON.stringify(clients.map(({ tally }) => tally)),
        10_000,
      );
      await untilShown(site, name);
    }
    await Promise.all(clients.map((client) => client.stop()));
    expect(clients.reduce((sum, { tally }) => sum + tally.lost, 0)).toBe(0);
    // A handshake that meets the end of the old socket is cut; clients try those again.
    expect(clients.reduce((sum, { tally }) => sum + tally.unconnected, 0)).toBeLessThan(3);
    expect(clients.every(({ tally }) => tally.answered > 100)).toBe(true);
    expect(await site.appliance.stop()).toBe(0);
  }, 60_000);

  test('is found without a reload, and a broken one before it does no harm', async () => {
    const site = await startSite(FIRST);
    site.put({ key: SECOND.key });
    expect(await untilTold(site, 'https.certificate_bad')).toMatchObject({
      reason: expect.stringContaining('does not belong to the first certificate'),
      in_use: { subject: 'CN=first.example' },
    });
    expect(await subjectsAt(site.port)).toEqual(['first.example']);
    site.put(SECOND);
    expect(await untilTold(site, 'https.certificate_loaded', 2)).toMatchObject({
      subject: 'CN=second.example',
    });
    await untilShown(site, 'second.example');
    await site.appliance.stop();
  }, 60_000);

  test('that ends soon is told', async () => {
    const site = await startSite(certificate({ name: 'short.example', days: 2 }));
    expect(await untilTold(site, 'https.certificate_expiring')).toMatchObject({
      subject: 'CN=short.example',
    });
    await site.appliance.stop();
  });
});

test('an event stream goes on while the certificate is renewed, and ends with the program', async () => {
  const site = await startSite(FIRST);
  const stream = await fetch(`https://127.0.0.1:${site.port}/v1/events`, {
    headers: { accept: 'text/event-stream' },
    tls: { ca: FIRST.cert },
  });
  let text = '';
  const read = (async () => {
    for await (const chunk of stream.body ?? []) text += Buffer.from(chunk).toString('utf8');
  })();
  site.put(SECOND);
  site.hangUp();
  await poll(
    () => (text.includes('second.example') ? true : undefined),
    () => `the stream has:\n${text}`,
    10_000,
  );
  await site.appliance.api('PUT', '/v1/sets/3', { description: 'later' });
  await poll(
    () => (text.includes('/v1/sets/3') ? true : undefined),
    () => `the stream has:\n${text}`,
    10_000,
  );
  expect(await site.appliance.stop()).toBe(0);
  await read;
}, 60_000);
