/** The settings that say who may ask: tokens with their roles, and the certificate of https. */

import { describe, expect, test } from 'bun:test';
import { BadSettings, loadSettings } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/sources.ts';
import { certificate } from '../http/certificates.ts';

const TOKEN = 'abcdefghijklmnop0123';

interface Given {
  readonly argv?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
}

function load({ argv = [], env = {}, files = {} }: Given) {
  return loadSettings({
    argv,
    env,
    readText: (path) => {
      const text = files[path];
      if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' });

      return text;
    },
  });
}

function problems(given: Given): string[] {
  const settings = load(given);

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : [];
}

function tokens(given: Given) {
  const settings = load(given);

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : settings.http.tokens;
}

const fromFile = (content: string): Given => ({ files: { '/t': content }, argv: ['--http-token-file=/t'] });

describe('a line of the token file', () => {
  test('has role, name and token; a token alone is an admin named by its line', () => {
    const content = `# who may\ncall proxy-1 ${TOKEN}1\n\n  read\tmon.example_2   ${TOKEN}2\r\nadmin anna ${TOKEN}3\n${TOKEN}4\n`;
    expect(tokens(fromFile(content))).toEqual([
      { role: 'call', name: 'proxy-1', token: `${TOKEN}1` },
      { role: 'read', name: 'mon.example_2', token: `${TOKEN}2` },
      { role: 'admin', name: 'anna', token: `${TOKEN}3` },
      { role: 'admin', name: 'line-6', token: `${TOKEN}4` },
    ]);
  });

  test('may have a name that stands there twice: two tokens of one person, while one is replaced', () => {
    expect(tokens(fromFile(`admin anna ${TOKEN}1\nadmin anna ${TOKEN}2\n`))).toHaveLength(2);
  });

  test.each([
    [`admin ${TOKEN}`, 'the line has 2 words; a line is ROLE NAME TOKEN'],
    [`admin anna ${TOKEN} x`, 'the line has 4 words'],
    [`root anna ${TOKEN}`, 'the first of its three words is no role'],
    [`${TOKEN} anna admin`, 'the first of its three words is no role'],
    [`admin an/na ${TOKEN}`, 'the name, its second word'],
    [`admin ${'n'.repeat(65)} ${TOKEN}`, 'the name, its second word'],
    ['admin anna short', 'the token has 5 characters; allowed are 16 or more'],
    [`admin anna ${TOKEN}ä`, 'the token has a character that no bearer token may have'],
    [`${TOKEN}1\nread anna ${TOKEN}1`, 'the token is that of line 1 too'],
  ])('%p is refused with its line, and no word of it is shown', (content, message) => {
    const found = problems(fromFile(content));
    expect(found).toEqual([expect.stringContaining(`http.token_file: ${message}`)]);
    expect(found[0]).toStartWith(`/t:${content.split('\n').length}: `);
    expect(found[0]).not.toMatch(new RegExp(`${TOKEN}|an/na|root|\\bshort\\b`));
  });
});

describe('RTP_CLUSTER_TOKEN', () => {
  test('is an admin of that name', () => {
    expect(tokens({ env: { RTP_CLUSTER_TOKEN: TOKEN } })).toEqual([
      { role: 'admin', name: 'RTP_CLUSTER_TOKEN', token: TOKEN },
    ]);
  });

  test('may not be a token of the file too: nobody could say which role it has', () => {
    const found = problems({ ...fromFile(`read anna ${TOKEN}`), env: { RTP_CLUSTER_TOKEN: TOKEN } });
    expect(found).toEqual([expect.stringContaining('RTP_CLUSTER_TOKEN: the token is in the token file too')]);
    expect(found[0]).not.toContain(TOKEN);
  });
});

describe('the systemd credential', () => {
  const env = { CREDENTIALS_DIRECTORY: '/run/credentials/x' };

  test('is the token file if no other is named', () => {
    const files = { '/run/credentials/x/tokens': `read anna ${TOKEN}`, '/t': `call proxy ${TOKEN}` };
    expect(tokens({ env, files })).toEqual([{ role: 'read', name: 'anna', token: TOKEN }]);
    expect(tokens({ env, files, argv: ['--http-token-file=/t'] })).toMatchObject([{ role: 'call' }]);
  });

  test('may be missing, or without tokens: nobody asked for any', () => {
    expect(tokens({ env })).toEqual([]);
    expect(tokens({ env, files: { '/run/credentials/x/tokens': '# none yet\n' } })).toEqual([]);
    expect(tokens({ env: { CREDENTIALS_DIRECTORY: '' } })).toEqual([]);
  });

  test('is no excuse for a network address without tokens, nor for a broken line', () => {
    const files = { '/run/credentials/x/tokens': '# none yet\n' };
    expect(problems({ env, files, argv: ['--http-listen=0.0.0.0:1'] })[0]).toContain('there is no token');
    const broken = { '/run/credentials/x/tokens': 'short' };
    expect(problems({ env, files: broken })[0]).toStartWith('/run/credentials/x/tokens:1: ');
  });
});

