import { describe, expect, test } from 'bun:test';
import { BadSettings, loadSettings } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/sources.ts';

const SECRET = 'a secret of many words';

function load(env: Record<string, string>, secretFile = SECRET) {
  const settings = loadSettings({
    argv: [],
    env,
    readText: (path) => {
      if (path === '/secret') return secretFile;
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    },
  });

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : settings.webhooks;
}

const WITH_SECRET = { RTP_CLUSTER_WEBHOOKS_SECRET_FILE: '/secret' };

describe('webhooks', () => {
  test('are none unless told, and then of the fleet and the disk, not of calls', () => {
    expect(load({})).toEqual({
      urls: [],
      kinds: ['node.*', 'set.*', 'store.*', 'https.*'],
      secret: '',
      timeoutMs: 5000,
    });
  });

  test('take URLs, patterns and a key from a file', () => {
    const env = {
      ...WITH_SECRET,
      RTP_CLUSTER_WEBHOOKS_URLS: 'https://hooks.example.org/x?y=1, http://127.0.0.1:9000',
      RTP_CLUSTER_WEBHOOKS_KINDS: 'node.removed,call.*',
    };
    expect(load(env, `# for the pager\n\n ${SECRET} \r\n`)).toEqual({
      urls: ['https://hooks.example.org/x?y=1', 'http://127.0.0.1:9000/'],
      kinds: ['node.removed', 'call.*'],
      secret: SECRET,
      timeoutMs: 5000,
    });
  });

  test.each([
    'ftp://a.example/',
    'hooks.example.org',
    'https://user:word@a.example/',
    'https://a.example/#part',
    `https://a.example/${'x'.repeat(2048)}`,
  ])('refuse the URL %s', (url) => {
    expect(load({ RTP_CLUSTER_WEBHOOKS_URLS: url })).toEqual([
      expect.stringContaining('allowed is a list of at most 8, each an http or https URL'),
    ]);
  });

  test('are not repeated in a message: a URL may be the key to a chat room', () => {
    const secret = 'https://user:s3cret-word@a.example/T0P/';
    const inFile = (line: string) => {
      const settings = loadSettings({ argv: ['--config', '/c'], env: {}, readText: () => line });

      return settings instanceof BadSettings ? settings.problems.map(formatProblem) : [];
    };
    for (const problems of [
      load({ RTP_CLUSTER_WEBHOOKS_URLS: secret }),
      inFile(`[webhooks]\nurls = ["${secret}"]`),
      inFile(`[webhooks]\nurls = "${secret}"`),
    ]) {
      expect(problems).toHaveLength(1);
      expect(JSON.stringify(problems)).not.toMatch(/s3cret|T0P/);
    }
  });

  test('refuse a ninth URL', () => {
    const urls = Array.from({ length: 9 }, (_, index) => `https://a${index}.example/`);
    expect(load({ RTP_CLUSTER_WEBHOOKS_URLS: urls.join(',') })).toEqual([
      expect.stringContaining('at most 8'),
    ]);
  });

  test('refuse what is no pattern of kinds', () => {
    expect(load({ RTP_CLUSTER_WEBHOOKS_KINDS: 'node*' })).toEqual([expect.stringContaining('node.removed')]);
  });

  test.each([
    ['short', '5 characters'],
    ['', '0 characters'],
    [`${SECRET}\n${SECRET}`, '2 lines'],
  ])('refuse the key "%s" without showing it', (content, what) => {
    const [problem, ...others] = load(WITH_SECRET, content) as string[];
    expect(problem).toContain(`/secret: webhooks.secret_file: the file holds ${what}`);
    expect(problem).not.toContain(SECRET);
    expect(others).toEqual([]);
  });

  test('say which file with a key cannot be read', () => {
    expect(load({ RTP_CLUSTER_WEBHOOKS_SECRET_FILE: '/none' })).toEqual([
      expect.stringContaining('cannot read /none: there is no such file'),
    ]);
  });
});
