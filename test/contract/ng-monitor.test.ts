/** What the ng monitor does beyond the suite for all drivers, against a real rtpengine. Skipped where there is none; RTPC_REQUIRE_ALL=1 makes that a failure. */

import { afterEach, describe, expect, test } from 'bun:test';
import { type MediaReply, RelayFailure, type RelayStatistics } from '../../src/relay/driver.ts';
import { createNgDriver, type NgDriver } from '../../src/relay/ng/driver.ts';
import { createNgMonitor, type NgMonitor } from '../../src/relay/ng/monitor.ts';
import { systemClock } from '../../src/util/clock.ts';
import { freeSipPort } from '../lab/ports.ts';
import { mustBe, type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`skipped: ng-monitor.test.ts: ${reason}`);

const MEDIA = { portMin: 36_700, portMax: 36_799 };
const ADDRESS = '203.0.113.9';
const cleanups: (() => void | Promise<void>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const soon = (): number => systemClock.monotonic() + 5000;

interface Lab {
  readonly relay: Rtpengine;
  readonly ngPort: number;
  readonly httpPort: number;
  readonly driver: NgDriver;
  readonly overUdp: NgMonitor;
  readonly overHttp: NgMonitor;
}

/** A relay, somebody who makes calls on it, and two who watch it. */
async function start(extra: readonly string[] = [], address = '127.0.0.1'): Promise<Lab> {
  const ngPort = await freeSipPort();
  const httpPort = await freeSipPort();
  const relay = await startRtpengine({ ngPort, httpPort, address, ...MEDIA, extra });
  cleanups.push(() => relay.stop());
  const at = { host: '127.0.0.1', port: ngPort };
  const driver = createNgDriver(at, systemClock);
  const overUdp = createNgMonitor(at, systemClock, { httpPort: null });
  const overHttp = createNgMonitor(at, systemClock, { httpPort });
  for (const client of [driver, overUdp, overHttp]) cleanups.push(() => client.close());

  return { relay, ngPort, httpPort, driver, overUdp, overHttp };
}

function offer(driver: NgDriver, callId: string, isNew = true): Promise<MediaReply | RelayFailure> {
  const sdp =
    'v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';

  return driver.offer(
    { callId, fromTag: 'A', sdp, address: ADDRESS, family: 'IP4', isNew, extra: {} },
    soon(),
  );
}

/** Asks until the answer is as wanted. */
async function until(
  monitor: NgMonitor,
  isWanted: (statistics: RelayStatistics) => boolean,
): Promise<RelayStatistics> {
  for (const deadline = soon(); systemClock.monotonic() < deadline; await Bun.sleep(50)) {
    const statistics = mustBe(await monitor.statistics(deadline));
    if (isWanted(statistics)) return statistics;
  }
  throw new Error('the statistics did not become as wanted');
}

describe.skipIf(reason !== undefined)('NgMonitor with rtpengine', () => {
  test('statistics say the same over UDP and over HTTP', async () => {
    const { driver, overUdp, overHttp } = await start();
    for (const callId of ['c1', 'c2']) mustBe(await offer(driver, callId));
    const expected = {
      uptimeS: expect.any(Number),
      sessions: 2,
      growing: [0],
      // Four for each call: RTP and RTCP for either party.
      ports: { free: 92, total: 100 },
      packetsPerS: 0,
      bytesPerS: 0,
      errorsPerS: 0,
      rejected: 0,
      version: expect.any(String),
    };
    expect(mustBe(await overUdp.statistics(soon()))).toEqual(expected);
    expect(mustBe(await overHttp.statistics(soon()))).toEqual(expected);
    expect(overHttp.httpTrouble).toBeNull();
  });

  test('an address with two logical names has its ports once', async () => {
    const { driver, overUdp } = await start(
      ['--interface=b/127.0.0.1', '--interface=c/127.0.0.2'],
      'a/127.0.0.1',
    );
    mustBe(await offer(driver, 'c1'));
    expect(mustBe(await overUdp.statistics(soon())).ports).toEqual({ free: 96, total: 100 });
  });

  test('lists name the same calls over UDP and over HTTP, as many as asked for', async () => {
    const { driver, overUdp, overHttp } = await start();
    const calls = ['c1', 'c2', 'c3'];
    for (const callId of calls) mustBe(await offer(driver, callId));
    for (const monitor of [overUdp, overHttp]) {
      expect([...mustBe(await monitor.list(100, soon()))].sort()).toEqual(calls);
      expect(mustBe(await monitor.list(2, soon())).length).toBe(2);
    }
    expect(overHttp.httpTrouble).toBeNull();
  });

  test('a canary leaves no call and no port behind', async () => {
    const { overUdp } = await start(['--interface=::1']);
    expect(mustBe(await overUdp.canary(ADDRESS, 'IP4', soon()))).toBeNumber();
    expect(mustBe(await overUdp.canary('2001:db8::9', 'IP6', soon()))).toBeNumber();
    expect(mustBe(await overUdp.list(10, soon()))).toEqual([]);
    // Sockets are closed a moment after the reply.
    await until(overUdp, ({ ports, growing }) => ports?.free === 100 && growing[0] === 2);
  });

  test('a canary finds out what a ping does not: a relay that takes no calls', async () => {
    const { overUdp, overHttp, relay } = await start(['--max-sessions=0']);
    expect(mustBe(await overUdp.ping(soon()))).toBeNumber();
    expect(await overUdp.canary(ADDRESS, 'IP4', soon())).toMatchObject({ kind: 'refused' });
    expect(mustBe(await overHttp.limitSessions(null, soon()))).toEqual({ before: 0 });
    expect(mustBe(await overUdp.canary(ADDRESS, 'IP4', soon()))).toBeNumber();
    expect(relay.log()).toContain('rtp-cluster-canary-');
  });

  for (const [what, extra, before] of [
    ['without a limit of its own', [], null],
    ['with --max-sessions=5', ['--max-sessions=5'], 5],
  ] as const) {
    test(`limit 0 refuses new calls, keeps others, and is undone exactly: a relay ${what}`, async () => {
      const { driver, overHttp } = await start([...extra]);
      mustBe(await offer(driver, 'c1'));
      expect(mustBe(await overHttp.limitSessions(0, soon()))).toEqual({ before });
      expect(await offer(driver, 'c2')).toMatchObject({ kind: 'refused' });
      mustBe(await offer(driver, 'c1', false));
      expect(mustBe(await overHttp.ping(soon()))).toBeNumber();
      expect(mustBe(await overHttp.statistics(soon()))).toMatchObject({ sessions: 1, rejected: 1 });
      expect(mustBe(await overHttp.limitSessions(before, soon()))).toEqual({ before: 0 });
      mustBe(await offer(driver, 'c2'));
      expect(mustBe(await overHttp.limitSessions(before, soon()))).toEqual({ before });
    });
  }

  test('without HTTP a limit needs a newer relay, and the failure says what to do', async () => {
    const { overUdp, overHttp } = await start();
    const outcome = await overUdp.limitSessions(3, soon());
    if (outcome instanceof RelayFailure) {
      expect(outcome).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('http_port') });
    } else {
      // 13.3 or later.
      expect(outcome).toEqual({ before: null });
      expect(mustBe(await overHttp.limitSessions(null, soon()))).toEqual({ before: 3 });
    }
  });

  test('after a restart the uptime is less, the calls are gone, and nobody need be told', async () => {
    const { relay, driver, overHttp, overUdp, ngPort, httpPort } = await start();
    mustBe(await offer(driver, 'c1'));
    const before = await until(overHttp, ({ uptimeS }) => (uptimeS ?? 0) >= 2);
    await relay.stop();
    expect(await overUdp.ping(soon())).toMatchObject({ kind: 'unreachable' });
    expect(await overHttp.statistics(soon())).toMatchObject({ kind: 'unreachable' });
    const again = await startRtpengine({ ngPort, httpPort, address: '127.0.0.1', ...MEDIA });
    cleanups.push(() => again.stop());
    const after = mustBe(await overHttp.statistics(soon()));
    expect(after.uptimeS).toBeLessThan(before.uptimeS ?? 0);
    expect(after.sessions).toBe(0);
    expect(overHttp.httpTrouble).toBeNull();
  });

  test('a relay is never asked through a proxy, whatever the environment says', async () => {
    const { ngPort, httpPort } = await start();
    const program = `
      import { createNgMonitor } from ${JSON.stringify(import.meta.resolve('../../src/relay/ng/monitor.ts'))};
      import { systemClock } from ${JSON.stringify(import.meta.resolve('../../src/util/clock.ts'))};
      const monitor = createNgMonitor({ host: '127.0.0.1', port: ${ngPort} }, systemClock, { httpPort: ${httpPort} });
      const soon = () => systemClock.monotonic() + 5000;
      const { sessions } = await monitor.statistics(soon());
      const { before } = await monitor.limitSessions(3, soon());
      console.log(JSON.stringify({ sessions, before, trouble: monitor.httpTrouble }));
      monitor.close();`;
    // Nobody listens at port 1.
    const proxy = 'http://127.0.0.1:1';
    const names = ['HTTP_PROXY', 'http_proxy', 'HTTPS_PROXY', 'https_proxy', 'ALL_PROXY', 'all_proxy'];
    const child = Bun.spawn([process.execPath, '-e', program], {
      env: {
        ...process.env,
        ...Object.fromEntries(names.map((name) => [name, proxy])),
        NODE_USE_ENV_PROXY: '1',
        NO_PROXY: '',
        no_proxy: '',
      },
      stderr: 'inherit',
    });
    expect(JSON.parse(await new Response(child.stdout).text())).toEqual({
      sessions: 0,
      before: null,
      trouble: null,
    });
  });
});