describe('https', () => {
  const PAIR = certificate();
  const OTHER = certificate({ name: 'other.example' });
  const FILES = { '/cert': PAIR.cert, '/key': PAIR.key, '/other': OTHER.key };
  const flags = (listen: string, cert: string, key: string): string[] => [
    `--https-listen=${listen}`,
    `--https-cert=${cert}`,
    `--https-key=${key}`,
  ];

  test('is nowhere by default', () => {
    expect(load({})).toMatchObject({ https: null });
    expect(problems({ argv: ['--https-listen='] })).toEqual([]);
  });

  test('takes a certificate and its key', () => {
    expect(load({ files: FILES, argv: flags('127.0.0.1:7889', '/cert', '/key') })).toMatchObject({
      https: { listen: { host: '127.0.0.1', port: 7889 }, cert: '/cert', key: '/key' },
    });
    // Those above it stand in the same file.
    const chain = { ...FILES, '/cert': `${PAIR.cert}${OTHER.cert}` };
    expect(problems({ files: chain, argv: flags('127.0.0.1:7889', '/cert', '/key') })).toEqual([]);
  });

  test.each([
    ['', '/key', '--https-listen: https.listen: is 127.0.0.1:7889, but https.cert names no file'],
    ['/cert', '', '--https-listen: https.listen: is 127.0.0.1:7889, but https.key names no file'],
    ['', '', 'but https.cert and https.key name no file; TLS needs'],
    ['/none', '/key', '--https-cert: https.cert: cannot read /none: there is no such file'],
    ['/cert', '/none', '--https-key: https.key: cannot read /none: there is no such file'],
    ['/key', '/key', 'https.cert: /key holds no certificate; allowed is PEM'],
    ['/cert', '/cert', 'https.key: /cert holds no private key; allowed is PEM'],
    ['/cert', '/other', 'https.key: /other does not belong to the first certificate of the other file'],
    ['/cert', '/locked', 'https.key: /locked has a password'],
  ])('with the files %p and %p is refused before the start', (cert, key, message) => {
    const locked = PAIR.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY');
    const files = { ...FILES, '/locked': locked };
    const found = problems({ files, argv: flags('127.0.0.1:7889', cert, key) });
    expect(found).toEqual([expect.stringContaining(message)]);
    expect(found[0]).not.toContain(PAIR.key.split('\n')[1] ?? 'nothing');
  });

  test.each(['https-cert', 'https-key'])('--%s alone is refused: nobody would be served with it', (flag) => {
    expect(problems({ files: FILES, argv: [`--${flag}=/cert`] })).toEqual([
      expect.stringContaining('is given, but https.listen is not: nothing is served with TLS'),
    ]);
  });

  test('on an address other hosts can reach needs a token, as http does', () => {
    const argv = flags('0.0.0.0:7889', '/cert', '/key');
    expect(problems({ files: FILES, argv })).toEqual([expect.stringContaining('there is no token')]);
    expect(problems({ files: FILES, argv, env: { RTP_CLUSTER_TOKEN: TOKEN } })).toEqual([]);
  });

  test('needs a port of its own', () => {
    const argv = flags('127.0.0.1:7888', '/cert', '/key');
    expect(problems({ files: FILES, argv })).toEqual([
      expect.stringContaining('is 127.0.0.1:7888, and http.listen has port 7888 too'),
    ]);
    const free = [...flags('127.0.0.1:0', '/cert', '/key'), '--http-listen=127.0.0.1:0'];
    expect(problems({ files: FILES, argv: free })).toEqual([]);
  });

  test('with an address that is none is told once', () => {
    expect(problems({ files: FILES, argv: flags('everywhere', '/cert', '/key') })).toEqual([
      expect.stringContaining('https.listen'),
    ]);
  });
});
