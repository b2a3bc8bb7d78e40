/**
 * What only a real rtpproxy shows: its sides and addresses, its limits, prompts and recordings. Skipped without RTPPROXY_BIN;
 * RTPC_REQUIRE_ALL=1 makes that a failure.
 */

import { afterEach, describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ControlSocket, parseSocket } from '../../src/domain/node.ts';
import { type NgDict, RelayFailure } from '../../src/relay/driver.ts';
import { createRtpproxyDriver, type RtpproxyDriver } from '../../src/relay/rtpproxy/driver.ts';
import { createRtpproxyMonitor, type RtpproxyMonitor } from '../../src/relay/rtpproxy/monitor.ts';
import { systemClock } from '../../src/util/clock.ts';
import { freeze, thaw } from '../lab/freeze.ts';
import { openUdp } from '../lab/phone.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { mustBe } from '../lab/rtpengine.ts';
import { type Rtpproxy, type RtpproxyOptions, startRtpproxy, tell, whyNoRtpproxy } from '../lab/rtpproxy.ts';
import { audioOf } from '../lab/sdp.ts';
import { expectTalk, openTalker, type Talker } from '../suites/driver-media.ts';
import { ALICE, BOB, Call, soon } from '../suites/stage.ts';

const reason = whyNoRtpproxy();
if (reason !== undefined) console.warn(`SKIP test/contract/rtpproxy: ${reason}`);

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  sweep();
});

interface Lab {
  readonly relay: Rtpproxy;
  readonly socket: ControlSocket;
  readonly driver: RtpproxyDriver;
  readonly monitor: RtpproxyMonitor;
}

async function start(options: RtpproxyOptions = {}): Promise<Lab> {
  const relay = await startRtpproxy({ portMin: 31_000, portMax: 31_998, ...options });
  const socket = parseSocket(relay.socket);
  if (socket === undefined) throw new Error(`${relay.socket} is no control socket`);
  const driver = createRtpproxyDriver(socket, systemClock);
  const monitor = createRtpproxyMonitor(socket, systemClock);
  cleanups.push(
    () => relay.stop(),
    () => driver.close(),
    () => monitor.close(),
  );

  return { relay, socket, driver, monitor };
}

/** A phone for one call. */
async function talker(call: Call, side: string, partner: string, at: Partial<Talker> = {}): Promise<Talker> {
  const one = await openTalker(call.callId, side, partner);
  cleanups.push(() => one.phone.close());

  return { ...one, ...at };
}

/** A call between two phones, each of which has heard the other. */
async function callOf(driver: RtpproxyDriver): Promise<{ call: Call; alice: Talker; bob: Talker }> {
  const call = new Call(driver);
  const alice = await talker(call, 'alice', 'bob');
  const bob = await talker(call, 'bob', 'alice');
  await expectTalk(alice, bob, await call.connect(alice, bob));

  return { call, alice, bob };
}

function tellRelay(
  driver: RtpproxyDriver,
  { callId, memo, tags }: Call,
  keys: NgDict,
): Promise<NgDict | RelayFailure> {
  return driver.command({ 'call-id': callId, ...keys }, { callId, memo, tags }, soon());
}

/** Local addresses, as `127.0.0.2`, of the UDP sockets on a port of this host. */
function boundTo(port: number): string[] {
  const rows = readFileSync('/proc/net/udp', 'latin1').split('\n').slice(1);

  return rows.flatMap((row) => {
    const [, address = '', hex = ''] = /^\s*\d+: ([0-9A-F]{8}):([0-9A-F]{4}) /.exec(row) ?? [];
    if (Number.parseInt(hex, 16) !== port) return [];

    return [Buffer.from(address, 'hex').reverse().join('.')];
  });
}

/** A figure as the daemon itself says it. */
async function figure(socket: ControlSocket, name: string): Promise<number> {
  return Number(await tell(socket, `G ${name}`));
}

