/** Hostile ng clients neither stop the compiled binary nor, through it, a real rtpengine. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { MAX_COOKIE } from '../../src/front/exchange.ts';
import { MAX_BYTES } from '../../src/relay/ng/bencode.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, liveCalls, loggedEvents, readiness } from '../lab/client.ts';
import { startFake } from '../lab/fake-relays.ts';
import { answerOf, NgClient, offerOf, read, shown } from '../lab/ng-client.ts';
import { NgFuzz } from '../lab/ng-fuzz.ts';
import { NgRecorder } from '../lab/ng-recorder.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { type Running, startReal, whyNoRelay } from '../lab/relays.ts';

const DATAGRAMS = 20_000;
/** Sent at once, and bytes after which no more are: what a socket of the system holds (208 KiB, with all that goes with datagrams). */
const LOT = 40;
const LOT_BYTES = 30_000;
const SEED = Number(Bun.env.SEED ?? 20_261_124);
/** MiB the process may grow by, after a first part in which what is kept for retransmissions fills. */
const MAX_GROWTH = 150;
const TIMEOUT_MS = 300_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

function rssOf(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** The cookie of a datagram that must be answered; undefined if it has none. */
function cookieOf(datagram: Buffer): string | undefined {
  const space = datagram.indexOf(0x20);

  return space > 0 && space <= MAX_COOKIE ? datagram.toString('latin1', 0, space) : undefined;
}

/** Sends datagrams in lots and waits for the replies of each; returns what is wrong with those. */
async function assault(client: NgClient, fuzz: NgFuzz, datagrams: number): Promise<unknown[]> {
  const faults: unknown[] = [];
  for (let left = datagrams; left > 0; ) {
    const due = new Map<string, number>();
    for (let count = 0, bytes = 0; count < LOT && bytes < LOT_BYTES && left > 0; count++, left--) {
      const datagram = fuzz.next();
      bytes += datagram.length;
      const cookie = cookieOf(datagram);
      if (cookie !== undefined) due.set(cookie, (due.get(cookie) ?? client.replies(cookie).length) + 1);
      client.sendRaw(datagram);
    }
    for (const [cookie, count] of due) {
      const payload = (await client.heard(cookie, count)).at(-1) ?? '';
      try {
        if (typeof read(payload).result !== 'string') faults.push([cookie, payload]);
      } catch {
        faults.push([cookie, payload]);
      }
    }
  }

  return faults;
}

const why = whyNoRelay('rtpengine');
if (why !== undefined) console.warn(`SKIP a real rtpengine in test/e2e/ng-hostile: ${why}`);

for (const { name, isReal } of [
  { name: 'a real rtpengine', isReal: true },
  { name: 'a fake rtpengine', isReal: false },
]) {
  describe.skipIf(isReal && why !== undefined)(`${DATAGRAMS} hostile datagrams before ${name}`, () => {
    let rtpengine: Running | undefined;
    let relay: NgRecorder;
    let appliance: Appliance;
    let client: NgClient;

    beforeAll(async () => {
      const port = await freeUdpPort();
      if (isReal) {
        const media = { address: '127.0.0.1', portMin: 40_400, portMax: 49_999 };
        rtpengine = await startReal('rtpengine', { ...media, port });
      }
      relay = await NgRecorder.open(isReal ? `udp:127.0.0.1:${port}` : (await startFake('rtpengine')).socket);
      const ngPort = await freeUdpPort();
      appliance = await startAppliance({ binary, ngListen: `0 == udp:127.0.0.1:${ngPort}` });
      await addNodes(appliance, [relay]);
      client = await NgClient.connect({ port: ngPort });
    });
    afterAll(async () => {
      client.close();
      expect(await appliance.stop()).toBe(0);
      relay.close();
      await rtpengine?.stop();
    });

    test(
      'all are answered, both processes live and do not grow, the relay gets nothing that was not read before, and good calls work afterwards',
      async () => {
        const fuzz = new NgFuzz(SEED);
        const startedAt = performance.now();
        const first = await assault(client, fuzz, DATAGRAMS / 4);
        const before = rssOf(appliance.pid);
        const second = await assault(client, fuzz, (DATAGRAMS * 3) / 4);
        const grown = rssOf(appliance.pid) - before;
        const seconds = (performance.now() - startedAt) / 1000;
        const asked = [...relay.requests.values()];
        console.log(
          `${name}: ${DATAGRAMS} datagrams in ${seconds.toFixed(1)} s, ${asked.length} requests at the relay, RSS grew by ${grown.toFixed(0)} to ${rssOf(appliance.pid).toFixed(0)} MiB`,
        );
        expect([...first, ...second].slice(0, 3)).toEqual([]);
        expect(client.refused).toBe(0);
        expect(grown).toBeLessThan(MAX_GROWTH);
        for (const event of ['ng.defect', 'appliance.defect', 'http.defect'])
          expect(loggedEvents(appliance, event)).toEqual([]);

        expect(asked.length).toBeGreaterThan(DATAGRAMS / 50);
        const keys = /^(cluster[-_ ]|direction$|rtpp[-_ ]flags$|(from|to)-interface$)/i;
        const odd = asked.filter(
          ({ bytes, message }) =>
            message === undefined ||
            bytes.length > MAX_BYTES ||
            Object.keys(message).some((key) => keys.test(key)),
        );
        expect(odd.slice(0, 1)).toEqual([]);
        // Cookies of clients are theirs: two of them may use the same.
        expect([...relay.requests.keys()].filter((cookie) => cookie.startsWith('fuzz_'))).toEqual([]);

        expect((await readiness(appliance.url)).status).toBe(200);
        for (let i = 0; i < 3; i++) {
          const callId = `good-${i}@hostile`;
          const offered = await client.ask(offerOf(callId));
          expect(shown(offered)).toBe('198.51.100.1');
          const answered = await client.ask(answerOf(callId));
          expect(shown(answered)).toBe('10.9.0.1');
          expect(await client.ask({ command: 'delete', 'call-id': callId })).toMatchObject({ result: 'ok' });
        }
        // One relay from the first datagram to the last.
        if (rtpengine !== undefined) process.kill(rtpengine.pid, 0);
      },
      TIMEOUT_MS,
    );

    test(
      'what is left of them can be ended',
      async () => {
        for (const callId of (await liveCalls(appliance)).keys())
          expect(await client.ask({ command: 'delete', 'call-id': callId })).toMatchObject({ result: 'ok' });
        await poll(
          async () => ((await liveCalls(appliance)).size === 0 ? true : undefined),
          () => 'calls are left',
        );
      },
      TIMEOUT_MS,
    );
  });
}
