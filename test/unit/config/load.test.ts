import { describe, expect, test } from 'bun:test';
import { defaultConfig, settingsHelp, settingsMarkdown } from '../../../src/config/describe.ts';
import { BadSettings, DEFAULT_FILE, loadSettings } from '../../../src/config/load.ts';
import { envName, FIXED_ROWS, flagName, TABLE } from '../../../src/config/rows.ts';
import type { Settings } from '../../../src/config/settings.ts';
import { formatProblem } from '../../../src/config/sources.ts';
import { isInNetwork } from '../../../src/util/ip.ts';

const TOKEN = 'abcdefghijklmnop0123';

class Missing extends Error {
  readonly code = 'ENOENT';
}

interface Given {
  toml?: string;
  argv?: string[];
  env?: Record<string, string>;
  files?: Record<string, string>;
}

function load({ toml, argv = [], env = {}, files = {} }: Given): Settings | BadSettings {
  const all: Record<string, string> = { ...files, ...(toml === undefined ? {} : { [DEFAULT_FILE]: toml }) };

  return loadSettings({
    argv,
    env,
    readText: (path) => {
      const text = all[path];
      if (text === undefined) throw new Missing('no such file');

      return text;
    },
  });
}

function good(given: Given): Settings {
  const settings = load(given);
  if (settings instanceof BadSettings) throw new Error(settings.problems.map(formatProblem).join('\n'));

  return settings;
}

function problems(given: Given): string[] {
  const settings = load(given);

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : [];
}

