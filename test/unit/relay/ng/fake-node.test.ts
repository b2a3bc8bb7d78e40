import { afterEach, describe, expect, test } from 'bun:test';
import { type NgDict, RelayFailure } from '../../../../src/relay/driver.ts';
import { parseScript } from '../../../../src/relay/fake/faults.ts';
import { FakePorts } from '../../../../src/relay/fake/ports.ts';
import { DecodeError, decode, isDict } from '../../../../src/relay/ng/bencode.ts';
import { createNgDriver, type NgDriver } from '../../../../src/relay/ng/driver.ts';
import { readOrder } from '../../../../src/relay/ng/fake-message.ts';
import { FakeNode, type FakeNodeOptions } from '../../../../src/relay/ng/fake-node.ts';
import { readSdp, rewriteSdp } from '../../../../src/relay/ng/fake-sdp.ts';
import { systemClock } from '../../../../src/util/clock.ts';
import { bodyOf, FakeClock, type Fixture, readFixtures } from './harness.ts';

const nodes: FakeNode[] = [];
const drivers: NgDriver[] = [];

afterEach(() => {
  for (const driver of drivers.splice(0)) driver.close();
  for (const node of nodes.splice(0)) node.stop();
});

async function startNode(options: FakeNodeOptions = {}): Promise<FakeNode> {
  const node = await FakeNode.start(options);
  nodes.push(node);

  return node;
}

function driverOf(node: FakeNode): NgDriver {
  const driver = createNgDriver(node.address, systemClock, { retransmitMs: 20 });
  drivers.push(driver);

  return driver;
}

const soon = (ms = 2000): number => systemClock.monotonic() + ms;

const SDP =
  'v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=caf\xe9\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\na=odd:\xff\r\na=rtcp:4001\r\n';
const OFFER = {
  callId: 'c1',
  fromTag: 'A',
  sdp: SDP,
  address: '203.0.113.9',
  family: 'IP4',
  isNew: true,
  extra: {},
} as const;

/** Sends datagrams one after another; a reply, or its absence as soon as a later ping is answered. */
class RawClient {
  readonly #waiting = new Map<string, (datagram: Buffer | undefined) => void>();
  #pings = 0;

  private constructor(readonly send: (bytes: Uint8Array) => void) {}

  static async open(node: FakeNode): Promise<RawClient> {
    const holder: { client?: RawClient } = {};
    const socket = await Bun.udpSocket({
      connect: { hostname: node.address.host, port: node.address.port },
      binaryType: 'buffer',
      socket: {
        data: (_socket, bytes) => holder.client?.receive(Buffer.from(bytes)),
      },
    });
    holder.client = new RawClient((bytes) => void socket.send(bytes));

    return holder.client;
  }

  receive(bytes: Buffer): void {
    const cookie = bytes.toString('latin1', 0, bytes.indexOf(0x20));
    this.#waiting.get(cookie)?.(bytes);
  }

  exchange(datagram: Buffer): Promise<Buffer | undefined> {
    const space = datagram.indexOf(0x20);
    const cookie = datagram.toString('latin1', 0, space < 0 ? datagram.length : space);
    const fence = `fence_${++this.#pings}`;

    return new Promise((resolve) => {
      const done = (reply: Buffer | undefined): void => {
        this.#waiting.clear();
        resolve(reply);
      };
      this.#waiting.set(cookie, done);
      this.#waiting.set(fence, () => done(undefined));
      this.send(datagram);
      this.send(Buffer.from(`${fence} d7:command4:pinge`));
    });
  }
}

/** Keys whose text must be the same; of everything else only the type counts. */
const EXACT = new Set([
  'result',
  'error-reason',
  'warning',
  'message',
  'calls',
  'tag',
  'type',
  'protocol',
  'flags',
]);

