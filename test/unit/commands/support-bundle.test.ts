import { Database } from 'bun:sqlite';
import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { scrubber } from '../../../src/commands/support-secrets.ts';
import { asUnit } from '../../../src/commands/unit-environment.ts';
import { makeDatabase, SDP } from '../../fakes/backups.ts';
import { inDirectory } from '../../fakes/store.ts';
import { type Stub, startStub } from './stub.ts';

const MAIN = join(import.meta.dir, '../../../src/main.ts');

const stubs: Stub[] = [];
afterEach(async () => {
  for (const stub of stubs.splice(0)) await stub.stop();
});

/** Each of them must never be in a bundle. */
const SECRETS = {
  fileToken: 'file-token-0123456789abcdef',
  envToken: 'env+token/0123456789abcdef=',
  credential: 'credential-token-0123456789',
  webhookSecret: 'webhook secret with "quotes" 123',
  webhookPath: 'T0123/B0456/hook-path-secret',
  unitToken: 'unit-token-0123456789abcdef',
  setCredential: 'set-credential-0123456789',
  bearer: 'unknown-bearer-0123456789',
  query: 'query-token-0123456789',
  userinfo: 'user-info-pass',
  pem: 'MIIEvQIBADANBgkqhkiG9w0BAQEFAASC',
  mediaKey: 'c2VjcmV0LW1lZGlhLWtleQ',
  sdpAddress: '10.77.66.55',
} as const;
const WEBHOOK = `https://hooks.example.net/${SECRETS.webhookPath}`;

const LOG = [
  'service starts',
  `GET /v1/notify/rtpengine?token=${SECRETS.query} and Authorization: Bearer ${SECRETS.bearer}`,
  ...Object.values(SECRETS).slice(0, 4),
  encodeURIComponent(SECRETS.envToken),
  JSON.stringify({
    secret: SECRETS.webhookSecret,
    sdp: `v=0\r\no=- 1 1 IN IP4 ${SECRETS.sdpAddress}\r\nc=IN IP4 ${SECRETS.sdpAddress}\r\n`,
  }),
  `webhook ${WEBHOOK} failed, and redis://name:${SECRETS.userinfo}@192.0.2.1/0`,
  `-----BEGIN PRIVATE KEY-----\n${SECRETS.pem}\n-----END PRIVATE KEY-----`,
  `a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:${SECRETS.mediaKey}|2^20`,
  'service goes on',
].join('\n');
const UNIT = [
  '[Service]',
  `Environment="RTP_CLUSTER_TOKEN=${SECRETS.unitToken}" RTP_CLUSTER_LOG_LEVEL=debug`,
  `Environment=RTP_CLUSTER_WEBHOOKS_URLS=${WEBHOOK}`,
  `SetCredential=tokens:admin me ${SECRETS.setCredential}`,
  'LimitNOFILE=65536',
].join('\n');

interface Bundle {
  readonly code: number;
  readonly output: string;
  readonly folder: string;
  /** Texts by name, without the folder. */
  readonly files: Readonly<Record<string, string>>;
  readonly path: string;
}

/** A host: a folder with a database, settings, and programs that print. */
async function host(folder: string, programs: Readonly<Record<string, string>>): Promise<void> {
  const bin = join(folder, 'bin');
  mkdirSync(bin);
  mkdirSync(join(folder, 'credentials'));
  for (const [name, text] of Object.entries(programs)) {
    writeFileSync(join(folder, `${name}.txt`), text);
    writeFileSync(join(bin, name), `#!/bin/sh\n/bin/cat '${join(folder, `${name}.txt`)}'\n`);
    chmodSync(join(bin, name), 0o755);
  }
  const path = join(folder, 'c.db');
  await makeDatabase(path, 'bound-call');
  const database = new Database(path);
  const insert = database.query('INSERT INTO event (at, kind, call_id, detail) VALUES (?, ?, ?, ?)');
  database.run('BEGIN');
  for (let i = 0; i < 2100; i++) insert.run(i, 'call.lost', `event-${i}@host`, '{}');
  insert.run(9999, 'node.maint', null, JSON.stringify({ reason: `Bearer ${SECRETS.bearer}`, url: WEBHOOK }));
  database.run('COMMIT');
  database.close();
  writeFileSync(join(folder, 'tokens'), `read ops ${SECRETS.fileToken}\n`);
  writeFileSync(join(folder, 'credentials', 'tokens'), `# old\nadmin me ${SECRETS.credential}\n`);
  writeFileSync(join(folder, 'secret'), SECRETS.webhookSecret);
  writeFileSync(
    join(folder, 'config.toml'),
    `[http]\ntoken_file = "${folder}/tokens"\n[webhooks]\nurls = ["${WEBHOOK}"]\nsecret_file = "${folder}/secret"\n[database]\npath = "${path}"\n`,
  );
}

