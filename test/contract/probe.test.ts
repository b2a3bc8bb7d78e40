/**
 * The probe against real relays: what it says of good ones, and of those that are set up wrongly. Skipped where there are none:
 * `rtpengine` on the path, which RTPC_REQUIRE_ALL=1 demands, and an rtpproxy named by RTPPROXY_BIN.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import type { MediaAddress, Node, NodeKind } from '../../src/domain/node.ts';
import { systemNetwork } from '../../src/probe/network.ts';
import { Probe } from '../../src/probe/probe.ts';
import type { Check, Report } from '../../src/probe/report.ts';
import { driverOf, monitorOf } from '../../src/relay/of-node.ts';
import { systemClock } from '../../src/util/clock.ts';
import { makeNode } from '../fakes/cluster.ts';
import { freeUdpPort, loopbackNetwork } from '../lab/ports.ts';
import { sweep, temporaryFolder } from '../lab/processes.ts';
import { callsOnReal, type Running, startReal, whyNoRelay } from '../lab/relays.ts';
import { startRtpproxy } from '../lab/rtpproxy.ts';

const PORTS = { portMin: 34_000, portMax: 34_999 };
/** An address nobody has (RFC 5737). */
const NOBODY = '203.0.113.7';

const at = loopbackNetwork();
const [HERE, THERE] = [at(1), at(2)];
const probe = new Probe({
  driverOf: (node) => driverOf(node, systemClock, { retransmitMs: 200, noticeSocket: null }),
  monitorOf: (node) => monitorOf(node, systemClock),
  network: systemNetwork,
  nodes: () => [],
  clock: systemClock,
});

function place(side: string, address: string, name: string | null = null): MediaAddress {
  return { side, family: address.includes(':') ? 'IP6' : 'IP4', address, interface: name };
}

/** The results of the checks of one word, with their sides. */
function results({ checks }: Report, word: Check['check']): string[] {
  return checks
    .filter(({ check }) => check === word)
    .map(({ side, family, result }) => [side, family, result].filter((part) => part !== null).join(' '));
}

const reasons: Readonly<Record<NodeKind, string | undefined>> = {
  rtpengine: whyNoRelay('rtpengine'),
  rtpproxy: whyNoRelay('rtpproxy'),
};
for (const [kind, reason] of Object.entries(reasons))
  if (reason !== undefined) console.warn(`SKIP test/contract/probe, ${kind}: ${reason}`);

afterAll(sweep);

for (const kind of ['rtpengine', 'rtpproxy'] as const) {
  describe.skipIf(reasons[kind] !== undefined)(`a real ${kind}`, () => {
    let relay: Running | undefined;
    let node: Node = makeNode(1);

    beforeAll(async () => {
      const port = await freeUdpPort();
      relay = await startReal(kind, { address: HERE, port, ...PORTS });
      node = makeNode(1, {
        kind,
        socket: `udp:${HERE}:${port}`,
        mediaAddresses: [place('inner', HERE), place('outer', HERE)],
      });
    });
    afterAll(async () => {
      expect(await callsOnReal(kind, node.socket)).toEqual([]);
      await relay?.stop();
    });

    test('is good, its addresses are right, and RTP passes both ways', async () => {
      const report = await probe.check(node, { media: true });
      expect(report.checks.filter(({ result }) => result !== 'ok' && result !== 'skipped')).toEqual([]);
      expect(results(report, 'address')).toEqual(['inner IP4 ok', 'outer IP4 ok']);
      expect(results(report, 'media')).toEqual(['inner>outer IP4 ok']);
      expect(report.checks.find(({ check }) => check === 'media')?.detail).toMatch(
        /^inner to outer 2[45] of 25 packets, [\d.]+ ms.*; outer to inner 2[45] of 25 packets/,
      );
    });

    test('with an address that nobody has passes RTP by the host of its control socket, and says that the address is not proven', async () => {
      const mediaAddresses = [place('inner', HERE), place('outer', NOBODY)];
      const report = await probe.check({ ...node, mediaAddresses }, { media: true });
      expect([report.result, results(report, 'media')]).toEqual([
        'ok',
        ['inner>outer IP4 ok', 'outer IP4 skipped'],
      ]);
      const [talk, unproven] = report.checks.filter(({ check }) => check === 'media');
      expect(talk?.detail).toEndWith(`; sent to ${HERE}`);
      expect(unproven?.detail).toStartWith(`${NOBODY} cannot be tried from this host`);
    });

    test('at a port where nobody listens fails', async () => {
      const report = await probe.check(
        { ...node, socket: `udp:${HERE}:${await freeUdpPort()}` },
        { media: true },
      );
      expect([report.result, results(report, 'control')]).toEqual(['failed', ['failed']]);
      expect(report.checks).toHaveLength(1);
    });

    test('that is taken for the other kind is known for what it is', async () => {
      const other = kind === 'rtpengine' ? 'rtpproxy' : 'rtpengine';
      const report = await probe.check({ ...node, kind: other }, { media: true });
      expect(report.checks).toMatchObject([
        {
          check: 'control',
          result: 'failed',
          detail: `an ${kind} answers at ${node.socket}, the node is said to be an ${other}`,
        },
      ]);
    });

    test('has a media probe that hears all, some twenty at a time too', async () => {
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => probe.media(node)));
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ result: 'ok', lossPercent: expect.any(Number), reason: '' });
    });
  });
}

