/** What systemd is told, on a real socket; and what of it nobody is told. */

import { afterEach, describe, expect, test } from 'bun:test';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findSystemd, MAX_UNSENT, type Messenger, Systemd, viaProgram } from '../../../src/util/systemd.ts';
import { NotifySocket } from '../../lab/notify-socket.ts';
import { poll, temporaryFolder } from '../../lab/processes.ts';

const open: NotifySocket[] = [];
afterEach(() => {
  for (const socket of open.splice(0)) socket.close();
});

function listen(options?: ConstructorParameters<typeof NotifySocket>[0]): NotifySocket {
  const socket = new NotifySocket(options);
  open.push(socket);

  return socket;
}

/** A messenger that keeps what it is given, as long as it has room. */
function messenger(room = Number.POSITIVE_INFINITY) {
  const sent: string[] = [];
  const state = { room };
  const way: Messenger = {
    send(message) {
      if (sent.length >= state.room) return false;
      sent.push(message);

      return true;
    },
    monotonicUs: () => undefined,
  };

  return { sent, state, systemd: new Systemd(way) };
}

describe('messages', () => {
  test.each([
    ['a path', false],
    ['an abstract name', true],
  ])('reach %s, each in a datagram of its own, in order', (_what, isAbstract) => {
    const socket = listen({ isAbstract });
    const systemd = findSystemd({ NOTIFY_SOCKET: socket.place }, 1);
    expect(systemd.isPresent).toBe(true);
    systemd.ready('2 of 2 nodes up');
    systemd.reloading();
    systemd.status('naïve');
    systemd.alive();
    systemd.stopping('stopping', 8000);
    socket.take();
    expect(socket.messages).toEqual([
      'READY=1\nSTATUS=2 of 2 nodes up',
      expect.stringMatching(/^RELOADING=1\nMONOTONIC_USEC=\d+$/),
      'STATUS=naïve',
      'WATCHDOG=1',
      'STOPPING=1\nSTATUS=stopping\nEXTEND_TIMEOUT_USEC=8000000',
    ]);
  });

  test('of a reload have the time of the clock that systemd compares it with', () => {
    const socket = listen();
    // The host's time since its boot, sleep included: not less than what CLOCK_MONOTONIC has.
    const uptime = () => Number(readFileSync('/proc/uptime', 'latin1').split(' ')[0]) * 1e6;
    const systemd = findSystemd({ NOTIFY_SOCKET: socket.place }, 1);
    systemd.reloading();
    const first = performance.now();
    while (performance.now() < first + 2);
    systemd.reloading();
    socket.take();
    const [one = 0, other = 0] = socket.messages.map((message) => Number(/USEC=(\d+)/.exec(message)?.[1]));
    expect(other - one).toBeGreaterThan(1900);
    expect(one).toBeGreaterThan(0);
    expect(other).toBeLessThan(uptime() + 20_000);
  });

  test('have one line of status, however many lines it is given, and no long one', () => {
    const { sent, systemd } = messenger();
    systemd.status('database: the disk is full\nMAINPID=1\r\n\u2028READY=1');
    systemd.status('x'.repeat(2000));
    expect(sent[0]).toBe('STATUS=database: the disk is full MAINPID=1 READY=1');
    expect(sent[1]?.length).toBe('STATUS='.length + 500);
  });

  test('that the socket did not take go with the next one, in order', () => {
    const { sent, state, systemd } = messenger(0);
    systemd.ready('one');
    systemd.alive();
    expect(sent).toEqual([]);
    state.room = 100;
    systemd.status('two');
    expect(sent).toEqual(['READY=1\nSTATUS=one', 'WATCHDOG=1', 'STATUS=two']);
    systemd.alive();
    expect(sent.length).toBe(4);
  });

  test('are kept up to a number; the oldest go first', () => {
    const { sent, state, systemd } = messenger(0);
    for (let i = 0; i < MAX_UNSENT + 3; i++) systemd.status(String(i));
    state.room = 1000;
    systemd.alive();
    // Before it is tried, the newest one may be one too many.
    expect(sent.length).toBe(MAX_UNSENT + 1);
    expect(sent[0]).toBe('STATUS=3');
  });

  test('to a socket that takes nothing, or is gone, neither wait nor throw', () => {
    const deaf = listen({ isDeaf: true });
    const systemd = findSystemd({ NOTIFY_SOCKET: deaf.place }, 1);
    const begin = performance.now();
    for (let i = 0; i < 5000; i++) systemd.status(`line ${i}`);
    deaf.close();
    for (let i = 0; i < 100; i++) systemd.status(`line ${i}`);
    expect(performance.now() - begin).toBeLessThan(2000);
  });
});

