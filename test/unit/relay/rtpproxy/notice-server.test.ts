/** Notices over real sockets: what is taken, and what nobody can do to us. */

import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, renameSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  NoticeProblem,
  NoticeServer,
  type NoticeServerOptions,
} from '../../../../src/relay/rtpproxy/notice-server.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import fixture from '../../../fixtures/rtpproxy/timeout-notify.json';
import { freeSipPort } from '../../../lab/ports.ts';
import { poll } from '../../../lab/processes.ts';

const ANYBODY: ReadonlySet<number> = new Set();
const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-'));
const closers: (() => void)[] = [];

afterEach(() => {
  for (const close of closers.splice(0).reverse()) close();
});

async function start(options: Partial<NoticeServerOptions> = {}) {
  const heard: { callId: string; tellers: ReadonlySet<number> }[] = [];
  const clock = new FakeClock();
  const place = options.place ?? { host: '127.0.0.1', port: await freeSipPort() };
  const server = new NoticeServer({
    tellersAt: () => ANYBODY,
    onNotice: (callId, tellers) => heard.push({ callId, tellers }),
    clock,
    ...options,
    place,
  });
  const problem = await server.start();
  closers.push(() => server.stop());
  const ids = (): string[] => heard.map(({ callId }) => callId);

  return { server, problem, heard, ids, clock, place };
}

/** A daemon's side of a connection. */
async function dial(place: NoticeServerOptions['place']): Promise<Socket & { isOver: boolean }> {
  const socket = Object.assign('path' in place ? connect(place.path) : connect(place.port, place.host), {
    isOver: false,
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    socket.isOver = true;
  });
  closers.push(() => socket.destroy());
  await new Promise((resolve) => socket.once('connect', resolve));

  return socket;
}

const until = (holds: () => boolean): Promise<true> =>
  poll(
    () => holds() || undefined,
    () => `never: ${holds}`,
    3000,
  );

describe('notices', () => {
  test('come a line each, as bytes, however they are cut', async () => {
    const { ids, server, place } = await start();
    const daemon = await dial(place);
    daemon.write('c1\nc2');
    await until(() => ids().length === 1);
    daemon.write(Buffer.from('@h\xe9\nc3\n', 'latin1'));
    await until(() => ids().length === 3);
    expect(ids()).toEqual(['c1', 'c2@h\xe9', 'c3']);
    expect(server.counters).toEqual({ taken: 3, garbage: 0, dropped: 0, strangers: 0, evicted: 0 });
  });

  test('of a real daemon are read; its words with blanks are none of ours', async () => {
    const { ids, server, place } = await start();
    const daemon = await dial(place);
    for (const { data } of fixture.notifications) daemon.write(data);
    await until(() => server.counters.taken + server.counters.garbage === 2);
    expect(ids()).toEqual(['n2-unanswered']);
  });

  test('over a unix socket come from nobody with an address, and any user may send them', async () => {
    const senders = new Set<string | null>();
    const place = { path: join(folder, 'n') };
    const { ids } = await start({ place, tellersAt: (sender) => senders.add(sender) && ANYBODY });
    expect(statSync(place.path).mode & 0o777).toBe(0o666);
    (await dial(place)).write('c1\n');
    await until(() => ids().length === 1);
    expect(senders).toEqual(new Set([null]));
  });

  test('are told with the nodes at the address they came from', async () => {
    const senders = new Set<string | null>();
    const { heard, place } = await start({ tellersAt: (sender) => senders.add(sender) && new Set([7]) });
    (await dial(place)).write('c1\n');
    await until(() => heard.length === 1);
    expect(heard[0]?.tellers).toEqual(new Set([7]));
    expect(senders).toEqual(new Set(['127.0.0.1']));
  });
});

describe('garbage', () => {
  test.each([
    ['an empty line', '\n'],
    ['a blank', 'a b\n'],
    ['a control character', 'a\x00b\n'],
    ['a line that is too long', `${'x'.repeat(2049)}\n`],
    ['a line that is very much too long', `${'x'.repeat(300_000)}\n`],
  ])('is counted once and does no harm to what follows: %s', async (_name, text) => {
    const { ids, server, place } = await start();
    const daemon = await dial(place);
    daemon.write(text);
    daemon.write('c1\n');
    await until(() => ids().length === 1);
    expect(ids()).toEqual(['c1']);
    expect(server.counters.garbage).toBe(1);
  });

  test('without an end takes no memory: the rest of a line that is too long is skipped', async () => {
    const { ids, server, place } = await start();
    const daemon = await dial(place);
    for (let i = 0; i < 5; i++) {
      daemon.write('y'.repeat(2000));
      await until(() => server.counters.garbage === (i === 0 ? 0 : 1));
    }
    daemon.write('tail\nc1\n');
    await until(() => ids().length === 1);
    expect(ids()).toEqual(['c1']);
    expect(server.counters.garbage).toBe(1);
  });

  test('and nothing but garbage ends the connection, and no other', async () => {
    const { ids, server, place } = await start();
    const [bad, good] = [await dial(place), await dial(place)];
    bad.write('\n'.repeat(999));
    await until(() => server.counters.garbage === 999);
    bad.write(`c1\n${'\n'.repeat(1000)}c2\n`);
    await until(() => bad.isOver);
    expect(server.counters.garbage).toBe(1000);
    good.write('c3\n');
    await until(() => ids().length === 2);
    expect(ids()).toEqual(['c1', 'c3']);
  });
});