describe.skipIf(reasons.rtpengine !== undefined)('a real rtpengine with two interfaces', () => {
  let relay: Running | undefined;
  let socket = '';
  const names = { inner: 'priv', outer: 'pub' };

  beforeAll(async () => {
    const port = await freeUdpPort();
    socket = `udp:${HERE}:${port}`;
    relay = await startReal('rtpengine', {
      address: HERE,
      port,
      ...PORTS,
      extra: [`--interface=${names.inner}/${HERE}`, `--interface=${names.outer}/${THERE}`],
    });
  });
  afterAll(() => relay?.stop());

  const node = (outer: string): Node =>
    makeNode(2, {
      socket,
      imposeMode: 'interface',
      mediaAddresses: [place('inner', HERE, names.inner), place('outer', outer, names.outer)],
    });

  test('is good in impose mode interface', async () => {
    const report = await probe.check(node(THERE), { media: true });
    expect([results(report, 'impose-mode'), results(report, 'address'), results(report, 'media')]).toEqual([
      ['ok'],
      ['inner IP4 ok', 'outer IP4 ok'],
      ['inner>outer IP4 ok'],
    ]);
  });

  test('fails there with another address than that of its interface, and says how to start it', async () => {
    const report = await probe.check(node(NOBODY), { media: true });
    expect([results(report, 'impose-mode'), results(report, 'address')]).toEqual([
      ['failed'],
      ['inner IP4 ok', 'outer IP4 failed'],
    ]);
    expect(report.checks.find(({ check }) => check === 'impose-mode')?.advice).toContain(
      `--interface=priv/${HERE} --interface=pub/${NOBODY}`,
    );
  });
});

describe.skipIf(reasons.rtpproxy !== undefined)('a real rtpproxy', () => {
  test('between two networks is good, and passes RTP from one to the other', async () => {
    const relay = await startRtpproxy({ listen: `${HERE}/${THERE}`, ...PORTS });
    const node = makeNode(5, {
      kind: 'rtpproxy',
      socket: relay.socket,
      mediaAddresses: [place('inner', HERE, 'internal'), place('outer', THERE, 'external')],
    });
    const report = await probe.check(node, { media: true });
    expect([results(report, 'address'), results(report, 'media')]).toEqual([
      ['inner IP4 ok', 'outer IP4 ok'],
      ['inner>outer IP4 ok'],
    ]);
    await relay.stop();
  });

  test('at a unix socket is good, and passes RTP', async () => {
    const relay = await startRtpproxy({
      socket: `unix:${join(temporaryFolder(), 'rtpproxy.sock')}`,
      listen: HERE,
      ...PORTS,
    });
    const node = makeNode(6, {
      kind: 'rtpproxy',
      socket: relay.socket,
      mediaAddresses: [place('inner', HERE), place('outer', HERE)],
    });
    const report = await probe.check(node, { media: true });
    expect([report.result, results(report, 'media')]).toEqual(['ok', ['inner>outer IP4 ok']]);
    await relay.stop();
  });
});

describe.skipIf(reasons.rtpengine !== undefined)('a real rtpengine with both families', () => {
  let relay: Running | undefined;
  let socket = '';

  beforeAll(async () => {
    const port = await freeUdpPort();
    socket = `udp:${HERE}:${port}`;
    relay = await startReal('rtpengine', { address: HERE, port, ...PORTS, extra: ['--interface=::1'] });
  });
  afterAll(() => relay?.stop());

  test('shows each, and passes RTP of each', async () => {
    const mediaAddresses = ['inner', 'outer'].flatMap((side) => [place(side, HERE), place(side, '::1')]);
    const report = await probe.check(makeNode(3, { socket, mediaAddresses }), { media: true });
    expect(results(report, 'address')).toEqual([
      'inner IP4 ok',
      'inner IP6 ok',
      'outer IP4 ok',
      'outer IP6 ok',
    ]);
    expect(results(report, 'media')).toEqual(['inner>outer IP4 ok', 'inner>outer IP6 ok']);
  });

  test('passes RTP from one to the other', async () => {
    const mediaAddresses = [place('inner', HERE), place('outer', '::1')];
    const report = await probe.check(makeNode(3, { socket, mediaAddresses }), { media: true });
    expect(results(report, 'media').every((result) => result.endsWith(' ok'))).toBe(true);
    expect(results(report, 'media')).toHaveLength(2);
  });
});

describe.skipIf(reasons.rtpengine !== undefined)('a real rtpengine that is full', () => {
  test('fails with what to do, and its media probe says nothing of its audio', async () => {
    const port = await freeUdpPort();
    const relay = await startReal('rtpengine', {
      address: HERE,
      port,
      ...PORTS,
      extra: ['--max-sessions=0'],
    });
    const node = makeNode(4, { socket: `udp:${HERE}:${port}`, mediaAddresses: [place('inner', HERE)] });
    const report = await probe.check(node, { media: true });
    expect([report.result, results(report, 'address')]).toEqual(['failed', ['inner IP4 failed']]);
    expect(report.checks.find(({ check }) => check === 'address')?.advice).toContain('max-sessions');
    expect((await probe.media(node)).result).toBe('unsaid');
    await relay.stop();
  });
});
