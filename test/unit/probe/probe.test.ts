import { describe, expect, test } from 'bun:test';
import type { Node } from '../../../src/domain/node.ts';
import { Probe } from '../../../src/probe/probe.ts';
import type { Check } from '../../../src/probe/report.ts';
import { isTestCall } from '../../../src/relay/checks.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { anchored, FakeDriver, fails } from '../../fakes/driver.ts';
import { FakeNetwork } from '../../fakes/media-network.ts';
import { FakeMonitor } from '../../fakes/monitor.ts';

/** A good relay at 10.0.0.1 inside and 198.51.100.1 outside, with its control socket at 10.0.0.1. */
function makeProbe() {
  const clock = new FakeClock();
  const driver = new FakeDriver(0, clock, []);
  const monitor = new FakeMonitor(0, clock);
  const otherKind = new FakeMonitor(1, clock).always('ping', fails('silent'));
  const network = new FakeNetwork(clock);
  const node = makeNode(0, { socket: 'udp:10.0.0.1:2223' });
  const others: Node[] = [];
  const probe = new Probe({
    driverOf: () => driver,
    monitorOf: (asked: Node) => (asked.kind === node.kind ? monitor : otherKind),
    network,
    nodes: () => others,
    clock,
  });
  const ended = async <T>(work: Promise<T>): Promise<T> => {
    await clock.advance(6000);

    return work;
  };

  return {
    clock,
    driver,
    monitor,
    otherKind,
    network,
    node,
    others,
    probe,
    check: (changes: Partial<Node> = {}, media = true) =>
      ended(probe.check({ ...node, ...changes }, { media })),
    media: (changes: Partial<Node> = {}) => ended(probe.media({ ...node, ...changes })),
  };
}

/** The checks of one word, as `result detail`. */
function told(checks: readonly Check[], word: Check['check']): string[] {
  return checks
    .filter(({ check }) => check === word)
    .map(({ result, side, detail }) => [result, side, detail].filter((part) => part !== null).join(' '));
}

function adviceOf(checks: readonly Check[], word: Check['check']): string {
  return checks.find(({ check, advice }) => check === word && advice !== '')?.advice ?? '';
}

describe('a look at a good node', () => {
  test('finds all well, and says what was seen', async () => {
    const { check } = makeProbe();
    const { result, checks } = await check();
    expect(result).toBe('ok');
    expect(checks.map(({ check: word, side, result: each, detail }) => [word, side, each, detail])).toEqual([
      ['control', null, 'ok', 'answers at udp:10.0.0.1:2223 after 1 ms'],
      ['version', null, 'ok', 'rtpengine 11.0 to 13.1'],
      ['statistics', null, 'ok', '0 sessions, up 1000 s'],
      ['ports', null, 'ok', '10000 of 10000 media ports free'],
      ['impose-mode', null, 'ok', 'media-address: the relay writes the address of each side'],
      ['address', 'inner', 'ok', 'the SDP shows 10.0.0.1'],
      ['address', 'outer', 'ok', 'the SDP shows 198.51.100.1'],
      [
        'media',
        'inner>outer',
        'ok',
        'inner to outer 25 of 25 packets, 2 ms; outer to inner 25 of 25 packets, 2 ms',
      ],
    ]);
    expect(checks.every(({ advice }) => advice === '')).toBe(true);
  });

  test('asks as real calls ask, by a name that is known for what it is, and leaves nothing', async () => {
    const { check, driver, monitor, network } = makeProbe();
    await check();
    expect(driver.offers).toHaveLength(2);
    for (const offer of driver.offers) {
      expect(isTestCall(offer.callId)).toBe(true);
      expect(offer).toMatchObject({ isNew: true, family: 'IP4', extra: {} });
    }
    expect(new Set(driver.offers.map(({ callId }) => callId)).size).toBe(2);
    expect(driver.answers).toHaveLength(1);
    expect(driver.answers[0]).toMatchObject({
      fromTag: 'probe-caller',
      toTag: 'probe-callee',
      isFinal: true,
    });
    // Each party shows the address of ours that looks towards the relay.
    expect(driver.answers[0]?.sdp).toContain('c=IN IP4 10.0.0.99\r\n');
    expect(driver.calls.size).toBe(0);
    expect([driver.isClosed, monitor.isClosed, network.openSockets]).toEqual([true, true, 0]);
  });

  test('makes no sound where none is wanted', async () => {
    const { check, network, driver } = makeProbe();
    const { result, checks } = await check({}, false);
    expect([result, told(checks, 'media'), network.sent]).toEqual(['ok', [], []]);
    expect(driver.offers.every(({ sdp }) => sdp.includes('a=inactive'))).toBe(true);
    expect(driver.answers).toEqual([]);
  });

  test('tells what a relay does not tell as skipped', async () => {
    const { check, monitor } = makeProbe();
    monitor.statisticsNow = { ports: null, version: null, uptimeS: null };
    const { result, checks } = await check();
    expect([result, told(checks, 'ports'), told(checks, 'version')]).toEqual([
      'ok',
      ['skipped this relay does not tell its media ports'],
      ['skipped this rtpengine does not tell its version'],
    ]);
  });
});