/** How many of two parties are heard, each in a file of its own. */
function heardIn(folder: string, names: readonly string[], alice: Talker, bob: Talker): number {
  const there = filesIn(folder);
  const files = names.filter((name) => there.includes(name)).map((name) => readFileSync(join(folder, name)));
  if (files.some((file) => voicesIn([file], alice, bob) === 2)) return 0;

  return voicesIn(files, alice, bob);
}

/** How many of two parties are heard in any of these. */
function voicesIn(parts: readonly Buffer[], ...talkers: readonly Talker[]): number {
  return talkers.filter(({ phone }) => parts.some((part) => part.includes(phone.voice))).length;
}

/** Datagrams that a UDP socket of this host has lost for want of room. */
function lostAt(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const row = readFileSync('/proc/net/udp', 'latin1')
    .split('\n')
    .find((line) => line.includes(`:${hex} 00000000:`));

  return Number(row?.trim().split(/\s+/).at(-1));
}

/** Everything in a folder and below it. */
function filesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    statSync(join(folder, name)).isFile(),
  );
}

describe.skipIf(reason !== undefined)('rtpproxy', () => {
  for (const [what, faces, addresses] of [
    ['out: internal to external', ['internal', 'external'], ['127.0.0.1', '127.0.0.2']],
    ['in: external to internal', ['external', 'internal'], ['127.0.0.2', '127.0.0.1']],
    ['within: internal to internal', ['internal', 'internal'], ['127.0.0.1', '127.0.0.1']],
  ] as const) {
    test(`in bridging mode either party is on its side; ${what}`, async () => {
      const { driver } = await start({ listen: '127.0.0.1/127.0.0.2' });
      const call = new Call(driver);
      const alice = await talker(call, 'alice', 'bob', { relay: addresses[0], face: faces[0] });
      const bob = await talker(call, 'bob', 'alice', { relay: addresses[1], face: faces[1] });
      const shown = await call.connect(alice, bob);
      expect(shown.map((sdp) => boundTo(audioOf(sdp).port))).toEqual([[addresses[0]], [addresses[1]]]);
      await expectTalk(alice, bob, shown);
      await expectTalk(bob, alice, await call.reconnect(bob, alice));
      await expectTalk(alice, bob, await call.reconnect(alice, bob));
      expect(mustBe(await call.delete()).found).toBe(true);
    });
  }

  test('a party whose address is not the one in its SDP is heard in bridging mode', async () => {
    const { driver } = await start({ listen: '127.0.0.1/127.0.0.2' });
    const call = new Call(driver);
    const alice = await talker(call, 'alice', 'bob', { relay: '127.0.0.1', face: 'internal' });
    const bob = await talker(call, 'bob', 'alice', { relay: '127.0.0.2', face: 'external' });
    const [toAlice, toBob] = await call.connect({ ...alice, address: '192.0.2.5' }, bob);
    // Bob hears her first packet, and from then on the relay knows where she is.
    alice.phone.pointAt(audioOf(toAlice));
    await alice.phone.talk(1);
    bob.phone.pointAt(audioOf(toBob));
    expect(await bob.phone.hears(1)).toBe(true);
    await expectTalk(alice, bob, [toAlice, toBob]);
  });

  test('opens ports on addresses that are named for either side', async () => {
    const { driver } = await start();
    const call = new Call(driver);
    const alice = await talker(call, 'alice', 'bob', { relay: '127.0.0.3', face: '127.0.0.3' });
    const bob = await talker(call, 'bob', 'alice', { relay: '127.0.0.4', face: '127.0.0.4' });
    const shown = await call.connect(alice, bob);
    expect(shown.map((sdp) => boundTo(audioOf(sdp).port))).toEqual([['127.0.0.3'], ['127.0.0.4']]);
    await expectTalk(alice, bob, shown);
    await expectTalk(bob, alice, await call.reconnect(bob, alice));
  });

  test('says which interface it does not have', async () => {
    const { driver } = await start();
    const call = new Call(driver);
    const face = '203.0.113.77';
    const failure = await call.begin({ ...ALICE, face }, { ...BOB, face });
    expect(failure).toMatchObject({ reason: expect.stringContaining(face) });
  });

  test('opens ports on labelled addresses where it knows labels, else a new call is refused, so that another node gets it', async () => {
    const probe = await start();
    const knowsLabels = (await tell(probe.socket, 'VF 20260306')) === '1';
    const { driver } = knowsLabels
      ? await start({ listen: 'priv@127.0.0.3', extra: ['-l', 'pub@127.0.0.4'] })
      : probe;
    const call = new Call(driver);
    const alice = await talker(call, 'alice', 'bob', { relay: '127.0.0.3', face: 'priv' });
    const bob = await talker(call, 'bob', 'alice', { relay: '127.0.0.4', face: 'pub' });
    if (!knowsLabels) {
      expect(await call.begin(alice, bob)).toMatchObject({ kind: 'refused' });
      return;
    }
    const shown = await call.connect(alice, bob);
    expect(shown.map((sdp) => boundTo(audioOf(sdp).port))).toEqual([['127.0.0.3'], ['127.0.0.4']]);
    await expectTalk(alice, bob, shown);
  });

  test('is driven over IPv6', async () => {
    const { driver, monitor } = await start({ socket: `udp6:[::1]:${await freeUdpPort()}` });
    expect(mustBe(await monitor.ping(soon()))).toBeNumber();
    const { call } = await callOf(driver);
    expect(mustBe(await call.delete()).found).toBe(true);
  });

  test('after SIGHUP it refuses new calls, and the one that runs goes on', async () => {
    const { relay, driver, monitor } = await start();
    const { call, alice, bob } = await callOf(driver);
    relay.signal('SIGHUP');
    await poll(
      async () =>
        (await monitor.canary('127.0.0.1', 'IP4', soon())) instanceof RelayFailure ? true : undefined,
      () => 'it goes on taking calls',
    );
    expect(await new Call(driver).begin(ALICE, BOB)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('E99'),
    });
    expect(await monitor.canary('127.0.0.1', 'IP4', soon())).toMatchObject({ kind: 'refused' });
    expect(mustBe(await monitor.ping(soon()))).toBeNumber();
    await expectTalk(bob, alice, await call.reconnect(bob, alice));
    expect(mustBe(await call.delete()).found).toBe(true);
    await poll(
      async () => ((await monitor.ping(soon(200))) instanceof RelayFailure ? true : undefined),
      () => 'it does not end with its last call',
      20_000,
    );
  }, 30_000);

  for (const round of [1, 2, 3, 4]) {
    // By itself a daemon gives ports back at once in some rounds, and never in others.
    test(`out of ports it refuses calls, and takes them again when those it had are over, round ${round}`, async () => {
      const { driver } = await start({ portMin: 32_000, portMax: 32_008 });
      const calls = [new Call(driver), new Call(driver)];
      for (const call of calls) await call.connect(ALICE, BOB);
      const failure = await new Call(driver).begin(ALICE, BOB);
      expect(failure).toMatchObject({ kind: 'refused', reason: expect.stringContaining('E72') });
      for (const call of calls) mustBe(await call.delete());
      await poll(
        async () => {
          const next = new Call(driver);
          const isThere = !((await next.begin(ALICE, BOB)) instanceof RelayFailure);
          const isWhole = isThere && !((await next.answer(ALICE, BOB)) instanceof RelayFailure);
          mustBe(await next.delete());

          return isWhole ? true : undefined;
        },
        () => 'it has no ports although all calls have ended',
        5000,
      );
    });
  }

  test('an answer that gets no port is rejected, and the call can be ended', async () => {
    const { driver } = await start({ portMin: 32_100, portMax: 32_106 });
    const calls = [new Call(driver), new Call(driver)] as const;
    for (const call of calls) mustBe(await call.begin(ALICE, BOB));
    mustBe(await calls[0].answer(ALICE, BOB));
    expect(await calls[1].answer(ALICE, BOB)).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('E71'),
    });
    for (const call of calls) expect(mustBe(await call.delete()).found).toBe(true);
  });

  test('records either party of a call into its own directory, and stops', async () => {
    const folder = temporaryFolder();
    const { driver, monitor } = await start({ extra: ['-r', folder] });
    const { call, alice, bob } = await callOf(driver);
    const voices = () => filesIn(folder).filter((name) => name.endsWith('.rtp'));
    expect(mustBe(await tellRelay(driver, call, { command: 'start recording' })).result).toBe('ok');
    await expectTalk(alice, bob, await call.reconnect(alice, bob));
    const stopped = await tellRelay(driver, call, { command: 'stop recording' });
    const { version } = mustBe(await monitor.statistics(soon()));
    if (version === '2.1 or older') expect(stopped).toMatchObject({ kind: 'rejected' });
    else expect(mustBe(stopped).result).toBe('ok');
    mustBe(await call.delete());
    await poll(
      () => (heardIn(folder, voices(), alice, bob) === 2 ? true : undefined),
      () => `not both are heard in ${voices().join(', ')}`,
    );
    expect(voices().map((name) => name.replace(call.callId, 'ID'))).toEqual(
      expect.arrayContaining(['ID=alice-tag.a.rtp', 'ID=alice-tag.o.rtp']),
    );
  }, 15_000);

  test('copies either party to a file of a given name, and both to a port of another host', async () => {
    const folder = temporaryFolder();
    const { driver } = await start({ extra: ['-r', folder] });
    const copied: Buffer[] = [];
    const sink = await openUdp('127.0.0.1', 0, (bytes) => void copied.push(Buffer.from(bytes)));
    cleanups.push(() => sink.close());
    const file = await callOf(driver);
    const toFile = { command: 'start recording', 'output-destination': 'copy' };
    expect(mustBe(await tellRelay(driver, file.call, toFile)).result).toBe('ok');
    await expectTalk(file.alice, file.bob, await file.call.reconnect(file.alice, file.bob));
    mustBe(await file.call.delete());
    await poll(
      () => (heardIn(folder, ['copy.o.rtp', 'copy.a.rtp'], file.alice, file.bob) === 2 ? true : undefined),
      () => `not both are heard in ${filesIn(folder).join(', ')}`,
    );
    const port = await callOf(driver);
    const toPort = { command: 'start recording', 'output-destination': `udp:127.0.0.1:${sink.port}` };
    expect(mustBe(await tellRelay(driver, port.call, toPort)).result).toBe('ok');
    await expectTalk(port.alice, port.bob, await port.call.reconnect(port.alice, port.bob));
    await poll(
      () => (voicesIn(copied, port.alice, port.bob) === 2 ? true : undefined),
      () => `not both are heard in ${copied.length} packets`,
    );
    mustBe(await port.call.delete());
  }, 15_000);

  for (const [what, pick] of [
    ['whoever is named', ({ tag }: Talker): NgDict => ({ 'from-tag': tag })],
    ['whoever made the first offer if nobody is', (): NgDict => ({})],
  ] as const) {
    test(`plays a prompt over and over to ${what}, until it is stopped`, async () => {
      const file = join(temporaryFolder(), 'prompt');
      writeFileSync(`${file}.8`, Buffer.alloc(800, 0x2a));
      const { driver } = await start();
      const { call, alice, bob } = await callOf(driver);
      // Whoever offers again is the offerer of that, and not of the call.
      await expectTalk(bob, alice, await call.reconnect(bob, alice));
      const order = { command: 'play media', file, 'repeat-times': 100, ...pick(alice) };
      mustBe(await tellRelay(driver, call, order));
      await poll(
        () => (alice.phone.heard.foreign > 10 ? true : undefined),
        () => `alice has heard ${alice.phone.heard.foreign} packets, bob ${bob.phone.heard.foreign}`,
        3000,
      );
      expect(bob.phone.heard.foreign).toBe(0);
      mustBe(await tellRelay(driver, call, { command: 'stop media', ...pick(alice) }));
      await Bun.sleep(100);
      const { foreign } = alice.phone.heard;
      await Bun.sleep(200);
      expect(alice.phone.heard.foreign).toBe(foreign);
      await expectTalk(alice, bob, await call.reconnect(alice, bob));
    });
  }

  test('says what it cannot play, and which commands it knows', async () => {
    const { driver, monitor } = await start();
    const call = new Call(driver);
    await call.connect(ALICE, BOB);
    expect(await tellRelay(driver, call, { command: 'play media', file: '/nowhere' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('E60'),
    });
    expect(await tellRelay(driver, call, { command: 'block media' })).toMatchObject({
      kind: 'rejected',
      reason: expect.stringMatching(/rtpproxy cannot do "block media".*play media/),
    });
    expect(await monitor.limitSessions()).toMatchObject({ kind: 'rejected' });
  });

  test('200 calls at once: each is made and ended once, and the daemon loses no datagram', async () => {
    const { driver, socket } = await start({ portMin: 40_000, portMax: 42_000 });
    const calls = Array.from({ length: 200 }, () => new Call(driver));
    const shown = await Promise.all(calls.map((call) => call.connect(ALICE, BOB)));
    expect(new Set(shown.flat().map((sdp) => audioOf(sdp).port)).size).toBe(400);
    expect(await figure(socket, 'nsess_created')).toBe(200);
    const ends = await Promise.all(calls.map((call) => call.delete()));
    expect(ends.map((end) => mustBe(end).found)).toEqual(Array(200).fill(true));
    expect(driver.counters).toMatchObject({ timeouts: 0, garbled: 0, busy: 0 });
    expect(lostAt('port' in socket ? socket.port : 0)).toBe(0);
  }, 20_000);

  test('killed and started anew during calls: their answers find nothing, their offers renew them', async () => {
    const { relay, driver } = await start();
    const calls = Array.from({ length: 20 }, () => new Call(driver));
    await Promise.all(calls.map((call) => call.connect(ALICE, BOB)));
    await relay.stop();
    expect(await calls[0]?.offer(ALICE, BOB)).toMatchObject({ kind: 'unreachable' });
    const again = await startRtpproxy({ socket: relay.socket, portMin: 33_000, portMax: 33_998 });
    cleanups.push(() => again.stop());
    const answers = await Promise.all(calls.map((call) => call.answer(ALICE, BOB)));
    expect(answers).toEqual(calls.map(() => expect.objectContaining({ kind: 'unknown-call' })));
    const offers = await Promise.all(calls.map((call) => call.offer(ALICE, BOB)));
    expect(offers.map((offer) => mustBe(offer).isRenewed)).toEqual(calls.map(() => true));
    const ends = await Promise.all(calls.map((call) => call.delete()));
    expect(ends.map((end) => mustBe(end).found)).toEqual(calls.map(() => true));
  });

  test('a command sent again while the daemon hangs is done once', async () => {
    const { relay, socket } = await start();
    const driver = createRtpproxyDriver(socket, systemClock, { retransmitMs: 20 });
    cleanups.push(() => driver.close());
    const call = new Call(driver);
    await freeze(relay.pid);
    const offered = call.begin(ALICE, BOB);
    await poll(
      () => (driver.counters.retransmitted >= 3 ? true : undefined),
      () => 'nothing is sent again',
    );
    thaw(relay.pid);
    mustBe(await offered);
    mustBe(await call.answer(ALICE, BOB));
    expect(await figure(socket, 'nsess_created')).toBe(1);
    expect(mustBe(await call.delete()).found).toBe(true);
  });
});
