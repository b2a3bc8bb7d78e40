/** What the ng driver does beyond the suite for all drivers, against a real rtpengine. Skipped where there is none; RTPC_REQUIRE_ALL=1 makes that a failure. */

import { afterEach, describe, expect, test } from 'bun:test';
import type { MediaReply, MediaRequest, RelayFailure } from '../../src/relay/driver.ts';
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

async function start(extra: readonly string[] = [], address = '127.0.0.1'): Promise<NgDriver> {
  relays.push(await startRtpengine({ ngPort: NG_PORT, address, ...MEDIA, extra }));
  const driver = createNgDriver({ host: '127.0.0.1', port: NG_PORT }, systemClock);
  drivers.push(driver);

  return driver;
}

const soon = (): number => systemClock.monotonic() + 5000;

function sdp(address: string, port: number): string {
  const family = address.includes(':') ? 'IP6' : 'IP4';

  return `v=0\r\no=- 1 1 IN ${family} ${address}\r\ns=-\r\nc=IN ${family} ${address}\r\nt=0 0\r\nm=audio ${port} RTP/AVP 8\r\na=odd:\xff\r\n`;
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

const sdpOf = (reply: MediaReply | RelayFailure): string => mustBe(reply).sdp;
/** Lines of an SDP that name an address. */
const addresses = (text: string): string[] => text.match(/^(?:o=.*|c=.*)(?=\r)/gm) ?? [];
const portOf = (text: string): string => /^m=audio (\d+)/m.exec(text)?.[1] ?? '';

describe.skipIf(reason !== undefined)('NgDriver with rtpengine', () => {
  test('makes a call, shows it and ends it, with the reader’s address in every SDP', async () => {
    const driver = await start();
    expect(await driver.ping(soon())).toBe('pong');
    const offered = sdpOf(await driver.offer(OFFER, soon()));
    expect(addresses(offered)).toEqual(['o=- 1 1 IN IP4 203.0.113.9', 'c=IN IP4 203.0.113.9']);
    expect(offered).toContain('a=odd:\xff\r\n');
    const answered = sdpOf(await driver.answer(ANSWER, soon()));
    expect(addresses(answered)).toEqual(['o=- 1 1 IN IP4 10.0.0.1', 'c=IN IP4 10.0.0.1']);
    const record = mustBe(await driver.query({ callId: 'c1' }, soon()));
    expect(isDict(record.tags) && Object.keys(record.tags).sort()).toEqual(['A', 'B']);
    expect(mustBe(await driver.delete({ callId: 'c1' }, soon())).found).toBe(true);
    expect(mustBe(await driver.delete({ callId: 'c1' }, soon())).found).toBe(false);
  });

  test('passes on what the relay says of any other message', async () => {
    const driver = await start();
    expect(await driver.ask({ command: 'block media', 'call-id': 'c1' }, soon())).toMatchObject({
      kind: 'unknown-call',
    });
    expect(await driver.offer({ ...OFFER, sdp: 'hello' }, soon())).toMatchObject({
      kind: 'rejected',
      reason: 'Failed to parse SDP',
    });
    expect(mustBe(await driver.statistics(soon())).totalstatistics).toHaveProperty('uptime');
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

  test('names logical interfaces in place of the address where it is told to', async () => {
    const driver = await start(['--interface=pub/127.0.0.2!203.0.113.2'], 'priv/127.0.0.1');
    const offered = sdpOf(await driver.offer({ ...OFFER, interfaces: ['priv', 'pub'] }, soon()));
    expect(addresses(offered)).toContain('c=IN IP4 203.0.113.2');
    const answered = sdpOf(await driver.answer({ ...ANSWER, interfaces: ['pub', 'priv'] }, soon()));
    expect(addresses(answered)).toContain('c=IN IP4 127.0.0.1');
  });

  test('opens the port on the family of the address the reader sees', async () => {
    const driver = await start(['--interface=::1']);
    const offered = sdpOf(await driver.offer({ ...OFFER, address: '2001:db8::9', family: 'IP6' }, soon()));
    expect(addresses(offered)).toContain('c=IN IP6 2001:db8::9');
    const answered = sdpOf(await driver.answer({ ...ANSWER, sdp: sdp('2001:db8::7', 5000) }, soon()));
    expect(addresses(answered)).toContain('c=IN IP4 10.0.0.1');
    const record = JSON.stringify(mustBe(await driver.query({ callId: 'c1' }, soon())));
    expect(record).toContain(`"local port":${portOf(offered)},"local address":"::1"`);
    expect(record).toContain(`"local port":${portOf(answered)},"local address":"127.0.0.1"`);
  });
});
