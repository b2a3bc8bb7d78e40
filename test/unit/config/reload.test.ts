/** What a reload takes, what waits for a restart, and what it never does. */

import { describe, expect, test } from 'bun:test';
import { type Changes, changesOf } from '../../../src/config/changes.ts';
import { BadSettings, loadSettings } from '../../../src/config/load.ts';
import { Reload } from '../../../src/config/reload.ts';
import { FIXED_ROWS, flagName } from '../../../src/config/rows.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { formatProblem } from '../../../src/config/sources.ts';
import { logged } from '../front/logged.ts';
import { certificate } from '../http/certificates.ts';

const events = logged();

const FIRST = 'abcdefghijklmnop0123';
const SECOND = 'zyxwvutsrqponmlk9876';
/** Of a port that other hosts reach. */
const OPEN = '--http-listen=192.0.2.1:7888';

interface Given {
  readonly flags?: readonly string[];
  readonly files?: Readonly<Record<string, string>>;
}

function load({ flags = [], files = {} }: Given = {}): Settings | BadSettings {
  return loadSettings({
    argv: flags,
    env: {},
    readText(path) {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });

      return text;
    },
  });
}

function good(given?: Given): Settings {
  const settings = load(given);
  if (settings instanceof BadSettings) throw new Error(settings.problems.map(formatProblem).join('\n'));

  return settings;
}

/** A file of tokens, and the flag that names it. */
function tokens(...list: string[]): Given & { flags: string[] } {
  return { flags: ['--http-token-file=/t'], files: { '/t': list.join('\n') } };
}

/** Settings without what says where they came from. */
const values = ({ origins: _origins, file: _file, ...rest }: Settings): object => rest;

/** For each setting that can be set alone, another value than the default, and what it needs besides. */
const OTHER: Readonly<Record<string, readonly string[]>> = {
  'http.listen': ['127.0.0.1:9'],
  'http.unix': ['/run/api'],
  'http.hosts': ['rtp.example.org'],
  'http.max_body': ['2048'],
  'ng.listen': ['udp:127.0.0.1:2224'],
  'ng.clients': ['10.0.0.0/8'],
  'database.path': ['/tmp/x.db'],
  'database.synchronous': ['normal'],
  'media.budget_ms': ['901'],
  'media.first_try_ms': ['281'],
  'media.retransmit_ms': ['151'],
  'checks.canary': ['on'],
  'rtpproxy.notice_socket': ['tcp:127.0.0.1:9999'],
  'drain.hook': ['/usr/local/bin/hook'],
  'webhooks.urls': ['http://127.0.0.1:9/'],
  'webhooks.kinds': ['*'],
  'log.level': ['debug'],
  'log.format': ['text'],
};
const LATER = [
  'http.token_file',
  'https.listen',
  'https.cert',
  'https.key',
  'rtpproxy.notice_listen',
  'webhooks.secret_file',
];

describe('a setting that has changed', () => {
  const ALONE = FIXED_ROWS.filter(({ key }) => !LATER.includes(key)).map(
    ({ key, reloads, fallback }) =>
      [key, reloads === true, OTHER[key]?.[0] ?? String(Number(fallback) + 60)] as const,
  );

  test.each(ALONE)('%s: taken: %p', (key, reloads, value) => {
    const held = good();
    const next = good({ flags: [`${flagName(key)}=${value}`] });
    const { changed, needRestart, settings } = changesOf(held, next);
    expect({ changed, needRestart }).toEqual({
      changed: reloads ? [key] : [],
      needRestart: reloads ? [] : [key],
    });
    // What the table says of a setting is what happens to its value.
    expect(values(settings)).toEqual(values(reloads ? next : held));
    expect(changesOf(settings, next)).toMatchObject({ changed: [], needRestart: reloads ? [] : [key] });
    expect(values(changesOf(settings, held).settings)).toEqual(values(held));
  });

  test('and others with it: each goes its own way', () => {
    const held = good();
    const flags = ['--log-level=debug', '--media-budget-ms=800', '--stop-grace-ms=10'];
    const { changed, needRestart, settings } = changesOf(held, good({ flags }));
    expect(changed).toEqual(['stop.grace_ms', 'log.level']);
    expect(needRestart).toEqual(['media.budget_ms']);
    expect([settings.log.level, settings.stop.graceMs, settings.media.budgetMs]).toEqual(['debug', 10, 900]);
  });

  test('and changed back needs no restart any more', () => {
    const held = good();
    const { settings } = changesOf(held, good({ flags: ['--media-budget-ms=800'] }));
    expect(changesOf(settings, good())).toMatchObject({ changed: [], needRestart: [] });
  });

  test('of a side, or a side that is new or gone, needs a restart', () => {
    const mpls = good({ flags: ['--sides-mpls-networks=10.0.0.0/8'] });
    const keys = ['sides.mpls.aliases', 'sides.mpls.networks'];
    expect(changesOf(good(), mpls)).toMatchObject({ changed: [], needRestart: keys });
    expect(changesOf(mpls, good())).toMatchObject({ changed: [], needRestart: keys });
    expect(changesOf(good(), mpls).settings.sides).toEqual(good().sides);
  });
});

