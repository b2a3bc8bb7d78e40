/**
 * The ng front-end in front of a real rtpengine: what only a relay can show. Skipped where there is none; RTPC_REQUIRE_ALL=1 makes
 * that a failure.
 */

import { afterAll, afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { NgDict, NgValue } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { type Appliance, startAppliance } from '../lab/appliance.ts';
import { addNodes } from '../lab/client.ts';
import { answerOf, INNER_SDP, NgClient, OUTER_SDP, offerOf, shown } from '../lab/ng-client.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { sweep } from '../lab/processes.ts';
import { type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/contract/ng-front: ${reason}`);

const TIMEOUT_MS = 30_000;
const PING_MS = 1000;
const FIXTURES = join(import.meta.dir, '..', 'fixtures', 'ng');
/** The addresses `addNodes` gives to the first node. */
const INNER = '10.9.0.1';
const OUTER = '198.51.100.1';
const UNKNOWN = { result: 'error', 'error-reason': 'Unknown call-id' };

interface Lab {
  readonly appliance: Appliance;
  /** Talks to the appliance. */
  readonly front: NgClient;
  /** Talks to the relay itself. */
  readonly direct: NgClient;
  isAlive(): Promise<boolean>;
  /** Stops the appliance and starts it anew. */
  restart(): Promise<void>;
  stop(): Promise<unknown>;
}

/** Labs by the arguments of their relay. */
const labs = new Map<string, Lab>();
let made = 0;

afterAll(async () => {
  for (const lab of labs.values()) await lab.stop();
  NgClient.closeAll();
  sweep();
});

/** A Call-ID nobody has used. */
const newCall = (): string => `call-${++made}`;

/** A relay behind the appliance. Made once for all tests that want the same, and anew if its relay has died. */
async function labWith(...extra: readonly string[]): Promise<Lab> {
  const key = extra.join(' ');
  const known = labs.get(key);
  if (known !== undefined && (await known.isAlive())) return known;
  await known?.stop();
  const lab = await startLab(extra);
  labs.set(key, lab);

  return lab;
}

const keeping = (): Promise<Lab> => labWith('--delete-delay=30');
const forgetting = (): Promise<Lab> => labWith();

async function startLab(extra: readonly string[]): Promise<Lab> {
  const [ngPort, port] = [await freeUdpPort(), await freeUdpPort()];
  const media =
    extra.length === 0 ? { portMin: 38_000, portMax: 38_799 } : { portMin: 38_800, portMax: 39_599 };
  const relay: Rtpengine = await startRtpengine({ ngPort, address: '127.0.0.1', ...media, extra });
  const serve = (database?: string): Promise<Appliance> =>
    startAppliance({
      ngListen: `0 == udp:127.0.0.1:${port}`,
      ...(database === undefined ? {} : { database }),
    });
  let appliance = await serve();
  await addNodes(appliance, [{ socket: `udp:127.0.0.1:${ngPort}` }]);
  const driver = createNgDriver({ host: '127.0.0.1', port: ngPort }, systemClock);

  return {
    get appliance() {
      return appliance;
    },
    front: await NgClient.connect({ port }),
    direct: await NgClient.connect({ port: ngPort }),
    isAlive: async () => (await driver.ping(systemClock.monotonic() + PING_MS)) === 'pong',
    async restart() {
      await appliance.stop();
      appliance = await serve(appliance.database);
    },
    async stop() {
      driver.close();
      await appliance.stop();
      await relay.stop();
    },
  };
}

const remove = (callId: string, more: NgDict = {}): NgDict => ({
  command: 'delete',
  'call-id': callId,
  ...more,
});

/** A later INVITE of the caller inside. */
const offerAgain = (callId: string, more: NgDict = {}): NgDict => ({
  ...{ command: 'offer', 'call-id': callId, 'from-tag': 'caller', 'to-tag': 'callee' },
  ...{ sdp: INNER_SDP, ...more },
});

async function callsOf(client: NgClient): Promise<NgValue> {
  return (await client.ask({ command: 'list', limit: '1000' })).calls ?? [];
}

/** Calls the appliance counts on its node. */
async function countedOn({ appliance }: Lab): Promise<number> {
  const { load } = (await appliance.api('GET', '/v1/nodes/1')) as { load: { calls: number } };

  return load.calls;
}

describe.skipIf(reason !== undefined)('a call that its relay keeps across a restart of ours', () => {
  let lab: Lab;
  beforeEach(async () => {
    lab = await startLab(['--delete-delay=30']);
  });
  afterEach(() => lab.stop());

  test(
    'goes on with a re-INVITE, on the sides it had',
    async () => {
      const callId = newCall();
      shown(await lab.front.ask(offerOf(callId)));
      shown(await lab.front.ask(answerOf(callId)));
      await lab.front.ask(remove(callId, { 'from-tag': 'caller' }));
      await lab.restart();
      expect(shown(await lab.front.ask(offerAgain(callId)))).toContain(OUTER);
      expect(await callsOf(lab.front)).toContain(callId);
    },
    TIMEOUT_MS,
  );

  test(
    'does not end its relay with an offer of a party whose partner was taken before',
    async () => {
      const callId = newCall();
      shown(await lab.front.ask(offerOf(callId)));
      shown(await lab.front.ask(answerOf(callId)));
      await lab.front.ask(offerOf(callId, { 'from-tag': 'third', 'to-tag': 'callee' }));
      await lab.front.ask(remove(callId));
      await lab.restart();
      await lab.front.ask(offerOf(callId));
      expect(await lab.isAlive()).toBe(true);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(reason !== undefined)('a call deleted by ng whose relay keeps it for a while', () => {
  test(
    'ends here at once, and is counted no more',
    async () => {
      const lab = await keeping();
      const callId = newCall();
      shown(await lab.front.ask(offerOf(callId)));
      const before = await countedOn(lab);
      await lab.front.ask(remove(callId, { 'from-tag': 'caller' }));
      expect(await callsOf(lab.front)).not.toContain(callId);
      expect(await callsOf(lab.direct)).toContain(callId);
      expect(await countedOn(lab)).toBe(before - 1);
    },
    TIMEOUT_MS,
  );

  test('goes on with an answer', async () => {
    const lab = await keeping();
    const callId = newCall();
    await lab.front.ask(offerOf(callId));
    await lab.front.ask(remove(callId, { 'from-tag': 'caller' }));
    const before = await countedOn(lab);
    expect(shown(await lab.front.ask(answerOf(callId)))).toBe(INNER);
    expect(await callsOf(lab.front)).toContain(callId);
    expect(await countedOn(lab)).toBe(before + 1);
  });

  test('goes on with a second answer, as that of the gateway tried next', async () => {
    const { front } = await keeping();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(answerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller' }));
    expect(shown(await front.ask(answerOf(callId, { 'to-tag': 'other' })))).toBe(INNER);
  });

  test('goes on with a re-INVITE of either party', async () => {
    const { front } = await keeping();
    for (const [tags, sdp, address] of [
      [{ 'from-tag': 'caller', 'to-tag': 'callee' }, INNER_SDP, OUTER],
      [{ 'from-tag': 'callee', 'to-tag': 'caller' }, OUTER_SDP, INNER],
    ] as const) {
      const callId = newCall();
      await front.ask(offerOf(callId));
      await front.ask(answerOf(callId));
      await front.ask(remove(callId, { 'from-tag': 'caller' }));
      expect(shown(await front.ask(offerAgain(callId, { ...tags, sdp })))).toBe(address);
      expect(await callsOf(front)).toContain(callId);
    }
  });

  test('may be deleted again after that, and then is gone from both if the client says so', async () => {
    const { front, direct } = await keeping();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller' }));
    await front.ask(answerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'callee', 'delete-delay': 0 }));
    expect(await callsOf(front)).not.toContain(callId);
    expect(await callsOf(direct)).not.toContain(callId);
  });

  test('does not go on if the client wanted no delay', async () => {
    const { front, direct } = await keeping();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller', 'delete-delay': 0 }));
    expect(await callsOf(direct)).not.toContain(callId);
    expect(await front.ask(answerOf(callId))).toMatchObject(UNKNOWN);
  });
});

describe.skipIf(reason !== undefined)('a call deleted by ng whose relay does not keep it', () => {
  test(
    'does not go on with an answer',
    async () => {
      const { front, direct } = await forgetting();
      const callId = newCall();
      await front.ask(offerOf(callId));
      await front.ask(remove(callId, { 'from-tag': 'caller' }));
      expect(await callsOf(direct)).not.toContain(callId);
      expect(await front.ask(answerOf(callId))).toMatchObject(UNKNOWN);
    },
    TIMEOUT_MS,
  );

  test('does not go on with a re-INVITE, which would reach one party only', async () => {
    const { front, direct } = await forgetting();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(answerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller' }));
    expect(await front.ask(offerAgain(callId))).toMatchObject(UNKNOWN);
    expect(await callsOf(direct)).not.toContain(callId);
  });

  test('goes on if the client wanted a delay', async () => {
    const { front } = await forgetting();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller', 'delete-delay': 30 }));
    expect(shown(await front.ask(answerOf(callId)))).toBe(INNER);
  });

  test('is begun anew by an offer that names nobody', async () => {
    const { front } = await forgetting();
    const callId = newCall();
    await front.ask(offerOf(callId));
    await front.ask(remove(callId, { 'from-tag': 'caller' }));
    expect(shown(await front.ask(offerOf(callId)))).toBe(OUTER);
    expect(shown(await front.ask(answerOf(callId)))).toBe(INNER);
  });
});

describe.skipIf(reason !== undefined)('final statistics', () => {
  /** Makes a call and deletes it, and says which keys the reply has. */
  async function told(client: NgClient, more: NgDict): Promise<readonly string[]> {
    const callId = newCall();
    await client.ask(offerOf(callId));
    await client.ask(answerOf(callId));

    return Object.keys(await client.ask(remove(callId, more))).sort();
  }

  test('are told to a client that names a party, as the relay tells them', async () => {
    const { front, direct } = await forgetting();
    const keys = await told(front, { 'from-tag': 'caller' });
    expect(keys).toEqual([...(await told(direct, { 'from-tag': 'caller' }))]);
    expect(keys).toContain('totals');
    expect(keys).toContain('tags');
  });

  test('are told with the name of both parties too', async () => {
    const { front, direct } = await forgetting();
    const tags = { 'from-tag': 'callee', 'to-tag': 'caller' };
    expect(await told(front, tags)).toEqual([...(await told(direct, tags))]);
  });

  test('are not told to a client that names nobody, as the relay does not', async () => {
    const { front, direct } = await forgetting();
    expect(await told(front, {})).toEqual(['result']);
    expect(await told(direct, {})).toEqual(['result']);
  });
});

describe.skipIf(reason !== undefined)('messages that end rtpengine 10.5.3.5 do not reach it:', () => {
  const DIRECTION = ['priv', 'pub'];
  const offer = (from: string, to?: string, more: NgDict = {}): NgDict => ({
    ...{ command: 'offer', 'from-tag': from, direction: DIRECTION, sdp: INNER_SDP },
    ...(to === undefined ? {} : { 'to-tag': to }),
    ...more,
  });
  const answer = (from: string, to: string, more: NgDict = {}): NgDict => ({
    ...{ command: 'answer', 'from-tag': from, 'to-tag': to, sdp: OUTER_SDP },
    ...more,
  });
  const branch = { 'via-branch': 'z9hG4bK1' };
  const fragment = { flags: ['fragment'] };
  const FRAGMENT = [
    ...['a=ice-ufrag:abcd', 'a=ice-pwd:abcdefghijklmnopqrstuvwx', 'm=audio 9 RTP/AVP 8', 'a=mid:0'],
    'a=candidate:1 1 udp 2130706431 10.1.1.1 4000 typ host\r\n',
  ].join('\r\n');
  const subscribe = { command: 'subscribe request', 'from-tag': 'C', 'to-tag': 'B', 'cluster-to': 'inner' };
  const leave = { command: 'delete', 'from-tag': 'A', 'to-tag': 'B1', flags: ['to-tag'] };

  const SEQUENCES: readonly [name: string, ...messages: NgDict[]][] = [
    ['a partner taken by the answer of a third party', offer('A', 'B'), answer('C', 'B'), offer('A')],
    [
      'a partner taken by an answer, after legal exchanges',
      ...[offer('C'), answer('C', 'B'), offer('A', 'B'), answer('A', 'B')],
      ...[offer('C', 'B'), answer('C', 'B'), offer('A')],
    ],
    [
      'a partner taken by the offer of a third party',
      offer('C'),
      answer('C', 'B'),
      offer('X', 'B'),
      offer('C'),
    ],
    [
      'a partner taken by an offer, then a branch',
      ...[offer('C'), answer('C', 'B'), offer('X', 'B'), offer('C', undefined, branch)],
    ],
    [
      'a partner taken within a branch',
      ...[offer('C', undefined, branch), answer('C', 'B', branch)],
      ...[offer('X', 'B', branch), offer('C', undefined, branch)],
    ],
    ['a party unsubscribed', offer('A'), { command: 'unsubscribe', 'to-tag': 'A' }, offer('A')],
    [
      'a party unsubscribed after an answer',
      offer('A'),
      answer('A', 'B'),
      { command: 'unsubscribe', 'to-tag': 'A' },
      offer('A'),
    ],
    ['the offer of a subscriber', offer('C'), subscribe, offer('B')],
    ['the offer of a subscriber to a third party', offer('C'), subscribe, offer('B', 'A')],
    ['an answer to a subscriber', offer('C'), subscribe, answer('B', 'A')],
    ['a stranger unsubscribed', offer('A'), { command: 'unsubscribe', 'to-tag': 'B' }, offer('B')],
    [
      'a stranger unsubscribed, then answered',
      offer('A'),
      { command: 'unsubscribe', 'to-tag': 'B' },
      answer('C', 'B'),
    ],
    [
      'the offer of a callee who was left',
      offer('A'),
      answer('A', 'B1'),
      answer('A', 'B2'),
      leave,
      offer('B1'),
    ],
    [
      'a partner taken before the call was deleted',
      ...[offer('C'), answer('C', 'B'), offer('X', 'B'), { command: 'delete' }, offer('C')],
    ],
    [
      'the offer of a subscriber after the call was deleted',
      offer('C'),
      subscribe,
      { command: 'delete' },
      offer('B'),
    ],
    [
      'the offer of the callee of a call that was deleted and offered to another',
      ...[offer('A'), answer('A', 'B'), { command: 'delete' }, offer('A'), answer('A', 'C'), offer('B')],
    ],
    ['a fragment for a party not heard of', offer('A'), offer('A', 'B', { ...fragment, sdp: FRAGMENT })],
    ['a fragment of a party not heard of', offer('A'), offer('X', undefined, { ...fragment, sdp: FRAGMENT })],
    [
      'the fragment of an answer between strangers',
      offer('A'),
      answer('X', 'Y', { ...fragment, sdp: FRAGMENT }),
    ],
    [
      'a fragment of a party whose partner was taken',
      ...[
        offer('A'),
        answer('A', 'B'),
        offer('X', 'B'),
        offer('A', undefined, { ...fragment, sdp: FRAGMENT }),
      ],
    ],
    [
      'a fragment of another branch',
      ...[offer('A', undefined, branch)],
      ...[offer('A', undefined, { ...fragment, sdp: FRAGMENT, 'via-branch': 'z9hG4bK2' })],
    ],
    ['a whole SDP called a fragment', offer('A'), offer('A', 'B', fragment)],
  ];

  test.each(SEQUENCES.map(([name, ...messages]) => [name, messages] as const))(
    '%s',
    async (_, messages) => {
      const lab = await keeping();
      const callId = newCall();
      for (const message of messages) await lab.front.ask({ ...message, 'call-id': callId });
      expect(await lab.isAlive()).toBe(true);
    },
    TIMEOUT_MS,
  );
});

describe.skipIf(reason !== undefined)('recorded offers and answers', () => {
  const read = (name: string): NgDict =>
    JSON.parse(readFileSync(join(FIXTURES, `${name}.json`), 'utf8')).request.payload;

  /** The calls of the fixtures, message by message. */
  const CALLS: readonly (readonly string[])[] = [
    ['audio.01-offer', 'audio.02-answer'],
    ['av.01-offer', 'av.02-answer-video-rejected'],
    ['webrtc.01-offer-webrtc-to-sip', 'webrtc.02-answer-sip-to-webrtc'],
    ['webrtc.08-offer-webrtc-to-webrtc'],
    ['sdes.01-offer-srtp-to-rtp', 'sdes.02-answer-rtp'],
    ['sdes.04-offer-srtp-passthrough'],
    ['sdes.05-offer-rtp-to-srtp'],
  ];

  /** An SDP without what is another in each call: addresses, ports, keys, and what is made of them. */
  function outlineOf(reply: NgDict): string[] {
    expect(reply.result).toBe('ok');

    return String(reply.sdp)
      .replaceAll(/^o=.*/gm, 'o=')
      .replaceAll(/IN IP4 \S+/g, 'ADDRESS')
      .replaceAll(/^(m=\w+) [1-9]\d*/gm, '$1 PORT')
      .replaceAll(/^a=rtcp:\d+/gm, 'a=rtcp:PORT')
      .replaceAll(/inline:\S+/g, 'inline:KEY')
      .replaceAll(/^(a=(?:ice-ufrag|ice-pwd|tls-id|ssrc|msid)):.*/gm, '$1')
      .replaceAll(/^a=candidate:\S+ (\d) (\S+) \d+ \S+ \d+( typ \w+).*/gm, 'a=candidate:$1 $2$3')
      .split(/\r?\n/);
  }

  test.each(CALLS.map((names) => [names.join(', '), names] as const))(
    'get what the relay says, apart from addresses and ports: %s',
    async (_, names) => {
      const { front, direct } = await forgetting();
      const [ours, theirs] = [newCall(), newCall()];
      for (const name of names) {
        const message = read(name);
        const sides = message.command === 'offer' ? { direction: ['priv', 'pub'] } : {};
        const reply = await front.ask({ ...message, ...sides, 'call-id': ours });
        expect(outlineOf(reply)).toEqual(outlineOf(await direct.ask({ ...message, 'call-id': theirs })));
      }
    },
    TIMEOUT_MS,
  );

  test('a fragment with further ICE candidates is taken, and brings no SDP back', async () => {
    const { front, direct } = await forgetting();
    const callId = newCall();
    for (const name of ['webrtc.01-offer-webrtc-to-sip', 'webrtc.02-answer-sip-to-webrtc'])
      await front.ask({ ...read(name), direction: ['priv', 'pub'], 'call-id': callId });
    const fragment = read('webrtc.04-trickle-fragment');
    expect(await front.ask({ ...fragment, 'call-id': callId })).toEqual({ result: 'ok' });
    expect(await direct.ask({ ...fragment, 'call-id': callId })).toEqual({ result: 'ok' });
  });
});
