/** Completion: what may stand there, and that real shells offer it. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { COMMANDS } from '../../../src/commands/commands.ts';
import { complete } from '../../../src/commands/complete.ts';
import { run } from '../../../src/commands/completion.ts';
import { type Stub, startStub, testIo } from './stub.ts';

let stub: Stub;

beforeAll(() => {
  stub = startStub({
    'GET /v1/nodes': {
      nodes: [
        { id: 3, socket: 'udp:10.0.0.3:22' },
        { id: 31, socket: 'a\tb\n' },
        { id: '$(reboot)', socket: '' },
      ],
    },
    'GET /v1/sets': { sets: [{ id: 0, description: 'main' }] },
  });
});
afterAll(() => stub.stop());

/** What the words of a line may end with; the last one is being typed. */
async function offered(line: string, env: Record<string, string> = {}): Promise<string[] | 'files'> {
  const found = await complete(
    line.split(' '),
    testIo({ RTP_CLUSTER_URL: stub.url, RTP_CLUSTER_CONFIG: '/dev/null', ...env }),
  );

  return found === 'files' ? found : found.map(({ word }) => word);
}

describe('completion offers', () => {
  test('all commands, with what they do', async () => {
    const found = await complete([''], testIo());
    expect(found).toEqual([
      ...COMMANDS.map(({ name, summary }) => ({ word: name, description: summary })),
      ...['help', '--help', '--version'].map((word) => expect.objectContaining({ word })),
    ]);
    expect(await offered('help no')).toEqual(['node']);
    expect(await offered('help node ')).toEqual([]);
  });

  test.each([
    ['no', ['node']],
    ['--v', ['--version']],
    ['nonsense ', []],
    ['node nonsense ', []],
    ['node dr', ['drain']],
    ['completion ', ['bash', 'zsh', 'fish', 'words', '--help']],
    ['node list --w', ['--wide']],
    ['node drain 3 --reason x --de', ['--deadline']],
    ['node drain 3 --deadline 5m --deadline --de', []],
    ['call list --state ', ['live', 'announced', 'early', 'confirmed', 'ended', 'all']],
    ['call list --state = co', ['confirmed']],
    ['call list --state =', ['live', 'announced', 'early', 'confirmed', 'ended', 'all']],
    ['call list --state=co', ['--state=confirmed']],
    ['set change 0 --policy l', ['least-load']],
    ['node add udp:1 --kind ', ['rtpengine', 'rtpproxy']],
    ['node add udp:1 --inner 10.0.0.1 --inn', ['--inner']],
    ['fake-relay --release ', ['2.1', '3.1', '3.2']],
    ['check --def', ['--defaults']],
    ['serve --http-l', ['--http-listen']],
    ['version --', ['--json', '--help']],
    ['node add ', []],
    ['explain ', []],
  ])('for "%s": %j', async (line, words) => {
    expect(await offered(line)).toEqual(words);
  });

  test.each([
    'apply ',
    'restore /x',
    'support-bundle ',
    'node list --ca-file ',
    'serve --config ',
    'serve --config=/',
  ])('files for "%s"', async (line) => {
    expect(await offered(line)).toBe('files');
  });

  test.each([
    ['node show ', ['3', '31']],
    ['node drain 3', ['3', '31']],
    ['events --node ', ['3', '31']],
    ['call list --set ', ['0']],
    ['set change ', ['0']],
    ['node show 3 --', ['--url', '--unix', '--token-file', '--ca-file', '--json', '--help']],
  ])('ids the service knows, and no other text of it, for "%s"', async (line, words) => {
    expect(await offered(line)).toEqual(words);
  });

  test('ids of the service the line names', async () => {
    const env = { RTP_CLUSTER_URL: 'http://127.0.0.1:1' };
    expect(await offered('node show ', env)).toEqual([]);
    expect(await offered(`node show --url ${stub.url} `, env)).toEqual(['3', '31']);
  });

  test('nothing if the service is silent, after a second', async () => {
    const silent = Bun.listen({ hostname: '127.0.0.1', port: 0, socket: { data() {} } });
    const begin = performance.now();
    expect(await offered('node show ', { RTP_CLUSTER_URL: `http://127.0.0.1:${silent.port}` })).toEqual([]);
    expect(performance.now() - begin).toBeLessThan(3000);
    silent.stop(true);
  });

  test('flags with the words of the help, and texts of strangers without their powers', async () => {
    const io = testIo({ RTP_CLUSTER_URL: stub.url, RTP_CLUSTER_CONFIG: '/dev/null' });
    expect(await run(['words', '--', 'node', 'drain', '3', '--wa'], io)).toBe(0);
    expect(await run(['words', '--', 'node', 'show', '31'], io)).toBe(0);
    expect(await run(['words', '--', 'apply', ''], io)).toBe(0);
    expect(io.outLines).toEqual([
      '--wait\tWait until the node is empty: exit code 0; or until its deadline is over with calls',
      '31\ta?b?',
      ':files',
    ]);
  });
});