describe('settings without any source', () => {
  test('are the defaults of the table, and the missing default file is no problem', () => {
    const settings = good({});

    expect(settings.file).toBeNull();
    expect(settings.http).toEqual({
      listen: { host: '127.0.0.1', port: 7888 },
      unix: '',
      hosts: [],
      maxBodyBytes: 65_536,
      tokens: [],
    });
    expect(settings.database).toEqual({ path: '/var/lib/rtp-cluster/rtp-cluster.db', synchronous: 'full' });
    expect(settings.media).toEqual({ budgetMs: 900, firstTryMs: 280, retransmitMs: 150 });
    expect(settings.calls).toEqual({
      max: 500_000,
      keepEndedS: 3600,
      maxIdleS: 86_400,
      maxUnansweredS: 3600,
      keepEndedMax: 100_000,
      checkAfterS: 900,
    });
    expect(settings.explain).toEqual({ keepS: 86_400, keepMax: 300_000 });
    expect(settings.checks).toEqual({ canary: 'off', reconcileS: 300 });
    expect(settings.rtpproxy).toEqual({ noticeSocket: null, noticeListen: null });
    expect(settings.drain).toEqual({ hook: '' });
    expect(settings.events).toEqual({ keepMax: 100_000, keepS: 604_800 });
    expect(settings.stop).toEqual({ graceMs: 3000 });
    expect(settings.log).toEqual({ level: 'info', format: 'auto' });
    expect(settings.sides.names).toEqual(['inner', 'outer']);
    expect(settings.sides.aliases.get('pub')).toBe('outer');
    expect(settings.networks).toEqual([]);
    expect(settings.origins.every(({ source }) => source === 'default')).toBeTrue();
  });

  test('each default is a value the setting itself takes', () => {
    for (const row of FIXED_ROWS) {
      expect(
        problems({ env: { [envName(row.key)]: String(row.show(row.fallback)).replace(/["[\]]/g, '') } }),
      ).toEqual([]);
    }
  });

  test('each key of the table says its section', () => {
    for (const [section, rows] of Object.entries(TABLE))
      for (const row of Object.values(rows)) expect(row.key).toStartWith(`${section}.`);
  });
});

describe('order of the sources', () => {
  const toml = '[log]\nlevel = "debug"\n';

  test('file beats default', () => {
    expect(good({ toml }).log.level).toBe('debug');
  });

  test('environment beats file, flag beats environment, and the origin is kept', () => {
    const env = { RTP_CLUSTER_LOG_LEVEL: 'warning' };
    expect(good({ toml, env }).log.level).toBe('warning');
    const settings = good({ toml, env, argv: ['--log-level', 'error'] });
    expect(settings.log.level).toBe('error');
    expect(settings.origins.find(({ key }) => key === 'log.level')).toEqual({
      key: 'log.level',
      source: 'flag',
      where: '--log-level',
      shown: '"error"',
      reloads: true,
    });
  });

  test('a value of the file has its line as origin', () => {
    const settings = good({
      toml: '# comment\n[http]\nhosts = [\n  "a.example",\n]\n[media]\nbudget_ms = 1000\n',
    });
    expect(settings.origins.find(({ key }) => key === 'media.budget_ms')?.where).toBe(`${DEFAULT_FILE}:7`);
  });

  test('--config beats RTP_CLUSTER_CONFIG', () => {
    const files = { '/a': '[stop]\ngrace_ms = 1\n', '/b': '[stop]\ngrace_ms = 2\n' };
    const env = { RTP_CLUSTER_CONFIG: '/a' };
    expect(good({ files, env }).stop.graceMs).toBe(1);
    const settings = good({ files, env, argv: ['--config=/b'] });
    expect(settings.stop.graceMs).toBe(2);
    expect(settings.file).toBe('/b');
  });

  test('lists have commas in the environment and in flags', () => {
    const env = { RTP_CLUSTER_SIDES_INNER_NETWORKS: '10.0.0.0/8, 192.168.0.0/16' };
    expect(good({ env }).networks.map(({ side }) => side)).toEqual(['inner', 'inner']);
    expect(good({ argv: ['--http-hosts', 'A.example,b.example'] }).http.hosts).toEqual([
      'a.example',
      'b.example',
    ]);
  });

  test('every setting has a variable and a flag', () => {
    expect(envName('http.max_body')).toBe('RTP_CLUSTER_HTTP_MAX_BODY');
    expect(flagName('http.max_body')).toBe('--http-max-body');
  });
});

describe('files', () => {
  test('a file named with --config or RTP_CLUSTER_CONFIG must exist', () => {
    expect(problems({ argv: ['--config', '/x'] })).toEqual([
      '--config: cannot read /x: there is no such file',
    ]);
    expect(problems({ env: { RTP_CLUSTER_CONFIG: '/x' } })).toEqual([
      'RTP_CLUSTER_CONFIG: cannot read /x: there is no such file',
    ]);
  });

  test('a syntax error names line and column', () => {
    expect(problems({ toml: '[http]\nlisten = \n' })[0]).toMatch(/config\.toml:2: column \d+: .+ syntax/);
  });

  test('unknown keys, sections and settings of sides are refused with a guess', () => {
    expect(
      problems({
        toml: 'listen = "x"\n[htp]\n[media]\nbudgt_ms = 1\n[sides.inner]\nnetwork = []\n[sides.In]\n',
      }),
    ).toEqual([
      `${DEFAULT_FILE}:1: listen: there is no such setting; did you mean http.listen?`,
      `${DEFAULT_FILE}:2: htp: there is no such section; did you mean http?`,
      `${DEFAULT_FILE}:4: media.budgt_ms: there is no such setting; did you mean media.budget_ms?`,
      `${DEFAULT_FILE}:6: sides.inner.network: there is no such setting of a side; did you mean networks?`,
      expect.stringContaining(`${DEFAULT_FILE}:7: sides.In: this name of a side is not allowed`),
    ]);
  });

  test('all problems are told at once, each with its line, what was read and what is allowed', () => {
    expect(
      problems({ toml: '[media]\nbudget_ms = 50\nretransmit_ms = "150"\n[log]\nlevel = "loud"\n' }),
    ).toEqual([
      `${DEFAULT_FILE}:2: media.budget_ms: is 50; allowed is a whole number from 100 to 10000 (ms)`,
      `${DEFAULT_FILE}:3: media.retransmit_ms: is "150"; allowed is a whole number from 20 to 2000 (ms), without quotes`,
      `${DEFAULT_FILE}:5: log.level: is "loud"; allowed is one of "debug", "info", "warning", "error"`,
    ]);
  });

  test('numbers no number can hold, dates and tables are refused', () => {
    const toml =
      '[calls]\nmax = 99999999999999999999\nkeep_ended_s = 2026-01-01\n[calls.max_idle_s]\na = 1\n';
    expect(problems({ toml })).toHaveLength(3);
  });

  test('a list must be a list, and the bad item is named', () => {
    expect(problems({ toml: '[http]\nhosts = "a"\n' })[0]).toContain('as in ["a", "b"]');
    expect(problems({ toml: '[sides.inner]\nnetworks = ["10.0.0.0/8", "10.0.0.0/33"]\n' })[0]).toContain(
      'sides.inner.networks: has "10.0.0.0/33"; allowed is',
    );
  });

  test('a key that would reach the prototype is refused', () => {
    expect(problems({ toml: '[__proto__]\na = 1\n' })).toHaveLength(1);
  });
});

describe('environment and flags', () => {
  test('a misspelt variable of our sections is refused, others are none of our business', () => {
    expect(problems({ env: { RTP_CLUSTER_HTTP_LISTN: 'x' } })[0]).toContain(
      'did you mean RTP_CLUSTER_HTTP_LISTEN?',
    );
    expect(
      problems({
        env: {
          RTP_CLUSTER_URL: 'x',
          RTP_CLUSTER_HTTP_SERVICE_HOST: '1',
          RTP_CLUSTER_HTTP_PORT_80_TCP: '1',
          HOME: '/',
        },
      }),
    ).toEqual([]);
  });

  test('unknown flags, missing values, repeated flags and stray words are refused', () => {
    expect(problems({ argv: ['--http-lisen', 'x'] })[0]).toContain('did you mean --http-listen?');
    expect(problems({ argv: ['--log-level'] })).toEqual(['--log-level: a value must follow']);
    expect(problems({ argv: ['--log-level', '--log-format=json'] })).toEqual([
      '--log-level: a value must follow',
    ]);
    expect(problems({ argv: ['--log-level=info', '--log-level=info'] })[0]).toContain('given twice');
    expect(problems({ argv: ['start'] })[0]).toContain('is no flag');
  });

  test('a token on the command line is refused with the reason, and not repeated in the message', () => {
    const [problem = ''] = problems({ argv: ['--token', TOKEN] });
    expect(problem).toContain('never given on the command line');
    expect(problem).not.toContain(TOKEN);
  });
});

describe('tokens and the listen address', () => {
  test('an address other hosts can reach needs a token', () => {
    for (const listen of ['0.0.0.0:7888', '[::]:7888', '192.0.2.1:1']) {
      expect(problems({ argv: ['--http-listen', listen] })[0]).toContain('there is no token');
      expect(problems({ argv: ['--http-listen', listen, '--http-token-file='] })[0]).toContain(
        'there is no token',
      );
      expect(problems({ argv: ['--http-listen', listen], env: { RTP_CLUSTER_TOKEN: TOKEN } })).toEqual([]);
    }
  });

  test('loopback addresses need none', () => {
    for (const listen of ['127.0.0.1:1', '127.8.8.8:65535', '[::1]:7888', 'localhost:0'])
      expect(problems({ argv: ['--http-listen', listen] })).toEqual([]);
  });

  test('addresses that are none are refused', () => {
    for (const listen of [
      '7888',
      ':7888',
      'example.org:7888',
      '::1:7888',
      '127.0.0.1:65536',
      '[127.0.0.1]:1',
      '',
    ])
      expect(problems({ argv: [`--http-listen=${listen}`] })[0]).toContain('allowed is address:port');
  });

  test('the token file gives one token a line, the environment one more', () => {
    const files = { '/t': `# for the proxies\r\n${TOKEN}\r\n\r\n  ${TOKEN}2\r\n` };
    const env = { RTP_CLUSTER_TOKEN: `${TOKEN}3`, RTP_CLUSTER_HTTP_TOKEN_FILE: '/t' };
    expect(good({ files, env }).http.tokens).toEqual([
      { role: 'admin', name: 'line-2', token: TOKEN },
      { role: 'admin', name: 'line-4', token: `${TOKEN}2` },
      { role: 'admin', name: 'RTP_CLUSTER_TOKEN', token: `${TOKEN}3` },
    ]);
  });

  test('unreadable, empty, short and broken tokens are problems that show no token', () => {
    const tokenFile = (content: string): string[] =>
      problems({ files: { '/t': content }, argv: ['--http-token-file', '/t'] });
    expect(problems({ argv: ['--http-token-file', '/none'] })[0]).toContain('cannot read /none');
    expect(tokenFile('# nothing\n')[0]).toContain('holds no token');
    expect(tokenFile(`${TOKEN}\nsecret\n`)).toEqual([
      expect.stringContaining('/t:2: http.token_file: the token has 6 characters; allowed are 16 or more'),
    ]);
    expect(tokenFile('sixteen letters and blanks\n')[0]).not.toContain('sixteen letters');
    expect(problems({ env: { RTP_CLUSTER_TOKEN: '' } })[0]).toContain('set but empty');
  });

  test('a bad token on an open address is told once', () => {
    expect(
      problems({ argv: ['--http-listen', '0.0.0.0:1'], env: { RTP_CLUSTER_TOKEN: 'short' } }),
    ).toHaveLength(1);
  });
});

describe('rules between settings', () => {
  test('the first try must end before the budget', () => {
    expect(problems({ toml: '[media]\nbudget_ms = 280\n' })[0]).toStartWith(
      `${DEFAULT_FILE}:2: media.budget_ms: `,
    );
    expect(problems({ argv: ['--media-first-try-ms', '900'] })[0]).toStartWith('--media-first-try-ms: ');
    expect(problems({ toml: '[media]\nbudget_ms = 281\n' })).toEqual([]);
  });
});

describe('sides', () => {
  test('further sides appear by naming them, with or without settings', () => {
    const settings = good({ toml: '[sides.mpls]\naliases = ["Core"]\n[sides.carrier2]\n' });
    expect(settings.sides.names).toEqual(['inner', 'outer', 'mpls', 'carrier2']);
    expect(settings.sides.aliases.get('core')).toBe('mpls');
  });

  test('variables and flags find a side with "-" in its name', () => {
    const toml = '[sides.carrier-2]\n';
    const settings = good({ toml, env: { RTP_CLUSTER_SIDES_CARRIER_2_NETWORKS: '192.0.2.0/24' } });
    expect(settings.sides.names).toEqual(['inner', 'outer', 'carrier-2']);
    expect(settings.networks[0]?.side).toBe('carrier-2');
    expect(
      problems({ toml: '[sides.c-2]\n[sides.c_2]\n', argv: ['--sides-c-2-networks', '10.0.0.0/8'] })[0],
    ).toContain('may mean the sides c-2 or c_2');
  });

  test('names that are directions are refused, in every source', () => {
    expect(problems({ toml: '[sides.out]\n' })).toHaveLength(1);
    expect(problems({ env: { RTP_CLUSTER_SIDES_IN_ALIASES: 'x' } })[0]).toContain('not allowed');
    expect(problems({ toml: '[sides.mpls]\naliases = ["in"]\n' })[0]).toContain('has "in"');
  });

  test('an alias belongs to one side and is no name of another', () => {
    expect(problems({ toml: '[sides.mpls]\naliases = ["priv"]\n' })[0]).toContain(
      'alias of side inner already',
    );
    expect(problems({ toml: '[sides.public]\n' })[0]).toContain('set sides.outer.aliases without it');
    expect(problems({ toml: '[sides.public]\n[sides.outer]\naliases = ["pub"]\n' })).toEqual([]);
  });

  test('the longest prefix stands first, whatever the order of the file', () => {
    const { networks } = good({
      toml: '[sides.inner]\nnetworks = ["10.0.0.0/8"]\n[sides.outer]\nnetworks = ["10.9.0.0/16", "2001:db8::/32"]\n',
    });
    const sideOf = (ip: string): string | undefined =>
      networks.find(({ network }) => isInNetwork(ip, network))?.side;
    expect(sideOf('10.9.1.1')).toBe('outer');
    expect(sideOf('10.8.1.1')).toBe('inner');
    expect(sideOf('2001:db8::1')).toBe('outer');
    expect(sideOf('192.0.2.1')).toBeUndefined();
  });

  test('one network on two sides is refused, however it is written', () => {
    const toml = '[sides.inner]\nnetworks = ["10.0.0.0/8"]\n[sides.outer]\nnetworks = ["10.1.2.3/8"]\n';
    expect(problems({ toml })[0]).toStartWith(
      `${DEFAULT_FILE}:4: sides.outer.networks: 10.1.2.3/8 is a network of side inner`,
    );
  });
});

describe('texts made of the table', () => {
  test('the default file is read without problems and changes nothing, commented or not', () => {
    const shown = ({ origins }: Settings): string[] => origins.map(({ key, shown }) => `${key}=${shown}`);
    const defaults = shown(good({}));
    expect(shown(good({ toml: defaultConfig() }))).toEqual(defaults);
    const active = defaultConfig()
      .replace(/^#(\w+ = )/gm, '$1')
      .replace('networks = ["10.64.0.0/10"]', '');
    const settings = good({ toml: active });
    expect(shown(settings)).toEqual(defaults);
    expect(settings.origins.every(({ source }) => source === 'file')).toBeTrue();
  });

  test('help and documents name every setting', () => {
    const help = settingsHelp();
    const table = settingsMarkdown();
    for (const { key } of FIXED_ROWS) {
      expect(help).toContain(`${flagName(key)} VALUE`);
      expect(table).toContain(`| \`${key}\` |`);
    }
    expect(help).toContain('--sides-NAME-networks VALUE');
  });
});