describe('tokens', () => {
  test('in a file of the same name are taken, and named by the setting', () => {
    const { changed, needRestart, settings } = changesOf(good(tokens(FIRST)), good(tokens(FIRST, SECOND)));
    expect({ changed, needRestart }).toEqual({ changed: ['http.token_file'], needRestart: [] });
    expect(settings.http.tokens.map(({ token }) => token)).toEqual([FIRST, SECOND]);
  });

  test('that are the same are no change', () => {
    expect(changesOf(good(tokens(FIRST)), good(tokens(FIRST)))).toMatchObject({
      changed: [],
      needRestart: [],
    });
  });

  test('that all go from a port others can reach stay until the restart, and never open it', () => {
    const held = good({ ...tokens(FIRST), flags: [...tokens().flags, OPEN] });
    const { changed, needRestart, settings } = changesOf(held, good());
    expect({ changed, needRestart }).toEqual({
      changed: [],
      needRestart: ['http.listen', 'http.token_file'],
    });
    expect(settings.http).toEqual(held.http);
    // And the next time too.
    expect(changesOf(settings, good()).settings.http.tokens).toEqual(held.http.tokens);
  });

  test('that change together with the port are taken at once', () => {
    const held = good({ ...tokens(FIRST), flags: [...tokens().flags, OPEN] });
    const { changed, settings } = changesOf(held, good(tokens(SECOND)));
    expect(changed).toEqual(['http.token_file']);
    expect(settings.http.tokens.map(({ token }) => token)).toEqual([SECOND]);
    expect(settings.http.listen).toEqual(held.http.listen);
  });
});

test('the clients of another ng port wait for it: they are not those of the present one', () => {
  const flags = ['--ng-listen=udp:10.0.0.1:2223', '--ng-clients=10.0.0.0/8'];
  const { changed, needRestart, settings } = changesOf(good(), good({ flags }));
  expect({ changed, needRestart }).toEqual({ changed: [], needRestart: ['ng.listen', 'ng.clients'] });
  expect(settings.ng).toEqual(good().ng);
});