describe('the environment', () => {
  test('names nobody: nothing is told', () => {
    const systemd = findSystemd({ WATCHDOG_USEC: '1000000' }, 1);
    expect(systemd.isPresent).toBe(false);
    expect(systemd.watchdogMs).toBeUndefined();
    systemd.ready('');
    systemd.alive();
  });

  test.each(['relative', '@', '/', 'vsock:2:1234', `/${'x'.repeat(107)}`])(
    'names %p, which is no socket: nothing is told',
    (place) => {
      expect(findSystemd({ NOTIFY_SOCKET: place }, 1).isPresent).toBe(false);
    },
  );

  test.each([
    ['10000000', undefined, 10_000],
    ['10000000', '77', 10_000],
    ['10000000', '78', undefined],
    ['0', undefined, undefined],
    ['soon', undefined, undefined],
    [undefined, '77', undefined],
  ])('with an interval of %p µs for process %p means for process 77: %p ms', (interval, watched, ms) => {
    const { place } = listen();
    const env = { NOTIFY_SOCKET: place, WATCHDOG_USEC: interval, WATCHDOG_PID: watched };
    expect(findSystemd(env, 77).watchdogMs).toBe(ms);
  });

  test('loses the variables, so that no child speaks for us', () => {
    const env = {
      NOTIFY_SOCKET: listen().place,
      WATCHDOG_USEC: '1',
      WATCHDOG_PID: '1',
      PATH: '/bin',
    };
    findSystemd(env, 1);
    expect(env).toEqual({ PATH: '/bin' } as typeof env);
    const other = { NOTIFY_SOCKET: '', WATCHDOG_USEC: '1', PATH: '/bin' };
    findSystemd(other, 1);
    expect(other).toEqual({ PATH: '/bin' } as typeof other);
  });
});

describe('by the program of systemd, where C cannot be called', () => {
  /** A program that notes how it was called. */
  function program(body: string): { path: string; lines: () => string[] } {
    const folder = temporaryFolder();
    const path = join(folder, 'notify');
    const log = join(folder, 'log');
    writeFileSync(log, '');
    writeFileSync(path, `#!/bin/sh\nlog=${log}\n${body}\n`);
    chmodSync(path, 0o755);

    return { path, lines: () => readFileSync(log, 'utf8').trimEnd().split('\n') };
  }

  test('messages go in order, one run at a time, with the socket and nothing else of the environment', async () => {
    const { path, lines } = program(
      'echo "begin $# $1 $2 $NOTIFY_SOCKET [$HOME]" >>$log; sleep 0.05; echo "end $1" >>$log',
    );
    const systemd = new Systemd(viaProgram('/run/notify', path));
    const begin = performance.now();
    systemd.reloading();
    systemd.ready('good');
    expect(performance.now() - begin).toBeLessThan(45);
    await poll(
      () => (lines().length === 4 ? true : undefined),
      () => lines().join('\n'),
    );
    expect(lines()).toEqual([
      'begin 1 RELOADING=1  /run/notify []',
      'end RELOADING=1',
      'begin 2 READY=1 STATUS=good /run/notify []',
      'end READY=1',
    ]);
  });

  test('a program that is missing or fails costs nothing but the messages', async () => {
    const missing = viaProgram('/run/notify', join(temporaryFolder(), 'none'));
    for (let i = 0; i < 50; i++) missing.send('WATCHDOG=1');
    const { path, lines } = program('echo "$1" >>$log; exit 3');
    const failing = viaProgram('/run/notify', path);
    failing.send('READY=1');
    failing.send('WATCHDOG=1');
    await poll(
      () => (lines().length === 2 ? true : undefined),
      () => lines().join('\n'),
    );
    expect(lines()).toEqual(['READY=1', 'WATCHDOG=1']);
    expect(missing.send('READY=1')).toBe(true);
  });

  test('more messages than may wait are not taken', () => {
    const { path } = program('sleep 0.2');
    const slow = viaProgram('/run/notify', path);
    const taken = Array.from({ length: 40 }, () => slow.send('WATCHDOG=1')).filter((isTaken) => isTaken);
    // One of them is on its way already.
    expect(taken.length).toBe(MAX_UNSENT + 1);
  });
});