describe('a node that does not answer', () => {
  test.each([
    ['silent', 'Let UDP port 2223 through from this host to 10.0.0.1'],
    ['unreachable', 'its listen-ng names this address and port'],
    ['garbled', 'Something answers there that is no rtpengine'],
    ['busy', 'This host could not send'],
  ] as const)('fails with what to do (%s), and no call is tried', async (kind, advice) => {
    const { check, monitor, driver } = makeProbe();
    monitor.always('ping', fails(kind));
    const { result, checks } = await check();
    expect(result).toBe('failed');
    expect(told(checks, 'control')).toEqual([`failed udp:10.0.0.1:2223: the relay says ${kind}`]);
    expect(checks).toHaveLength(1);
    expect(adviceOf(checks, 'control')).toContain(advice);
    expect([driver.offers, monitor.isClosed]).toEqual([[], true]);
  });

  test('is told to be of the other kind if it is', async () => {
    const { check, monitor, otherKind } = makeProbe();
    monitor.always('ping', fails('silent'));
    otherKind.always('ping', undefined);
    const { checks } = await check();
    expect(told(checks, 'control')).toEqual([
      'failed an rtpproxy answers at udp:10.0.0.1:2223, the node is said to be an rtpengine',
    ]);
    expect(adviceOf(checks, 'control')).toStartWith('Correct the kind of the node to rtpproxy');
    expect(otherKind.isClosed).toBe(true);
  });

  test('at a unix socket is sought on this host', async () => {
    const { check, monitor, otherKind } = makeProbe();
    monitor.always('ping', fails('unreachable'));
    otherKind.always('ping', fails('unreachable'));
    const { checks } = await check({ kind: 'rtpproxy', socket: 'unix:/run/rtpproxy.sock' });
    expect(adviceOf(checks, 'control')).toContain(
      'rtpproxy runs on this host with -s unix:/run/rtpproxy.sock',
    );
  });
});

describe('figures', () => {
  test('that do not come are a warning: calls go on without', async () => {
    const { check, monitor } = makeProbe();
    monitor.always('statistics', 'never');
    const { result, checks } = await check();
    expect([result, told(checks, 'statistics')]).toEqual(['warning', ['warning the relay says silent']]);
    expect(adviceOf(checks, 'statistics')).toContain('listen-http');
  });

  test('that come another way than over HTTP are a warning', async () => {
    const { check, monitor } = makeProbe();
    monitor.httpTrouble = 'connection refused';
    const { checks } = await check({ httpPort: 9900 });
    expect(told(checks, 'statistics')).toEqual([
      'warning 0 sessions, up 1000 s; over HTTP it does not answer: connection refused',
    ]);
    expect(adviceOf(checks, 'statistics')).toContain('TCP port 9900');
  });

  test.each([
    [1000, 10_000, 'ok', ''],
    [999, 10_000, 'warning', ''],
    [40, 40, 'ok', ''],
    [39, 40, 'warning', ', room for 9 calls'],
    [4, 10_000, 'warning', ', room for 1 call'],
    [3, 10_000, 'failed', ', room for 0 calls'],
  ] as const)('with %p of %p ports free are %s', async (free, total, result, room) => {
    const { check, monitor } = makeProbe();
    monitor.statisticsNow = { ports: { free, total } };
    const { checks } = await check();
    expect(told(checks, 'ports')).toEqual([`${result} ${free} of ${total} media ports free${room}`]);
  });
});

