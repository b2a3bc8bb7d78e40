/** What real rtpengines forget, keep and tell: the appliance's calls follow. */

import { afterEach, describe, expect, test } from 'bun:test';
import { parseSocket } from '../../src/domain/node.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { type Appliance, settled, startAppliance } from '../lab/appliance.ts';
import { addNodes, answer, liveCalls, loggedEvents, names, offer, place } from '../lab/client.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { callsOnRelay } from '../lab/relays.ts';
import { mustBe, type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';
import { buildSdp } from '../lab/sdp.ts';

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/contract/reconcile: ${reason}`);

const TIMEOUT_MS = 60_000;
/** A relay that was up for less cannot be told from one that restarted: uptimes are whole seconds. */
const OLD_ENOUGH_MS = 6000;

const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  sweep();
});

interface Relay {
  readonly socket: string;
  process: Rtpengine;
  /** Starts it anew on the same port. */
  start(): Promise<void>;
}

async function startRelay(extra: readonly string[] = [], ngAddress = '127.0.0.1'): Promise<Relay> {
  const ngPort = await freeUdpPort(ngAddress);
  const options = { ngPort, ngAddress, address: '127.0.0.1', portMin: 37_000, portMax: 37_399, extra };
  const relay = {
    socket: `udp:${ngAddress}:${ngPort}`,
    process: await startRtpengine(options),
    async start() {
      relay.process = await startRtpengine(options);
    },
  };
  cleanups.push(() => relay.process.stop());

  return relay;
}

async function startWith(options: Parameters<typeof startAppliance>[0] = {}): Promise<Appliance> {
  const appliance = await startAppliance(options);
  cleanups.push(() => appliance.stop());

  return appliance;
}

/** Makes a call on a relay behind the appliance's back. */
async function placeDirectly({ socket }: Relay, callId: string): Promise<void> {
  const address = parseSocket(socket);
  if (address?.transport !== 'udp') throw new Error(`${socket} is no socket of an rtpengine`);
  const driver = createNgDriver(address, systemClock);
  const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
  const parties = { callId, fromTag: 'f', address: '198.51.100.1', family: 'IP4' } as const;
  mustBe(await driver.offer({ ...parties, sdp, isNew: true, extra: {} }, systemClock.monotonic() + 2000));
  driver.close();
}

describe.skipIf(reason !== undefined)('calls on a real rtpengine', () => {
  test(
    'that its restart took with it end with an event, seconds after it is back',
    async () => {
      const relay = await startRelay();
      const appliance = await startWith();
      await addNodes(appliance, [relay]);
      await settled(appliance, 1);
      const started = performance.now();
      const callIds = names(10, 'restart');
      await place(appliance.url, callIds);
      await Bun.sleep(Math.max(0, OLD_ENOUGH_MS - (performance.now() - started)));
      await relay.process.stop();
      await poll(
        () => (loggedEvents(appliance, 'node.down').length > 0 ? true : undefined),
        () => 'nobody noticed that the relay died',
      );
      await relay.start();
      await poll(
        () => (loggedEvents(appliance, 'node.reconciled').length > 0 ? true : undefined),
        () => `nobody compared the calls:\n${appliance.output()}`,
      );
      expect((await liveCalls(appliance)).size).toBe(0);
      const lost = loggedEvents(appliance, 'call.lost');
      expect(lost.map(({ call_id: callId }) => String(callId)).sort()).toEqual(callIds.sort());
      expect(new Set(lost.map(({ cause }) => cause))).toEqual(new Set(['restart']));
      expect(loggedEvents(appliance, 'node.reconciled')).toMatchObject([
        { node: 1, cause: 'restart', lost: 10, unsure: 0 },
      ]);
    },
    TIMEOUT_MS,
  );

  test(
    'that are left of ours are deleted; those of another controller stay',
    async () => {
      const relay = await startRelay();
      const appliance = await startWith();
      await addNodes(appliance, [relay]);
      await settled(appliance, 1);
      await place(appliance.url, ['ours', 'over']);
      await appliance.api('POST', '/v1/media/auto?call-id=over&from-tag=A&to-tag=B&method=BYE&cseq=2');
      // As if the offer had been late.
      await placeDirectly(relay, 'over');
      await placeDirectly(relay, 'theirs');
      const report = await poll(
        async () => {
          const said = (await appliance.api('POST', '/v1/nodes/1/reconcile')) as { strays: number };

          return said.strays > 0 ? said : undefined;
        },
        () => 'the stray was not found',
      );
      expect(report).toMatchObject({ node_id: 1, asked: 1, kept: 1, lost: 0, foreign: 1, unsure: 0 });
      const left = await poll(
        async () => {
          const calls = await callsOnRelay(relay.socket);

          return calls.length === 2 ? calls : undefined;
        },
        () => 'the stray was not deleted',
      );
      expect([...left].sort()).toEqual(['ours', 'theirs']);
    },
    TIMEOUT_MS,
  );

  test(
    'that it ended without a word end here when they are compared',
    async () => {
      const relay = await startRelay(['--timeout=1', '--silent-timeout=1']);
      const appliance = await startWith();
      await addNodes(appliance, [relay]);
      await settled(appliance, 1);
      await offer(appliance.url, 'c1');
      await answer(appliance.url, 'c1');
      await poll(
        async () => ((await callsOnRelay(relay.socket)).length === 0 ? true : undefined),
        () => 'the relay did not end the call',
      );
      expect([...(await liveCalls(appliance)).keys()]).toEqual(['c1']);
      expect(await appliance.api('POST', '/v1/nodes/1/reconcile')).toMatchObject({ asked: 1, lost: 1 });
      expect((await liveCalls(appliance)).size).toBe(0);
    },
    TIMEOUT_MS,
  );

  /** A call without media on a relay that says so. */
  async function expectTimeout(appliance: Appliance, relay: Relay): Promise<void> {
    await addNodes(appliance, [relay]);
    await settled(appliance, 1);
    const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });
    const call = { 'call-id': 'c1', 'from-tag': 'f' };
    await appliance.api('POST', '/v1/media/offer', { ...call, direction: 'out', sdp });
    await appliance.api('POST', '/v1/media/answer', { ...call, 'to-tag': 't', sdp });
    await poll(
      () => (loggedEvents(appliance, 'call.timeout').length > 0 ? true : undefined),
      () => `the call did not end; the relay says:\n${relay.process.log()}\n${appliance.output()}`,
    );
    expect(loggedEvents(appliance, 'call.timeout')).toMatchObject([
      { node: 1, call_id: 'c1', by: 'rtpengine' },
    ]);
    expect(await appliance.api('GET', '/v1/calls/c1')).toMatchObject({ end_reason: 'media timeout' });
    expect(relay.process.log()).not.toMatch(/xmlrpc.*fail/i);
  }

  const token = 'a-token-of-sixteen-characters';
  const notice = (url: string, format: number): string[] => [
    `--b2b-url=${url}`,
    `--xmlrpc-format=${format}`,
    '--timeout=1',
    '--silent-timeout=1',
  ];

  test.each([0, 1, 2])(
    'of which it tells itself that no media came, xmlrpc-format %i, end at once',
    async (format) => {
      // A relay has no token; the address of a node is enough.
      const appliance = await startWith({ token });
      const relay = await startRelay(notice(`${appliance.url}/v1/notify/rtpengine`, format));
      await expectTimeout(appliance, relay);
    },
    TIMEOUT_MS,
  );

  test(
    'of which it tells itself from an address that is no address of the node: with the token in b2b-url',
    async () => {
      const appliance = await startWith({ token });
      const url = `${appliance.url}/v1/notify/rtpengine?token=${token}`;
      const relay = await startRelay(notice(url, 1), '127.0.7.8');
      await expectTimeout(appliance, relay);
    },
    TIMEOUT_MS,
  );
});