async function bundle(
  folder: string,
  argv: readonly string[],
  env: Record<string, string> = {},
): Promise<Bundle> {
  const out = join(folder, 'out');
  mkdirSync(out, { recursive: true });
  const child = Bun.spawn(
    [process.execPath, MAIN, 'support-bundle', `--config=${folder}/config.toml`, ...argv],
    {
      cwd: out,
      env: {
        PATH: join(folder, 'bin'),
        RTP_CLUSTER_TOKEN: SECRETS.envToken,
        CREDENTIALS_DIRECTORY: join(folder, 'credentials'),
        ...env,
      },
      stdout: 'pipe',
      stderr: 'pipe',
    },
  );
  const output = (await new Response(child.stdout).text()) + (await new Response(child.stderr).text());
  const code = await child.exited;
  const path = join(out, readdirSync(out).sort()[0] ?? '');
  const archive = code === 0 ? await new Bun.Archive(readFileSync(path)).files() : new Map<string, File>();
  const texts = await Promise.all(
    [...archive].map(async ([name, file]) => [basename(name), await file.text()] as const),
  );

  return { code, output, folder: out, files: Object.fromEntries(texts), path };
}

function expectNoSecrets({ files, output }: Bundle): void {
  for (const [name, text] of Object.entries({ ...files, output })) {
    const found = Object.values(SECRETS).filter((secret) => text.includes(secret));
    expect([name, found]).toEqual([name, []]);
  }
}

describe('a support bundle', () => {
  test('of a service that is up has its state, and no secret of anybody', () =>
    inDirectory(async (folder) => {
      await host(folder, { systemctl: UNIT, journalctl: LOG });
      const nodes = { nodes: [{ id: 3, reason: `see ${WEBHOOK}`, by: SECRETS.fileToken }] };
      const stub = startStub({
        'GET /readyz': { ready: true },
        'GET /v1/nodes': nodes,
        'GET /v1/sets': {},
        'GET /v1/fleet': {},
      });
      stubs.push(stub);
      const made = await bundle(folder, [`--http-listen=${new URL(stub.url).host}`]);
      expect(made.code).toBe(0);
      expect(basename(made.path)).toMatch(/^rtp-cluster-support-[A-Za-z0-9.-]+-\d{8}T\d{6}Z\.tar\.gz$/);
      expect(made.path).toContain(hostname());
      expect(statSync(made.path).mode & 0o777).toBe(0o600);
      const { files } = made;
      expectNoSecrets(made);
      expect(files['version.txt']).toContain('rtp-cluster dev');
      expect(files['readyz.json']).toContain('{"ready":true}');
      expect(files['nodes.json']).toContain('"id":3');
      expect(files['nodes.json']).toContain('see https://hooks.example.net/[removed]');
      expect(files['settings.txt']).toContain('["https://hooks.example.net/[removed]"]');
      expect(files['settings.txt']).toContain('read ops');
      expect(files['host.txt']).toContain('== /etc/os-release');
      expect(files['host.txt']).toContain('Max open files');
      expect(files['database.txt']).toContain('Migrations: 4 done, 0 to do.');
      expect(files['database-fleet.jsonl']).toContain('"table":"migration"');
      expect(files['unit.txt']).toContain('LimitNOFILE=65536');
      expect(files['unit.txt']).toContain('RTP_CLUSTER_LOG_LEVEL=debug');
      expect(files['journal.txt']).toContain('service starts');
      expect(files['journal.txt']).toContain('service goes on');
      expect(stub.seen.find(({ path }) => path === '/v1/nodes')?.authorization).toStartWith('Bearer ');
      const events = files['events.jsonl']?.trim().split('\n') ?? [];
      expect(events.length).toBe(2000);
      expect(events[0]).toContain('event-101@host');
      expect(events.at(-1)).toContain('node.maint');
      expect(Object.values(files).join('')).not.toContain(SDP.slice(0, 20));
      expect(made.output).toContain('Call-IDs');
    }));

  test('of a service that is down, without systemd and without a database, tells what is missing', () =>
    inDirectory(async (folder) => {
      await host(folder, {});
      const made = await bundle(folder, [
        '--http-listen=127.0.0.1:1',
        `--database-path=${folder}/no/c.db`,
        'mine.tar.gz',
      ]);
      expect(made.code).toBe(0);
      expect(basename(made.path)).toBe('mine.tar.gz');
      expectNoSecrets(made);
      expect(made.files['readyz.json']).toContain('could not be had: no answer from http://127.0.0.1:1/');
      expect(made.files['unit.txt']).toContain('there is no systemctl here');
      expect(made.files['journal.txt']).toContain('there is no journalctl here');
      expect(made.files['events.jsonl']).toContain('could not be had: ');
      expect(made.files['database.txt']).toContain('PROBLEM: ');
    }));

  test('of settings that are wrong is made all the same, and tells what is wrong', () =>
    inDirectory(async (folder) => {
      await host(folder, {});
      const made = await bundle(folder, ['--http-listen=127.0.0.1:1', '--log-level=x']);
      expect(made.code).toBe(0);
      expect(made.files['settings.txt']).toContain('PROBLEM: --log-level: log.level: is "x"');
      expect(made.files['settings.txt']).toContain('database.path');
      expectNoSecrets(made);
      writeFileSync(join(folder, 'config.toml'), `[http\ntoken = "${SECRETS.fileToken}"`);
      const broken = await bundle(folder, ['--http-listen=127.0.0.1:1', 'broken.tar.gz']);
      expect(broken.code).toBe(0);
      expect(broken.files['settings.txt']).toContain('config.toml:1: column');
      expectNoSecrets(broken);
    }));

  test('--without-logs has no Call-IDs', () =>
    inDirectory(async (folder) => {
      await host(folder, { systemctl: UNIT, journalctl: `${LOG}\nevent-7@host` });
      const made = await bundle(folder, ['--http-listen=127.0.0.1:1', '--without-logs']);
      expect(Object.keys(made.files)).not.toContain('journal.txt');
      expect(Object.values(made.files).join('')).not.toMatch(/event-\d+@host|bound-call/);
      expect(made.files['README.txt']).toContain('Events and journal were left out');
    }));

  test('keeps the end of a log that is too long', () =>
    inDirectory(async (folder) => {
      await host(folder, { journalctl: `FIRST\n${`${'x'.repeat(99)}\n`.repeat(90_000)}LAST` });
      const { files } = await bundle(folder, ['--http-listen=127.0.0.1:1']);
      expect(files['journal.txt']).toEndWith('LAST\n');
      expect(files['journal.txt']).not.toContain('FIRST');
    }));

  test('takes the place of no file, and leaves none if there is no place', () =>
    inDirectory(async (folder) => {
      await host(folder, {});
      const there = join(folder, 'there.tar.gz');
      writeFileSync(there, 'mine');
      const refused = await bundle(folder, [there]);
      expect(refused.code).toBe(1);
      expect(refused.output).toBe(
        `rtp-cluster support-bundle: ${there}: there is such a file already (EEXIST)\n`,
      );
      expect(readFileSync(there, 'utf8')).toBe('mine');
      expect((await bundle(folder, [join(folder, 'no', 'x.tar.gz')])).output).toContain(
        'no such file or folder',
      );
      expect((await bundle(folder, ['a', 'b'])).code).toBe(2);
    }));
});