/** The parts of a reply which do not depend on time, chance and the media that flowed. */
function shape(value: unknown, key = ''): unknown {
  if (key === 'sdp') return String(value).replace(/^(m=\S+ |a=rtcp:)[1-9]\d*/gm, '$1PORT');
  if (key === 'calls' && Array.isArray(value)) return [...value].sort();
  if (Array.isArray(value)) return value.map((item) => shape(item, key));
  if (typeof value !== 'object' || value === null) return EXACT.has(key) ? value : typeof value;
  const entries = Object.entries(value).filter(
    ([name]) => name !== 'codec' && (name !== 'SSRC' || key === ''),
  );

  return Object.fromEntries(
    entries.map(([name, item]) => [name, shape(item, name)] as const).sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}

/** Recorded exchanges the fake does not do, since it knows neither SRTP, DTLS nor rtpengine's order of lines. */
const NOT_DONE: ReadonlySet<string> = new Set([
  'av.02-answer-video-rejected.json',
  'mediaaddr-variants.04-session-and-media-c-noreplace.json',
  'mediaaddr-variants.05-session-and-media-c-replace.json',
  'mediaaddr-variants.16-ice.json',
  'mediaaddr-variants.17-ice-remove-to-plain.json',
  'mediaaddr-variants.18-ice-force-relay.json',
  'mediaaddr-variants.19-plain-to-webrtc.json',
  'misc.06-offer-loop-protect.json',
]);

async function replay(scenarios: readonly string[], options: FakeNodeOptions): Promise<void> {
  const node = await startNode(options);
  const client = await RawClient.open(node);
  const all = readFixtures();
  for (const scenario of scenarios) {
    const steps = all.filter((one: Fixture) => one.scenario === scenario && !one.file.includes('/'));
    expect(steps.length).toBeGreaterThan(0);
    for (const { file, step, request, response } of steps.sort((a, b) => a.step - b.step)) {
      const before = OFF_RECORD[`${scenario}.${step}`];
      if (before !== undefined) await setUp(node, before);
      if (`${scenario}.${step}` === 'delete.11') await driverOf(node).delete({ callId: 'd3' }, soon());
      const reply = await client.exchange(Buffer.from(request.raw_base64 ?? '', 'base64'));
      const body = reply?.subarray(reply.indexOf(0x20) + 1);
      const seen =
        body === undefined ? null : body[0] === 0x7b ? JSON.parse(body.toString('utf8')) : decode(body);
      if (seen instanceof DecodeError) throw new Error(`${file}: ${seen.reason}`);
      const wanted =
        response === null ? null : response.format === 'json' ? response.payload : decodedBody(response);
      if (NOT_DONE.has(file))
        expect(seen).toMatchObject({ result: 'ok', sdp: expect.stringContaining('m=') });
      else expect([file, shape(seen)]).toEqual([file, shape(wanted)]);
    }
  }
}

/** Calls that were set up off the record, before which step; d3 also ended there. */
const OFF_RECORD: Readonly<Record<string, string>> = {
  'delete.1': 'd1',
  'delete.6': 'd2',
  'delete.7': 'd3',
  'delete.9': 'd4',
};

async function setUp(node: FakeNode, callId: string): Promise<void> {
  const driver = driverOf(node);
  await driver.offer({ ...OFFER, callId }, soon());
  await driver.answer({ ...OFFER, callId, toTag: 'C', isNew: false }, soon());
}

function decodedBody(side: NonNullable<Fixture['response']>): unknown {
  const body = bodyOf(side);

  return body === undefined ? null : decode(body);
}

describe('the fake node answers recorded requests as rtpengine 10.5.3.5 did', () => {
  test('in the scenarios of a plain node', async () => {
    const scenarios = [
      'basic',
      'error',
      'cookie',
      'audio',
      'mediaaddr',
      'fork',
      'fork-viabranch',
      'late-offer',
      'delete',
      'json',
      'mediaaddr-variants',
      'av',
      'misc',
    ];
    await replay(scenarios, { address: '10.11.0.21', portMin: 40_000, portMax: 40_999 });
  });

  test('when it has a session limit', async () => {
    await replay(['limit'], { address: '10.11.0.21', portMin: 40_000, portMax: 40_999, maxSessions: 1 });
    await replay(['limit-zero'], { address: '10.11.0.21', portMin: 40_000, portMax: 40_999, maxSessions: 0 });
  });

  test('when it runs out of ports', async () => {
    await replay(['ports'], { address: '10.11.0.21', portMin: 40_900, portMax: 40_905 });
  });
});

describe('SDP', () => {
  const HOW = {
    address: '203.0.113.9',
    isImposed: true,
    ports: [30_000, 0],
    replaceOrigin: true,
    replaceSession: true,
    fullRtcp: false,
    noRtcp: false,
    protocol: '',
    ice: '',
  };
  const rewrite = (text: string, change: Partial<typeof HOW> = {}): string => {
    const sdp = readSdp(text);

    return typeof sdp === 'string' ? `error: ${sdp}` : rewriteSdp(sdp, { ...HOW, ...change });
  };

  test('keeps every line that names neither address nor port, byte for byte', () => {
    expect(rewrite(SDP)).toBe(
      SDP.replaceAll('10.0.0.5', '203.0.113.9').replace('4000', '30000').replace('4001', '30001'),
    );
  });

  test('keeps bare line feeds, and adds its lines with them', () => {
    const bare = SDP.replaceAll('\r', '').replace(/a=rtcp.*\n/, '');
    expect(rewrite(bare)).toBe(
      bare.replaceAll('10.0.0.5', '203.0.113.9').replace('4000', '30000').concat('a=rtcp:30001\n'),
    );
  });

  test('leaves the port of a stream not wanted at 0', () => {
    expect(rewrite(`${SDP}m=video 0 RTP/AVP 97\r\n`)).toEndWith('m=video 0 RTP/AVP 97\r\n');
  });

  test('writes IPv6 addresses with their family', () => {
    expect(rewrite(SDP, { address: '2001:db8::9', fullRtcp: true })).toContain(
      'c=IN IP6 2001:db8::9\r\nt=0 0\r\nm=audio 30000 RTP/AVP 8\r\na=odd:\xff\r\na=rtcp:30001 IN IP6 2001:db8::9\r\n',
    );
  });

  test('puts its own candidates in place of the sender’s, or none with ICE=remove', () => {
    const ice = `${SDP}a=ice-ufrag:x\r\na=candidate:1 1 udp 1 10.0.0.5 4000 typ host\r\n`;
    expect(rewrite(ice)).toContain(' 203.0.113.9 30000 typ host\r\n');
    expect(rewrite(ice)).not.toContain('10.0.0.5');
    expect(rewrite(ice, { ice: 'remove' })).not.toMatch(/candidate|ice-/);
    expect(rewrite(SDP, { ice: 'force' })).toMatch(/a=ice-ufrag:.*\r\na=ice-pwd:.*\r\na=candidate:/);
  });

  test('shows the transport asked for', () => {
    expect(rewrite(SDP, { protocol: 'RTP/SAVP' })).toContain('m=audio 30000 RTP/SAVP 8\r\n');
  });
});

describe('ports', () => {
  test('go out in even pairs, upwards, and come back', () => {
    const ports = new FakePorts(30_001, 30_006);
    expect([ports.take(), ports.take(), ports.take(), ports.free]).toEqual([30_002, 30_004, 0, 0]);
    ports.give(30_002);
    ports.give(30_002);
    expect([ports.free, ports.take()]).toEqual([1, 30_002]);
  });

  test('of a call are four per audio stream, free again after its end', async () => {
    const node = await startNode();
    const driver = driverOf(node);
    await driver.offer(OFFER, soon());
    await driver.answer({ ...OFFER, toTag: 'B', isNew: false }, soon());
    expect([node.calls.usedPorts, node.calls.has('c1')]).toEqual([4, true]);
    await driver.delete({ callId: 'c1' }, soon());
    expect([node.calls.usedPorts, node.calls.size]).toEqual([0, 0]);
  });
});

describe('faults', () => {
  test('a deleted call stays for its delay, and a new offer keeps it', async () => {
    const clock = new FakeClock();
    const node = await startNode({ clock });
    const driver = driverOf(node);
    const leave = (): unknown => driver.ask({ command: 'delete', 'call-id': 'c1' }, soon());
    await driver.offer(OFFER, soon());
    await leave();
    clock.advance(29_000);
    await driver.offer({ ...OFFER, isNew: false }, soon());
    clock.advance(31_000);
    await driver.ping(soon());
    expect(node.calls.size).toBe(1);
    await leave();
    clock.advance(31_000);
    await driver.ping(soon());
    expect(node.calls.size).toBe(0);
  });

  test('loss is overcome by retransmission, with the call made once', async () => {
    const node = await startNode({ faults: { loss: 0.4 }, seed: 7 });
    const clock = new FakeClock();
    const driver = createNgDriver(node.address, clock);
    drivers.push(driver);
    const offers = Array.from({ length: 20 }, (_, i) => driver.offer({ ...OFFER, callId: `c${i}` }, 1e9));
    const all = Promise.all(offers);
    // Each turn of the event loop is a long time to the client, so it repeats what is missing.
    while (driver.pending > 0) {
      clock.advance(10_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
    for (const reply of await all) expect(reply).toMatchObject({ sdp: expect.any(String) });
    expect([node.calls.size, node.counters.handled]).toEqual([20, 20]);
    expect(driver.counters.retransmitted).toBeGreaterThan(0);
  });

  test('the same seed loses the same datagrams', async () => {
    const counts = [];
    for (let i = 0; i < 2; i++) {
      const node = await startNode({ faults: { loss: 0.5 }, seed: 3, clock: new FakeClock() });
      const client = await RawClient.open(node);
      // Orders always come through: the last one shows that all before it were read.
      for (let j = 0; j < 50; j++) client.send(Buffer.from(`p${j} d7:command4:pinge`));
      await client.exchange(Buffer.from('end d7:command4:fakee'));
      counts.push(node.counters.dropped);
    }
    expect(counts[0]).toBeGreaterThan(10);
    expect(counts[1]).toBe(counts[0] ?? -1);
  });

  test('a delay holds the reply, not the command', async () => {
    const clock = new FakeClock();
    const node = await startNode({ clock, faults: { delayMs: 200 } });
    const driver = driverOf(node);
    const offer = driver.offer(OFFER, soon());
    await driver.ask({ command: 'fake' }, soon());
    expect([node.calls.size, node.counters.replied]).toEqual([1, 1]);
    clock.advance(199);
    expect(node.counters.replied).toBe(1);
    clock.advance(5);
    expect(await offer).toMatchObject({ sdp: expect.any(String) });
  });

  test('duplicate replies are counted by the client', async () => {
    const node = await startNode({ faults: { duplicate: 1 } });
    const driver = driverOf(node);
    await driver.ping(soon());
    await driver.ping(soon());
    await driver.ping(soon());
    expect(driver.counters.duplicates).toBeGreaterThanOrEqual(2);
  });

  test('garbage keeps the cookie and cannot be read', async () => {
    const node = await startNode({ faults: { garbage: 1 } });
    const driver = driverOf(node);
    for (let i = 0; i < 8; i++) expect(await driver.ping(soon())).toMatchObject({ kind: 'garbled' });
    expect(driver.counters.garbled).toBe(8);
  });

  test.each([
    ['load limit', 'refused', 'Parallel session limit reached'],
    ['Load limit exceeded', 'refused', 'Load limit exceeded'],
    ['Ran out of ports', 'refused', 'Ran out of ports'],
    ['Something odd', 'rejected', 'Something odd'],
  ])('refuse %p meets new calls only', async (refuse, kind, reason) => {
    const node = await startNode();
    const driver = driverOf(node);
    await driver.offer(OFFER, soon());
    node.setFaults({ refuse });
    expect(await driver.offer({ ...OFFER, callId: 'c2' }, soon())).toMatchObject({ kind, reason });
    expect(await driver.offer({ ...OFFER, isNew: false }, soon())).toMatchObject({ sdp: expect.any(String) });
    node.setFaults({ refuse: '' });
    expect(await driver.offer({ ...OFFER, callId: 'c2' }, soon())).toMatchObject({ sdp: expect.any(String) });
  });

  test('a wrong address shows in place of the right one', async () => {
    const node = await startNode({ faults: { wrongAddress: '192.0.2.66' } });
    expect(await driverOf(node).offer(OFFER, soon())).toMatchObject({
      sdp: expect.stringContaining('c=IN IP4 192.0.2.66'),
    });
  });

  test('a hang is silence; an order ends it', async () => {
    const node = await startNode();
    const driver = driverOf(node);
    node.hang();
    expect(await driver.ping(soon(60))).toMatchObject({ kind: 'silent' });
    await driver.ask({ command: 'fake', hang: 0 }, soon());
    expect(await driver.ping(soon())).toBe('pong');
  });

  test('death is a refusal at once; after it the same port answers and the calls are there', async () => {
    const node = await startNode();
    const driver = driverOf(node);
    await driver.offer(OFFER, soon());
    node.die();
    expect(node.isAlive).toBe(false);
    const before = systemClock.monotonic();
    expect(await driver.ping(before + 60_000)).toMatchObject({ kind: 'unreachable' });
    await node.revive();
    expect(await driver.query({ callId: 'c1' }, soon())).not.toBeInstanceOf(RelayFailure);
    expect(driver.counters.refused).toBe(1);
  });

  test('a death for a time ends by itself', async () => {
    const clock = new FakeClock();
    const node = await startNode({ clock });
    const driver = driverOf(node);
    node.die(1000);
    expect(await driver.ping(soon())).toMatchObject({ kind: 'unreachable' });
    clock.advance(1010);
    let pong: unknown;
    while (pong !== 'pong') pong = await driver.ping(soon());
    expect(node.isAlive).toBe(true);
  });

  test('a restart forgets calls and cookies and counts the uptime anew', async () => {
    const clock = new FakeClock();
    const node = await startNode({ clock });
    const driver = driverOf(node);
    await driver.offer(OFFER, soon());
    clock.advance(5000);
    const uptime = async (): Promise<unknown> => {
      const figures = await driver.statistics(soon());
      const totals = figures instanceof RelayFailure ? undefined : figures.totalstatistics;

      return isDict(totals) ? totals.uptime : undefined;
    };
    expect(await uptime()).toBe('5');
    node.restart();
    expect(await uptime()).toBe('0');
    expect(await driver.query({ callId: 'c1' }, soon())).toMatchObject({ kind: 'unknown-call' });
    expect(node.calls.usedPorts).toBe(0);
  });

  test('a script orders them by time', async () => {
    const clock = new FakeClock();
    const script = parseScript('5s refuse load limit; 1s loss 0.5; 2s loss 0; 6s restart', 'rtpengine');
    if (typeof script === 'string') throw new Error(script);
    const node = await startNode({ clock, script });
    clock.advance(1100);
    expect(node.faults.loss).toBe(0.5);
    clock.advance(1000);
    expect(node.faults).toMatchObject({ loss: 0, refuse: '' });
    clock.advance(3000);
    expect(node.faults.refuse).toBe('load limit');
    clock.advance(1000);
    expect(clock.timers).toBe(0);
  });
});

describe('orders', () => {
  test('come as the ng command `fake` and tell what holds now', async () => {
    const node = await startNode();
    const driver = driverOf(node);
    const order = { command: 'fake', loss: '0.25', delay: 30, refuse: 'load limit', 'max-sessions': 7 };
    const reply = await driver.ask(order, soon());
    expect(JSON.stringify((reply as NgDict).faults)).toBe(
      '{"loss":"0.25","delay":30,"duplicate":"0","garbage":"0","refuse":"load limit","wrong-address":"","max-sessions":7}',
    );
    expect(node.faults).toMatchObject({ loss: 0.25, delayMs: 30, refuse: 'load limit' });
  });

  test('to die are answered first', async () => {
    const clock = new FakeClock();
    const node = await startNode({ clock });
    const driver = driverOf(node);
    expect(await driver.ask({ command: 'fake', die: '2s' }, soon())).toMatchObject({ result: 'ok' });
    clock.advance(4);
    expect(await driver.ping(soon())).toMatchObject({ kind: 'unreachable' });
  });

  test.each([
    [{ loss: '2' }, 'loss is "2"; allowed is a share from 0 to 1'],
    [{ delay: 'long' }, 'delay is "long"; allowed is a time'],
    [{ die: '2h' }, 'die is "2h"'],
    [{ 'wrong-address': 'relay1' }, 'allowed is an IP literal'],
    [{ 'max-sessions': 'many' }, 'allowed is a whole number'],
    [{ los: '1' }, 'there is no fault "los"; allowed are loss,'],
    [{ loss: ['1'] }, 'loss is no plain value'],
  ])('that make no sense are refused with what is allowed: %p', (order: NgDict, text) => {
    expect(readOrder(order)).toContain(text);
  });

  test('in scripts name a time first', () => {
    expect(parseScript('hang 5s', 'rtpengine')).toContain('does not begin with a time');
    expect(parseScript('5s hang', 'rtpengine')).toEqual([
      { atMs: 5000, order: { faults: {}, hangMs: Number.POSITIVE_INFINITY } },
    ]);
    expect(parseScript('1s loss 0;'.repeat(300), 'rtpengine')).toContain('at most 256');
  });
});