describe('an offer that fails', () => {
  test.each([
    ['refused', 'The relay takes no new calls'],
    ['silent', 'It answers a ping but no offer'],
    ['rejected', 'See the log of the rtpengine'],
  ] as const)(
    '(%s) fails the address of its reader, with what to do, and is deleted',
    async (kind, advice) => {
      const { check, driver } = makeProbe();
      driver.always('offer', fails(kind));
      const { result, checks } = await check();
      expect(result).toBe('failed');
      expect(told(checks, 'address')).toEqual([
        `failed inner the offer failed: the relay says ${kind}`,
        `failed outer the offer failed: the relay says ${kind}`,
      ]);
      expect(adviceOf(checks, 'address')).toContain(advice);
      expect(told(checks, 'media')).toEqual(['skipped inner>outer there was no call to talk in']);
      expect(driver.deletes.map(({ callId }) => callId).sort()).toEqual(
        driver.offers.map(({ callId }) => callId).sort(),
      );
    },
  );

  test('is not deleted where it was never sent', async () => {
    const { check, driver } = makeProbe();
    driver.always('offer', fails('busy'));
    await check();
    expect(driver.deletes).toEqual([]);
  });

  test('names in its delete what the relay may have of it all the same', async () => {
    const { check, driver } = makeProbe();
    driver.always('offer', fails('silent', 'what is left'));
    await check();
    expect(driver.deletes[0]).toMatchObject({ memo: 'what is left', tags: ['probe-caller'] });
  });
});

describe('a call that cannot be deleted', () => {
  test('is tried three times and told', async () => {
    const { check, driver } = makeProbe();
    driver.always('delete', 'never');
    const { result, checks } = await check();
    expect(driver.deletes).toHaveLength(6);
    expect(result).toBe('warning');
    expect(told(checks, 'address')[0]).toMatch(
      /^warning inner the SDP shows 10.0.0.1, but the probe call rtp-cluster-probe-\S+ could not be deleted: the relay says silent$/,
    );
  });

  test('is not asked for again where the relay has answered', async () => {
    const { check, driver } = makeProbe();
    driver.always('delete', fails('unknown-call'));
    expect((await check()).result).toBe('ok');
    expect(driver.deletes).toHaveLength(2);
  });
});