test('completion of a shell nobody knows is a wrong call', async () => {
  for (const argv of [[], ['tcsh'], ['bash', 'more']]) {
    const io = testIo();
    expect(await run(argv, io)).toBe(2);
    expect(io.errLines[0]).toContain('allowed is bash, zsh, fish or words');
  }
});

describe.each([
  ['bash', ['bash', '--norc', '--noprofile', '-i'], 'eval "$(rtp-cluster completion bash)"'],
  ['zsh', ['zsh', '-f', '-i'], 'autoload -U compinit; compinit -u -D; eval "$(rtp-cluster completion zsh)"'],
  ['fish', ['fish', '--no-config', '-i'], 'rtp-cluster completion fish | source'],
] as const)('a real %s', (shell, command, load) => {
  let folder = '';

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
    const main = join(import.meta.dir, '../../../src/main.ts');
    const program = join(folder, 'rtp-cluster');
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`);
    chmodSync(program, 0o755);
    writeFileSync(join(folder, 'fleet of mine.toml'), '');
    mkdirSync(join(folder, 'folder one'));
    writeFileSync(join(folder, 'folder one', 'inner.toml'), '');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** Types into the shell; a line is sent when the shell has shown what was waited for. */
  async function type(...steps: readonly (readonly [text: string, until: string])[]): Promise<string> {
    let text = '';
    let wake: () => void = () => undefined;
    const child = Bun.spawn([...command], {
      cwd: folder,
      env: {
        PATH: `${folder}:${process.env.PATH}`,
        HOME: folder,
        TERM: 'xterm',
        PS1: 'ready> ',
        RTP_CLUSTER_URL: stub.url,
        RTP_CLUSTER_CONFIG: '/dev/null',
      },
      terminal: {
        cols: 200,
        rows: 50,
        data(_terminal, bytes) {
          text += Buffer.from(bytes).toString('utf8');
          wake();
        },
      },
    });
    const deadline = Date.now() + 15_000;
    for (const [input, until] of steps) {
      const from = text.length;
      child.terminal?.write(input);
      while (!Bun.stripANSI(text.slice(from)).includes(until)) {
        if (Date.now() > deadline) break;
        await Promise.race([new Promise<void>((resolve) => (wake = resolve)), Bun.sleep(200)]);
      }
    }
    child.kill('SIGKILL');
    await child.exited;
    child.terminal?.close();

    return Bun.stripANSI(text);
  }

  test.skipIf(Bun.which(shell) === null)(
    'completes an action, a value, an id and names of files with blanks by TAB',
    async () => {
      // The marks are put together by the shell, so that the echo of the line does not hold them.
      const text = await type(
        [`${load}; echo load''ed\r`, 'loaded'],
        ['rtp-cluster node dra\t', 'node drain'],
        ['\u0015rtp-cluster call list --state con\t', '--state confirmed'],
        ['\u0015rtp-cluster node show 31\t', 'show 31 '],
        ['\u0015rtp-cluster apply fl\t', 'fleet\\ of\\ mine.toml'],
        ['\u0015rtp-cluster apply folder\\ one/in\t', 'inner.toml'],
      );
      expect(text).toContain('node drain');
      expect(text).toContain('--state confirmed');
      expect(text).toContain('show 31 ');
      expect(text).toContain('fleet\\ of\\ mine.toml');
      expect(text).toContain('inner.toml');
    },
    20_000,
  );
});
