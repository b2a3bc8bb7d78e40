/** The ng driver against a real rtpengine. Skipped where there is none; RTPC_REQUIRE_ALL=1 makes that a failure. */

import { afterEach, describe, expect, test } from 'bun:test';
import type { MediaRequest } from '../../src/relay/driver.ts';
import { isDict } from '../../src/relay/ng/bencode.ts';
import { createNgDriver, type NgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { mustBe, type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`skipped: ng-driver.test.ts: ${reason}`);

const NG_PORT = 29_890;
const MEDIA = { portMin: 36_500, portMax: 36_599 };
const relays: Rtpengine[] = [];
const drivers: NgDriver[] = [];

afterEach(async () => {
  for (const driver of drivers.splice(0)) driver.close();
  for (const relay of relays.splice(0)) await relay.stop();
});

async function start(extra: readonly string[] = [], address = '127.0.0.1', media = MEDIA): Promise<NgDriver> {
  relays.push(await startRtpengine({ ngPort: NG_PORT, address, ...media, extra }));
  const driver = createNgDriver({ host: '127.0.0.1', port: NG_PORT }, systemClock);
  drivers.push(driver);

  return driver;
}

const soon = (): number => systemClock.monotonic() + 5000;

function sdp(address: string, port: number, media = 1): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';
  const streams = Array.from(
    { length: media },
    (_, i) => `m=audio ${port + 2 * i} RTP/AVP 8\r\na=odd:\xff\r\n`,
  );

  return `v=0\r\no=- 1 1 IN ${family} ${address}\r\ns=-\r\nc=IN ${family} ${address}\r\nt=0 0\r\n${streams.join('')}`;
}

const OFFER: MediaRequest = {
  callId: 'c1',
  fromTag: 'A',
  sdp: sdp('10.0.0.5', 4000),
  address: '203.0.113.9',
  family: 'IP4',
  isNew: true,
  extra: {},
};
const ANSWER: MediaRequest = {
  ...OFFER,
  toTag: 'B',
  sdp: sdp('198.51.100.7', 5000),
  address: '10.0.0.1',
  isNew: false,
};

/** Lines of an SDP that name an address. */
const addresses = (text: string): string[] => text.match(/^(?:o=.*|c=.*)(?=\r)/gm) ?? [];
const portOf = (text: string): string => /^m=audio (\d+)/m.exec(text)?.[1] ?? '';