describe('the address of a relay', () => {
  test('that is another one of the node is put right, with a warning', async () => {
    const { check, driver } = makeProbe();
    driver.always('offer', anchored('10.0.0.1'));
    const { result, checks } = await check();
    expect(result).toBe('warning');
    expect(told(checks, 'impose-mode')).toEqual([
      'warning media-address: for side outer the relay wrote 10.0.0.1; wanted is 198.51.100.1',
    ]);
    expect(told(checks, 'address')).toEqual([
      'ok inner the SDP shows 10.0.0.1',
      'ok outer the SDP shows 198.51.100.1',
    ]);
  });

  test('that is none of the node fails', async () => {
    const { check, driver } = makeProbe();
    driver.always('offer', anchored('203.0.113.66'));
    const { checks } = await check();
    // What to do is said once.
    expect(adviceOf(checks, 'address')).toBe('');
    expect(told(checks, 'address')[0]).toStartWith('failed inner node 0 returned address 203.0.113.66');
    expect(adviceOf(checks, 'impose-mode')).toContain('correct the media addresses of the node');
  });

  test('of another interface fails in impose mode interface, with the settings the relay needs', async () => {
    const { check, driver } = makeProbe();
    driver.always('offer', anchored('10.0.0.1'));
    const { result, checks } = await check({
      imposeMode: 'interface',
      mediaAddresses: [
        { side: 'inner', family: 'IP4', address: '10.0.0.1', interface: 'priv' },
        { side: 'outer', family: 'IP4', address: '198.51.100.1', interface: 'pub' },
      ],
    });
    expect(result).toBe('failed');
    expect(driver.offers[1]?.interfaces).toEqual(['priv', 'pub']);
    expect(told(checks, 'impose-mode')).toEqual([
      'failed interface: for side outer the relay wrote 10.0.0.1; wanted is 198.51.100.1',
    ]);
    expect(adviceOf(checks, 'impose-mode')).toContain(
      '--interface=priv/10.0.0.1 --interface=pub/198.51.100.1',
    );
    expect(told(checks, 'address')[1]).toStartWith('failed outer node 0 returned address 10.0.0.1');
  });
});

describe('audio that passes by another address of the node than its SDP shows', () => {
  const PASSED =
    'ok inner>outer inner to outer 25 of 25 packets, 2 ms; outer to inner 25 of 25 packets, 2 ms; sent to 10.0.0.1';
  /** Media addresses of both sides. */
  const shows = (inner: string, outer: string): Partial<Node> => ({
    mediaAddresses: [
      { side: 'inner', family: 'IP4', address: inner, interface: null },
      { side: 'outer', family: 'IP4', address: outer, interface: null },
    ],
  });
  /** A good relay at 10.0.0.1 that nothing reaches by another address. */
  function behind() {
    const made = makeProbe();
    made.network.fate = ({ to }) => (to.host === '10.0.0.1' ? [2] : []);

    return made;
  }

  test('is good behind the public address of a 1:1 NAT, and says what alone proves that address', async () => {
    const { result, checks } = await behind().check();
    expect(result).toBe('ok');
    expect(told(checks, 'media')).toEqual([
      PASSED,
      'skipped outer 198.51.100.1 cannot be tried from this host, as is usual for the public address of a 1:1 NAT',
    ]);
    expect(adviceOf(checks, 'media')).toContain('a call from side outer has audio both ways');
  });

  test.each([
    ['127.0.0.1', { socket: 'udp:127.0.0.1:2223' }],
    ['a unix socket', { kind: 'rtpproxy', socket: 'unix:/run/rtpproxy.sock' }],
  ] as const)(
    'is good where the relay is on this host, asked at %s, behind such a NAT',
    async (_, changes) => {
      const made = behind();
      made.otherKind.always('ping', 1);
      const { result, checks } = await made.check(changes);
      expect([result, told(checks, 'media')[0]]).toEqual(['ok', PASSED]);
    },
  );

  test('is a warning if inner and outer look exchanged', async () => {
    const { result, checks } = await behind().check(shows('198.51.100.1', '10.0.0.1'));
    expect(result).toBe('warning');
    expect(told(checks, 'media')).toEqual([
      PASSED,
      'warning inner nothing came through by 198.51.100.1, a public address, and side outer is shown 10.0.0.1, a private one',
    ]);
    expect(adviceOf(checks, 'media')).toContain('look exchanged');
  });

  test('fails if the address is the host of another node, however that is spelled', async () => {
    const made = behind();
    made.others.push(made.node, makeNode(7, { socket: 'udp:10.0.0.7:2223' }));
    const { result, checks } = await made.check(shows('10.0.0.7', '198.51.100.1'));
    expect(result).toBe('failed');
    expect(told(checks, 'media')).toContain(
      'failed inner nothing came through by 10.0.0.7, which is the host of node 7',
    );
  });

  test('is a warning if another host has the address as well, and not if it is another relay of the same', async () => {
    const made = behind();
    made.others.push(makeNode(7, { socket: 'udp:10.0.0.1:2224', ...shows('10.0.0.1', '198.51.100.1') }));
    expect((await made.check()).result).toBe('ok');
    made.others.push(makeNode(8, { socket: 'udp:10.0.0.8:2223', ...shows('10.0.0.8', '198.51.100.1') }));
    const { result, checks } = await made.check();
    expect([result, told(checks, 'media')[1]]).toEqual([
      'warning',
      'warning outer nothing came through by 198.51.100.1, which node 8 has as well, on another host',
    ]);
  });

  test.each([
    ['a private address', '10.0.0.66', 'udp:10.0.0.1:2223', 'outer'],
    ['a public one of a node with a public host', '203.0.113.66', 'udp:203.0.113.1:2223', 'outer'],
  ])('is a warning for %s', async (_, address, socket, side) => {
    const { check, network } = makeProbe();
    network.fate = ({ to }) => (to.host === address ? [] : [2]);
    const { result, checks } = await check({ socket, ...shows('10.0.0.1', address) });
    expect([result, told(checks, 'media')[1]]).toEqual([
      'warning',
      `warning ${side} nothing came through by ${address}, which the SDP shows`,
    ]);
  });
});