describe('a stranger', () => {
  test('is sent away before he says anything', async () => {
    const { ids, server, place } = await start({ tellersAt: () => undefined });
    const daemon = await dial(place);
    daemon.write('c1\n');
    await until(() => daemon.isOver);
    expect(ids()).toEqual([]);
    expect(server.counters.strangers).toBe(1);
  });

  test('is who was a node when he came, and is none now', async () => {
    let isNode = true;
    const { ids, server, place } = await start({ tellersAt: () => (isNode ? ANYBODY : undefined) });
    const daemon = await dial(place);
    daemon.write('c1\n');
    await until(() => ids().length === 1);
    isNode = false;
    daemon.write('c2\n');
    await until(() => daemon.isOver);
    expect(ids()).toEqual(['c1']);
    expect(server.counters.strangers).toBe(1);
  });
});

describe('too much', () => {
  test('notices at once are dropped and counted, and time makes room for more', async () => {
    const { server, clock, place } = await start();
    const daemon = await dial(place);
    daemon.write('c\n'.repeat(10_005));
    await until(() => server.counters.taken + server.counters.dropped === 10_005);
    expect(server.counters.dropped).toBe(5);
    await clock.advance(1000);
    daemon.write('c\n'.repeat(2001));
    await until(() => server.counters.taken + server.counters.dropped === 12_006);
    expect(server.counters.dropped).toBe(6);
  });

  test('connections: the one that was silent for longest goes, those that speak stay', async () => {
    const { ids, server, place } = await start();
    const first = await dial(place);
    const second = await dial(place);
    first.write('c1\n');
    await until(() => ids().length === 1);
    for (let i = 2; i < 1025; i++) await dial(place);
    await until(() => second.isOver);
    expect(server.counters.evicted).toBe(1);
    first.write('c2\n');
    await until(() => ids().length === 2);
    expect(first.isOver).toBeFalse();
  });
});

describe('a place to listen', () => {
  test('that is taken is a problem with a reason', async () => {
    const { place } = await start();
    const { problem } = await start({ place });
    expect(problem).toBeInstanceOf(NoticeProblem);
    expect(problem?.message).toMatch(
      /^cannot listen on 127.0.0.1 port \d+ for notices of rtpproxy: another program does already\. rtpproxy\.notice_socket/,
    );
  });

  test.each([
    [{ host: '192.0.2.77', port: 17890 }, 'this host does not have the address'],
    [{ path: '/nonexistent/folder/socket' }, 'its folder does not exist'],
  ])('that cannot be had is a problem: %p', async (place, reason) => {
    expect((await start({ place })).problem?.message).toContain(`for notices of rtpproxy: ${reason}. `);
  });

  test('that another one of us has is left to it', async () => {
    const place = { path: join(folder, 'taken') };
    const { ids } = await start({ place });
    expect((await start({ place })).problem?.message).toContain('another program listens there already');
    (await dial(place)).write('c1\n');
    await until(() => ids().length === 1);
    expect(ids()).toEqual(['c1']);
  });

  test('whose socket file was left behind is taken over', async () => {
    const place = { path: join(folder, 'stale') };
    const left = Bun.listen({ unix: join(folder, 'left'), socket: { data() {} } });
    renameSync(join(folder, 'left'), place.path);
    left.stop(true);
    expect(existsSync(place.path)).toBeTrue();
    const { problem, ids } = await start({ place });
    expect(problem).toBeUndefined();
    (await dial(place)).write('c1\n');
    await until(() => ids().length === 1);
  });

  test('is given back at the end, with all connections and the file', async () => {
    const place = { path: join(folder, 'end') };
    const { server } = await start({ place });
    const daemon = await dial(place);
    server.stop();
    await until(() => daemon.isOver);
    expect(existsSync(place.path)).toBeFalse();
    expect((await start({ place })).problem).toBeUndefined();
  });
});