describe('the port with TLS', () => {
  const pair = certificate();
  const files = { '/c': pair.cert, '/k': pair.key, '/other-k': pair.key, '/t': FIRST };
  const tls = (listen: string, key: string, ...flags: string[]): Settings =>
    good({ flags: [`--https-listen=${listen}`, '--https-cert=/c', `--https-key=${key}`, ...flags], files });

  test('takes another file, but not another address', () => {
    const { changed, needRestart, settings } = changesOf(
      tls('127.0.0.1:7889', '/k'),
      tls('127.0.0.1:7890', '/other-k'),
    );
    expect({ changed, needRestart }).toEqual({ changed: ['https.key'], needRestart: ['https.listen'] });
    expect(settings.https).toEqual({
      listen: { host: '127.0.0.1', port: 7889 },
      cert: '/c',
      key: '/other-k',
    });
  });

  test('that is new or gone needs a restart, with all that belongs to it', () => {
    const keys = ['https.listen', 'https.cert', 'https.key'];
    const held = tls('127.0.0.1:7889', '/k');
    expect(changesOf(good(), held)).toMatchObject({ changed: [], needRestart: keys });
    expect(changesOf(held, good())).toMatchObject({ changed: [], needRestart: keys });
    expect([changesOf(good(), held).settings.https, changesOf(held, good()).settings.https]).toEqual([
      null,
      held.https,
    ]);
  });

  test('that others can reach is never left without tokens', () => {
    const held = tls('192.0.2.1:7889', '/k', '--http-token-file=/t');
    const { needRestart, settings } = changesOf(held, tls('127.0.0.1:7889', '/k'));
    expect(needRestart).toEqual(['http.token_file', 'https.listen']);
    expect(settings.http.tokens).toEqual(held.http.tokens);
  });
});

test('the secret of webhooks needs a restart, also in a file of the same name', () => {
  const secret = (text: string): Settings =>
    good({ flags: ['--webhooks-secret-file=/s'], files: { '/s': text } });
  const { changed, needRestart, settings } = changesOf(secret(FIRST), secret(SECOND));
  expect({ changed, needRestart }).toEqual({ changed: [], needRestart: ['webhooks.secret_file'] });
  expect(settings.webhooks.secret).toBe(FIRST);
});

describe('a reload', () => {
  function start(first: Given = {}) {
    const applied: Changes[] = [];
    const state = { next: first };
    const reload = new Reload(good(first), {
      load: () => load(state.next),
      apply: (changes) => void applied.push(changes),
    });

    return { applied, state, reload };
  }

  test('applies what has changed since the last one', () => {
    const { applied, state, reload } = start();
    for (const level of ['debug', 'error', 'error']) {
      state.next = { flags: [`--log-level=${level}`] };
      reload.run();
    }
    expect(applied.map(({ changed }) => changed)).toEqual([['log.level'], ['log.level'], []]);
    expect(applied.map(({ settings }) => settings.log.level)).toEqual(['debug', 'error', 'error']);
  });

  test('says in a few words what waits for a restart, as long as it does', () => {
    const { state, reload } = start();
    expect(reload.note).toBe('');
    state.next = { flags: ['--media-budget-ms=800', '--log-level=debug'] };
    reload.run();
    expect(reload.note).toBe('restart for media.budget_ms');
    expect(reload.isRefused).toBe(false);
    reload.run();
    expect(reload.note).toBe('restart for media.budget_ms');
    state.next = {};
    reload.run();
    expect(reload.note).toBe('');
  });

  test('with wrong settings changes nothing and tells each problem; the next good one is measured against what holds', async () => {
    const { applied, state, reload } = start();
    state.next = { flags: ['--log-level=loud', '--stop-grace-ms=5', OPEN] };
    reload.run();
    expect(applied).toEqual([]);
    expect(reload.note).toBe('settings not taken: 2 problems, see the log');
    expect(reload.isRefused).toBe(true);
    expect(await events()).toMatchObject([
      {
        level: 'error',
        event: 'settings.bad',
        where: '--log-level',
        key: 'log.level',
        problem: expect.stringContaining('"loud"'),
      },
      { level: 'error', event: 'settings.bad', where: '--http-listen', key: 'http.listen' },
    ]);
    state.next = { flags: ['--stop-grace-ms=5'] };
    reload.run();
    expect(applied.map(({ changed }) => changed)).toEqual([['stop.grace_ms']]);
    expect(reload.note).toBe('');
  });

  test('never logs a token, good or bad', async () => {
    const { state, reload } = start(tokens(FIRST));
    state.next = tokens(FIRST, SECOND);
    reload.run();
    state.next = tokens('short-secret', `${SECOND}!`);
    reload.run();
    const written = JSON.stringify(await events());
    expect(written).toContain('settings.bad');
    for (const secret of [FIRST, SECOND, 'short-secret']) expect(written).not.toContain(secret);
  });
});
