import { expect, test } from 'bun:test';
import { join } from 'node:path';

const MAIN = join(import.meta.dir, '../../../src/main.ts');

function main(...argv: string[]): { code: number; out: string; err: string } {
  const { exitCode, stdout, stderr } = Bun.spawnSync([process.execPath, MAIN, ...argv], {
    env: { PATH: process.env.PATH },
  });

  return { code: exitCode, out: stdout.toString(), err: stderr.toString() };
}

test('--version tells version, commit and runtime', () => {
  expect(main('--version').out).toBe(`rtp-cluster dev (commit dev, bun ${Bun.version})\n`);
});

test('--version --json, version and -V tell the same', () => {
  expect(JSON.parse(main('--version', '--json').out)).toEqual({
    version: 'dev',
    commit: 'dev',
    bun: Bun.version,
  });
  expect(main('version')).toEqual(main('--version'));
  expect(main('-V')).toEqual(main('--version'));
  expect(main('--version', 'x').code).toBe(2);
});

test('what stands behind -- is no flag of ours', () => {
  expect(main('completion', 'words', '--', 'node', 'sh', '--help').code).toBe(0);
  expect(main('completion', 'words', '--', 'node', 'sho').out).toBe('show\n');
});

test('--help lists the commands, without a command it is an error', () => {
  const help = main('--help');
  expect(help.code).toBe(0);
  const named = ['serve', 'check', 'backup', 'restore', 'healthcheck', 'support-bundle', 'node', 'top'];
  for (const name of [...named, 'set', 'call', 'events', 'import', 'fake-relay'])
    expect(help.out).toContain(`\n  ${name} `);
  const none = main();
  expect(none.code).toBe(2);
  expect(none.err).toBe(help.out);
});

test('help COMMAND and COMMAND --help are the same', () => {
  const help = main('help', 'node');
  expect(help.code).toBe(0);
  expect(help.out).toStartWith('Usage: rtp-cluster node');
  expect(main('node', 'add', '--help')).toEqual(help);
});

test('an unknown command is refused with a guess and exit code 2', () => {
  expect(main('chekc')).toEqual({
    code: 2,
    out: '',
    err: 'rtp-cluster: there is no command "chekc"; did you mean check? (rtp-cluster --help lists them)\n',
  });
});

test('the exit code of the command is that of the program', () => {
  expect(main('check', '--config', '/none').code).toBe(1);
  expect(main('node', 'list', '--nonsense').code).toBe(2);
});

test('output that a full disk does not take is a failure', () => {
  const { exitCode, stderr } = Bun.spawnSync(
    ['/bin/sh', '-c', '"$0" "$1" check --defaults > /dev/full', process.execPath, MAIN],
    { env: { PATH: process.env.PATH } },
  );
  expect(stderr.toString()).toBe(
    'rtp-cluster: the output could not be written: the disk is full; make room (ENOSPC)\n',
  );
  expect(exitCode).toBe(1);
});

test('a reader that goes away early is no failure', () => {
  const { exitCode, stderr } = Bun.spawnSync(
    ['/bin/sh', '-c', '"$0" "$1" check --defaults | true', process.execPath, MAIN],
    { env: { PATH: process.env.PATH } },
  );
  expect(exitCode).toBe(0);
  expect(stderr.toString()).toBe('');
});