describe.skipIf(reason !== undefined)('NgDriver with rtpengine', () => {
  test('makes a call, shows it and ends it, with the reader’s address in every SDP', async () => {
    const driver = await start();
    expect(await driver.ping(soon())).toBe('pong');
    const offered = mustBe(await driver.offer(OFFER, soon()));
    expect(addresses(offered)).toEqual(['o=- 1 1 IN IP4 203.0.113.9', 'c=IN IP4 203.0.113.9']);
    expect(offered).toContain('a=odd:\xff\r\n');
    const answered = mustBe(await driver.answer(ANSWER, soon()));
    expect(addresses(answered)).toEqual(['o=- 1 1 IN IP4 10.0.0.1', 'c=IN IP4 10.0.0.1']);
    const record = mustBe(await driver.query('c1', soon()));
    expect(isDict(record.tags) && Object.keys(record.tags).sort()).toEqual(['A', 'B']);
    expect(mustBe(await driver.delete({ callId: 'c1' }, soon())).found).toBe(true);
    expect(mustBe(await driver.delete({ callId: 'c1' }, soon())).found).toBe(false);
  });

  test('keeps ports and addresses when both sides offer again', async () => {
    const driver = await start();
    const offered = mustBe(await driver.offer(OFFER, soon()));
    const answered = mustBe(await driver.answer(ANSWER, soon()));
    const back = mustBe(await driver.offer({ ...ANSWER, fromTag: 'B', toTag: 'A', sdp: ANSWER.sdp }, soon()));
    expect([portOf(back), addresses(back)]).toEqual([portOf(answered), addresses(answered)]);
    const forth = mustBe(await driver.answer({ ...OFFER, fromTag: 'B', toTag: 'A', isNew: false }, soon()));
    expect([portOf(forth), addresses(forth)]).toEqual([portOf(offered), addresses(offered)]);
  });

  test('knows an unknown call and a broken SDP', async () => {
    const driver = await start();
    expect(await driver.answer(ANSWER, soon())).toMatchObject({ kind: 'unknown-call' });
    expect(await driver.query('c1', soon())).toMatchObject({ kind: 'unknown-call' });
    expect(await driver.command({ command: 'block media', 'call-id': 'c1' }, soon())).toMatchObject({
      kind: 'unknown-call',
    });
    expect(await driver.offer({ ...OFFER, sdp: 'hello' }, soon())).toMatchObject({
      kind: 'rejected',
      reason: 'Failed to parse SDP',
    });
  });

  test('tells a session limit as a refusal, which ends with the call', async () => {
    const driver = await start(['--max-sessions=1']);
    mustBe(await driver.offer(OFFER, soon()));
    expect(await driver.offer({ ...OFFER, callId: 'c2' }, soon())).toMatchObject({
      kind: 'refused',
      reason: 'Parallel session limit reached',
    });
    mustBe(await driver.offer({ ...OFFER, isNew: false }, soon()));
    mustBe(await driver.delete({ callId: 'c1' }, soon()));
    mustBe(await driver.offer({ ...OFFER, callId: 'c2' }, soon()));
  });

  test('tells a lack of ports as a refusal, of a new call and of one it had', async () => {
    const driver = await start([], '127.0.0.1', { portMin: 36_600, portMax: 36_605 });
    mustBe(await driver.offer(OFFER, soon()));
    expect(await driver.offer({ ...OFFER, callId: 'c2' }, soon())).toMatchObject({ kind: 'refused' });
    const more = { ...OFFER, isNew: false, sdp: sdp('10.0.0.5', 4000, 2) };
    expect(await driver.offer(more, soon())).toMatchObject({ kind: 'refused', reason: 'Ran out of ports' });
  });

  test('names logical interfaces in place of the address where it is told to', async () => {
    const driver = await start(['--interface=pub/127.0.0.2!203.0.113.2'], 'priv/127.0.0.1');
    const offered = mustBe(await driver.offer({ ...OFFER, interfaces: ['priv', 'pub'] }, soon()));
    expect(addresses(offered)).toContain('c=IN IP4 203.0.113.2');
    const answered = mustBe(await driver.answer({ ...ANSWER, interfaces: ['pub', 'priv'] }, soon()));
    expect(addresses(answered)).toContain('c=IN IP4 127.0.0.1');
  });

  test('opens the port on the family of the address the reader sees', async () => {
    const driver = await start(['--interface=::1']);
    const offered = mustBe(await driver.offer({ ...OFFER, address: '2001:db8::9', family: 'IP6' }, soon()));
    expect(addresses(offered)).toContain('c=IN IP6 2001:db8::9');
    const answered = mustBe(await driver.answer({ ...ANSWER, sdp: sdp('2001:db8::7', 5000) }, soon()));
    expect(addresses(answered)).toContain('c=IN IP4 10.0.0.1');
    const record = JSON.stringify(mustBe(await driver.query('c1', soon())));
    expect(record).toContain(`"local port":${portOf(offered)},"local address":"::1"`);
    expect(record).toContain(`"local port":${portOf(answered)},"local address":"127.0.0.1"`);
  });

  test('ends one branch and leaves the other', async () => {
    const driver = await start();
    for (const branch of ['z1', 'z2']) mustBe(await driver.offer({ ...OFFER, branch }, soon()));
    mustBe(await driver.answer({ ...ANSWER, branch: 'z1', toTag: 'B1' }, soon()));
    mustBe(
      await driver.answer({ ...ANSWER, branch: 'z2', toTag: 'B2', sdp: sdp('198.51.100.8', 6000) }, soon()),
    );
    mustBe(await driver.delete({ callId: 'c1', fromTag: 'A', branch: 'z1' }, soon()));
    expect(JSON.stringify(mustBe(await driver.query('c1', soon(), 'B2')))).toContain('"local port"');
    expect(mustBe(await driver.delete({ callId: 'c1' }, soon())).found).toBe(true);
  });

  test('hears at once that the node is gone, and goes on when it is back', async () => {
    const driver = await start();
    mustBe(await driver.offer(OFFER, soon()));
    await relays.pop()?.stop();
    expect(await driver.ping(systemClock.monotonic() + 60_000)).toMatchObject({ kind: 'unreachable' });
    relays.push(await startRtpengine({ ngPort: NG_PORT, address: '127.0.0.1', ...MEDIA }));
    expect(await driver.query('c1', soon())).toMatchObject({ kind: 'unknown-call' });
    expect(mustBe(await driver.statistics(soon())).totalstatistics).toHaveProperty('uptime');
  });
});
