import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import {
  configureLog,
  droppedLines,
  flushLog,
  type LogFormat,
  type LogLevel,
  log,
} from '../../../src/util/log.ts';

let written: string[] = [];

function start(format: LogFormat = 'json', level: LogLevel = 'info'): void {
  configureLog({
    level,
    format,
    write: (text, taken) => {
      written.push(text);
      taken();
    },
  });
}

async function lines(): Promise<string[]> {
  await flushLog();

  return written.join('').split('\n').slice(0, -1);
}

async function lastJson(): Promise<Record<string, unknown>> {
  return JSON.parse((await lines()).at(-1) ?? '{}');
}

beforeEach(() => {
  written = [];
});

// Other test files in this process must not write into our list.
afterEach(() => configureLog({ level: 'error', format: 'json', write: (_text, taken) => taken() }));

describe('json', () => {
  test('an event is one object with time, level, event and its fields, in this order', async () => {
    start();
    log.info('call.placed', { node: 3, call_id: 'a@b' });
    const [line = ''] = await lines();
    expect(line).toMatch(
      /^\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","event":"call.placed","node":3,"call_id":"a@b"\}$/,
    );
  });

  test('an event needs no fields, and braces in its name are no template', async () => {
    start();
    log.warning('odd.{name}');
    expect(await lastJson()).toMatchObject({ level: 'warning', event: 'odd.{name}' });
  });

  test('an Error shows its message only', async () => {
    start();
    log.error('x', { error: new Error('it broke'), nested: { error: new TypeError('deep') } });
    expect(await lastJson()).toMatchObject({ error: 'it broke', nested: { error: 'deep' } });
  });

  test('a field with the name of a part of the line gets an underscore', async () => {
    start();
    log.info('x', { time: 1, level: 2, event: 3 });
    expect(await lastJson()).toMatchObject({ level: 'info', event: 'x', time_: 1, level_: 2, event_: 3 });
  });

  test('big integers, cycles and undefined never make a line fail', async () => {
    start();
    const cycle: Record<string, unknown> = {};
    cycle.self = cycle;
    log.info('x', { big: 2n ** 64n, none: undefined });
    log.info('y', { cycle, node: 1 });
    const [first = '', second = ''] = await lines();
    expect(JSON.parse(first)).toMatchObject({ big: '18446744073709551616' });
    expect(first).not.toContain('none');
    expect(JSON.parse(second)).toMatchObject({ event: 'y', node: 1 });
  });

  test('no field can break the line or steer a terminal', async () => {
    start();
    log.info('x', { evil: 'a\nb\u001b[2J\u009b1m\u2028' });
    const all = await lines();
    expect(all).toHaveLength(1);
    expect(all[0]).not.toMatch(/[\p{Cc}\u2028]/u);
    expect(await lastJson()).toMatchObject({ evil: 'a\nb\u001b[2J\u009b1m\u2028' });
  });

  test('a line that is too long is replaced by its length', async () => {
    start();
    log.info('x', { sdp: 'v'.repeat(100_000) });
    expect(Number((await lastJson()).too_long)).toBeGreaterThan(100_000);
  });
});

describe('text', () => {
  test('an event is time, level, name and key=value, quoted where needed', async () => {
    start('text');
    log.info('node.down', {
      node: 3,
      cause: 'no answer',
      tags: ['a'],
      plain: 'x',
      empty: '',
      error: new Error('a=b'),
    });
    const [line = ''] = await lines();
    expect(line.slice(24)).toBe(
      ' info    node.down node=3 cause="no answer" tags=["a"] plain=x empty="" error="a=b"',
    );
  });

  test('a line break in a field stays inside its quotes', async () => {
    start('text');
    log.info('x', { evil: 'a\nb' });
    expect((await lines()).map((line) => line.slice(24))).toEqual([' info    x evil="a\\nb"']);
  });
});

describe('levels', () => {
  test('events below the level are not written', async () => {
    start('json', 'warning');
    log.debug('a');
    log.info('b');
    log.warning('c');
    log.error('d');
    expect((await lines()).map((line) => JSON.parse(line).event)).toEqual(['c', 'd']);
  });
});

describe('writing', () => {
  test('the events of one turn of the loop are written at once', async () => {
    start();
    log.info('a');
    log.info('b');
    expect(written).toEqual([]);
    await flushLog();
    expect(written).toHaveLength(1);
  });

  test('while the reader stalls lines are kept up to the limit, then dropped, counted and told', async () => {
    let release: (() => void) | undefined;
    configureLog({
      level: 'info',
      format: 'json',
      maxBuffered: 500,
      write: (text, taken) => {
        written.push(text);
        if (release === undefined) release = () => taken();
        else taken();
      },
    });
    log.info('first');
    const flushed = flushLog();
    for (let i = 0; i < 100; i++) log.info('more', { i });
    expect(written).toHaveLength(1);
    const dropped = droppedLines();
    expect(dropped).toBeGreaterThan(80);
    release?.();
    await flushed;
    expect(await lastJson()).toMatchObject({ level: 'warning', event: 'log.dropped', lines: dropped });
  });

  test('a reader that has gone ends the writing, not the process', async () => {
    configureLog({
      level: 'info',
      format: 'json',
      write: (text, taken) => {
        written.push(text);
        taken(new Error('EPIPE'));
      },
    });
    log.info('a');
    await flushLog();
    log.info('b');
    await flushLog();
    expect(written).toHaveLength(1);
    expect(droppedLines()).toBe(1);
  });

  test('a writer that throws counts as a reader that has gone', async () => {
    configureLog({
      level: 'info',
      format: 'json',
      write: () => {
        throw new Error('closed');
      },
    });
    log.info('a');
    await flushLog();
    log.info('b');
    expect(droppedLines()).toBe(1);
  });

  test('a flush gives up on a reader that stalls', async () => {
    configureLog({ level: 'info', format: 'json', write: () => undefined });
    log.info('a');
    await flushLog(1);
  });
});