describe('a relay with room for one call', () => {
  test('is good: what it refused beside the other is tried again alone', async () => {
    const { check, driver } = makeProbe();
    driver.next('offer', fails('refused'));
    const { result, checks } = await check();
    expect([result, driver.offers.length]).toEqual(['ok', 3]);
    expect(told(checks, 'address')).toHaveLength(2);
    expect(driver.calls.size).toBe(0);
  });
});

describe('audio', () => {
  test('of which half is lost has failed, less than that is a warning', async () => {
    for (const [every, result] of [
      [2, 'failed'],
      [5, 'warning'],
    ] as const) {
      const { check, network } = makeProbe();
      network.fate = ({ index }) => (index > 1 && index % every === 0 ? [] : [2]);
      const { checks } = await check();
      expect(told(checks, 'media')[0]).toStartWith(`${result} inner>outer inner to outer`);
      expect(adviceOf(checks, 'media')).toStartWith('Packets are lost');
    }
  });

  test('goes to the next address at once where there is no way, or where somebody says that nobody listens', async () => {
    const { check, network } = makeProbe();
    network.reaches = (host) => host !== '198.51.100.1';
    const { checks } = await check();
    expect(told(checks, 'media')[0]).toEndWith('sent to 10.0.0.1');
    expect(network.sent.every(({ to }) => to.host === '10.0.0.1')).toBe(true);

    const other = makeProbe();
    other.network.fate = ({ to, from, index }) => {
      if (to.host !== '198.51.100.1') return [2];
      if (index < 3) other.network.refuse(from);

      return [];
    };
    await other.check();
    expect(other.network.sent.filter(({ to }) => to.host === '198.51.100.1').length).toBeLessThan(4);
  });

  test('over a long way is waited for, and is by the address that was tried first', async () => {
    const { check, network } = makeProbe();
    network.fate = () => [300];
    const { result, checks } = await check();
    expect([result, told(checks, 'media')]).toEqual([
      'ok',
      ['ok inner>outer inner to outer 25 of 25 packets, 300 ms; outer to inner 25 of 25 packets, 300 ms'],
    ]);
  });

  test('does not believe late news of an address that it tries no more', async () => {
    const { check, network } = makeProbe();
    network.fate = ({ to, from }) => {
      network.refuse(from);

      return to.host === '198.51.100.1' ? [] : [150];
    };
    const { checks } = await check();
    expect(told(checks, 'media')[0]).toContain('outer to inner 25 of 25 packets');
  });

  test('that does not pass at all fails', async () => {
    const { check, network } = makeProbe();
    network.fate = () => [];
    const { result, checks } = await check();
    expect(result).toBe('failed');
    expect(told(checks, 'media')).toEqual([
      'failed inner>outer inner to outer no packet came through; outer to inner no packet came through',
    ]);
    expect(adviceOf(checks, 'media')).toContain('Let the media ports of the relay');
  });

  test('that passes one way only fails, and says so', async () => {
    const { check, network } = makeProbe();
    network.fate = ({ from }) => (from === 0 ? [2] : []);
    const { checks } = await check();
    expect(told(checks, 'media')[0]).toBe(
      'failed inner>outer inner to outer 25 of 25 packets, 2 ms; outer to inner no packet came through',
    );
    expect(adviceOf(checks, 'media')).toStartWith('Packets pass one way only');
  });

  test('cannot be tried without a socket', async () => {
    const { check, network } = makeProbe();
    network.hasSockets = false;
    const { result, checks } = await check();
    expect([result, told(checks, 'media')]).toEqual([
      'ok',
      ['skipped inner>outer this host has no way to the node over IP4, or no socket to spare'],
    ]);
  });
});

