import { afterEach, beforeEach, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from '../../../src/commands/check.ts';
import { testIo } from './stub.ts';

let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
  file = join(folder, 'config.toml');
});

afterEach(() => rmSync(folder, { recursive: true }));

test('good settings: what differs from the defaults, and where it comes from', async () => {
  writeFileSync(file, '\uFEFF[media]\r\nbudget_ms = 800\r\n');
  const io = testIo({ RTP_CLUSTER_LOG_LEVEL: 'debug', RTP_CLUSTER_TOKEN: 'abcdefghijklmnop' });
  expect(await run(['--config', file], io)).toBe(0);
  expect(io.outLines).toEqual([
    `The settings are good. File: ${file}.`,
    'Sides: inner, outer.',
    'HTTP at 127.0.0.1:7888: with a token of RTP_CLUSTER_TOKEN (admin).',
    'ng at 0 == udp:127.0.0.1:2223: for ["127.0.0.0/8", "::1/128"], without a token.',
    'SETTING          VALUE    FROM',
    `media.budget_ms  800      ${file}:2`,
    'log.level        "debug"  RTP_CLUSTER_LOG_LEVEL',
  ]);
});

test('bad settings: every problem with file, line and key on standard error, exit code 1', async () => {
  writeFileSync(file, '[media]\nbudget_ms = 8\n');
  const io = testIo();
  expect(await run(['--config', file, '--log-level', 'x'], io)).toBe(1);
  expect(io.outLines).toEqual([]);
  expect(io.errLines[0]).toBe(
    `${file}:2: media.budget_ms: is 8; allowed is a whole number from 100 to 10000 (ms)`,
  );
  expect(io.errLines[1]).toStartWith('--log-level: log.level: is "x"; allowed is one of');
  expect(io.errLines[2]).toBe('rtp-cluster check: 2 problems; serve would not start');
});

test('a file that is no UTF-8 text, too large or a folder is told', async () => {
  const tell = async (path: string): Promise<string> => {
    const io = testIo();
    await run(['--config', path], io);

    return io.errLines[0] ?? '';
  };
  writeFileSync(file, Buffer.from([0xff, 0xfe, 0x41]));
  expect(await tell(file)).toContain('it is no UTF-8 text');
  writeFileSync(file, '#'.repeat(1024 * 1024 + 1));
  expect(await tell(file)).toContain('allowed are 1048576');
  expect(await tell(folder)).toContain('it is a folder');
});

test('--defaults prints a file that check itself takes', async () => {
  const io = testIo();
  expect(await run(['--defaults'], io)).toBe(0);
  writeFileSync(file, io.outLines.join('\n'));
  expect(await run(['--config', file], testIo())).toBe(0);
  expect(await run(['--defaults', '--config', file], testIo())).toBe(2);
});

test('--json says the same for programs, good or bad', async () => {
  writeFileSync(file, '[media]\nbudget_ms = 800\n');
  const good = testIo();
  expect(await run(['--json', '--config', file], good)).toBe(0);
  expect(JSON.parse(good.outLines.join(''))).toEqual({
    result: 'ok',
    file,
    problems: [],
    settings: [{ key: 'media.budget_ms', value: '800', from: `${file}:2` }],
    database: null,
  });
  writeFileSync(file, '[media]\nbudget_ms = 8\n');
  const bad = testIo();
  expect(await run(['--config', file, '--json', '--database'], bad)).toBe(1);
  expect(bad.errLines).toEqual([]);
  expect(JSON.parse(bad.outLines.join(''))).toMatchObject({
    result: 'failed',
    problems: [{ where: `${file}:2`, key: 'media.budget_ms' }],
    settings: [],
    database: null,
  });
});

test('--defaults --json lists every setting with its default, flag and environment', async () => {
  const io = testIo();
  expect(await run(['--defaults', '--json'], io)).toBe(0);
  const { settings } = JSON.parse(io.outLines.join(''));
  expect(settings.length).toBeGreaterThan(20);
  expect(settings).toContainEqual({
    key: 'media.budget_ms',
    default: '900',
    allowed: 'a whole number from 100 to 10000 (ms)',
    reason: expect.any(String),
    change_by: expect.stringMatching(/^(reload|restart)$/),
    environment: 'RTP_CLUSTER_MEDIA_BUDGET_MS',
    flag: '--media-budget-ms',
  });
});