test('at a shell the tokens are those of the unit, for who may read them', () =>
  inDirectory((folder) => {
    const env = { A: '1' };
    expect(asUnit(env, folder)).toEqual(env);
    writeFileSync(join(folder, 'tokens'), '# none yet\n');
    expect(asUnit(env, folder)).toEqual(env);
    writeFileSync(join(folder, 'tokens'), 'admin ops 0123456789abcdef0123\n');
    expect(asUnit<Record<string, string>>(env, folder)).toEqual({ A: '1', CREDENTIALS_DIRECTORY: folder });
    expect(asUnit({ CREDENTIALS_DIRECTORY: '/run/x' }, folder)).toEqual({ CREDENTIALS_DIRECTORY: '/run/x' });
  }));

describe('the scrubber', () => {
  const scrub = scrubber(['known-secret', 'known-secret-and-more', 'short']);

  test.each([
    ['a known-secret-and-more here', 'a [removed] here'],
    ['short words stay', 'short words stay'],
    ['http://127.0.0.1:7888/v1/nodes?x=1 ok', 'http://127.0.0.1:7888/[removed] ok'],
    ['https://u:p@[2001:db8::1]:8443/a', 'https://[2001:db8::1]:8443/[removed]'],
    [
      'MY_API_KEY=abc RTP_CLUSTER_HTTP_TOKEN_FILE=/etc/t',
      'MY_API_KEY=[removed] RTP_CLUSTER_HTTP_TOKEN_FILE=/etc/t',
    ],
    ['RTP_CLUSTER_TOKEN="a b" x', 'RTP_CLUSTER_TOKEN=[removed] x'],
    ['has "ftp://h/secret"; allowed', 'has "ftp://h/[removed]"; allowed'],
    ['DB_PASS=hunter2 A=1', 'DB_PASS=[removed] A=1'],
    [
      '{"token":"a\\"b","from_tag":"c"} {"api_secret": "d"}',
      '{"token":[removed],"from_tag":"c"} {"api_secret": [removed]}',
    ],
    ['SetCredential=a:b\\\n c\nNext=1', 'SetCredential=a:[removed]\nNext=1'],
    ['{"sdp":"v=0\\r\\no=- 1\\r\\nc=IN","node":1}', '{"sdp":"v=0[removed]","node":1}'],
    ['udp:192.0.2.1:2223 stays', 'udp:192.0.2.1:2223 stays'],
  ])('makes of %j %j', (text, clean) => {
    expect(scrub(text)).toBe(clean);
  });
});