describe('the media probe of a node', () => {
  test('tells loss and delay of the worse direction', async () => {
    const { media, network } = makeProbe();
    // The first packets are learnt by and not counted.
    network.fate = ({ from, index }) => (from === 1 ? [7] : index > 1 && index % 5 === 0 ? [] : [2]);
    const outcome = await media();
    expect(outcome).toMatchObject({ result: 'lossy', lossPercent: 20, delayMs: 7, reordered: 0 });
    expect(outcome.result === 'lossy' && outcome.reason).toContain('inner to outer 20 of 25 packets');
  });

  test('takes a loss of one packet of 25, and packets out of order', async () => {
    const { media, network } = makeProbe();
    network.fate = ({ from, index }) =>
      from === 0 && index === 8 ? [] : from === 1 && index === 9 ? [50] : [2];
    expect(await media()).toMatchObject({ result: 'ok', lossPercent: 4, reordered: 1, reason: '' });
  });

  test('fails where nothing passes', async () => {
    const { media, network, driver } = makeProbe();
    network.fate = () => [];
    expect(await media()).toMatchObject({ result: 'failed', lossPercent: 100, delayMs: null });
    expect(driver.calls.size).toBe(0);
  });

  test('fails where the relay shows a wrong address or says no', async () => {
    for (const reply of [anchored('203.0.113.66'), fails('rejected')]) {
      const { media, driver } = makeProbe();
      driver.next('offer', reply);
      expect(await media()).toMatchObject({ result: 'failed', lossPercent: null });
    }
  });

  test.each(['silent', 'unreachable'] as const)('that is %s says nothing of audio', async (kind) => {
    const { media, driver } = makeProbe();
    driver.next('offer', fails(kind));
    expect(await media()).toMatchObject({ result: 'silent', reason: `the relay says ${kind}` });
  });

  test.each(['refused', 'busy', 'too-large'] as const)('that is %s says nothing', async (kind) => {
    const { media, driver } = makeProbe();
    driver.next('offer', fails(kind));
    expect(await media()).toEqual({ result: 'unsaid', reason: `the relay says ${kind}` });
  });

  test('says nothing where this host has no way to the node', async () => {
    const { media, network } = makeProbe();
    network.reaches = () => false;
    expect((await media()).result).toBe('unsaid');
  });

  test('says nothing when it is cut short, and deletes its call', async () => {
    const { clock, probe, node, driver, network } = makeProbe();
    const abort = new AbortController();
    const outcome = probe.media(node, abort.signal);
    await clock.advance(100);
    expect(driver.calls.size).toBe(1);
    abort.abort();
    await clock.advance(0);
    expect(await outcome).toEqual({ result: 'unsaid', reason: 'it was cut short' });
    expect([driver.calls.size, network.openSockets]).toEqual([0, 0]);
  });

  test('makes one call, for the two sides', async () => {
    const { media, driver } = makeProbe();
    await media();
    expect([driver.offers.length, driver.answers.length]).toEqual([1, 1]);
  });
});
