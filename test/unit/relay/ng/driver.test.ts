import { describe, expect, test } from 'bun:test';
import type { MediaRequest, NgDict, NgValue } from '../../../../src/relay/driver.ts';
import { createNgDriver, type NgDriver } from '../../../../src/relay/ng/driver.ts';
import { FakeClock, FakeNet, settle } from './harness.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=caf\xe9\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
const REQUEST: MediaRequest = {
  callId: 'c1',
  fromTag: 'A',
  sdp: SDP,
  address: '203.0.113.9',
  family: 'IP4',
  isNew: true,
  extra: {},
};
const DEADLINE = 1_000_900;

function start() {
  const net = new FakeNet();
  const driver = createNgDriver({ host: '192.0.2.1', port: 2223 }, new FakeClock(), { open: net.open });

  return { net, driver };
}

/** The message which a call of the driver sends. */
async function sent(act: (driver: NgDriver) => unknown): Promise<Readonly<Record<string, NgValue>>> {
  const { net, driver } = start();
  act(driver);
  await settle();

  return net.message(0);
}

/** What a call of the driver makes of a reply. */
async function outcome<T>(act: (driver: NgDriver) => Promise<T>, reply: NgDict): Promise<T> {
  const { net, driver } = start();
  const result = act(driver);
  await settle();
  net.reply(0, reply);

  return result;
}

const offer = (change: Partial<MediaRequest> = {}) =>
  sent((d) => d.offer({ ...REQUEST, ...change }, DEADLINE));
const answer = (change: Partial<MediaRequest> = {}) =>
  sent((d) => d.answer({ ...REQUEST, isNew: false, toTag: 'B', ...change }, DEADLINE));

describe('offer', () => {
  test('asks for the reader’s address, everywhere, and for honest limits', async () => {
    expect(await offer()).toEqual({
      command: 'offer',
      'call-id': 'c1',
      'from-tag': 'A',
      sdp: SDP,
      replace: ['origin', 'session-connection'],
      supports: ['load limit'],
      'media-address': '203.0.113.9',
      'address-family': 'IP4',
    });
  });

  test('names to-tag and branch where they are known', async () => {
    expect(await offer({ toTag: 'B', branch: 'z9' })).toMatchObject({ 'to-tag': 'B', 'via-branch': 'z9' });
  });

  test('names the logical interfaces in place of the address where the node is configured so', async () => {
    const message = await offer({ interfaces: ['priv', 'pub'] });
    expect(message.direction).toEqual(['priv', 'pub']);
    expect(message).not.toHaveProperty('media-address');
  });

  test('passes other keys of the client on', async () => {
    expect(
      await offer({ extra: { 'transport-protocol': 'RTP/AVP', codec: { strip: ['all'] } } }),
    ).toMatchObject({
      'transport-protocol': 'RTP/AVP',
      codec: { strip: ['all'] },
    });
  });

  test('drops keys of the client that are the cluster’s to set, in any spelling', async () => {
    const extra = {
      'media-address': '192.0.2.66',
      'media address': '192.0.2.66',
      direction: ['pub', 'priv'],
      'address family': 'IP6',
      'call-id': 'other',
      'From-Tag': 'other',
      SDP: 'other',
      command: 'delete',
      'cluster-set': '3',
    };
    expect(await offer({ extra })).toEqual(await offer());
  });

  test.each([
    [
      ['session connection', 'username'],
      ['session connection', 'username', 'origin'],
    ],
    [['origin'], ['origin', 'session-connection']],
    ['origin', ['origin', 'session-connection']],
  ])('adds to the client’s replace list %p what is missing', async (replace, expected) => {
    expect((await offer({ extra: { replace } })).replace).toEqual(expected);
  });

  test('sends no replace list if the client gave an empty one', async () => {
    expect(await offer({ extra: { replace: [] } })).not.toHaveProperty('replace');
  });

  test('keeps what else the client supports', async () => {
    expect((await offer({ extra: { supports: ['load limit'] } })).supports).toEqual(['load limit']);
    expect((await offer({ extra: { supports: 'x' } })).supports).toEqual(['x', 'load limit']);
  });

  test.each([
    ['flags', 'trust-address, symmetric', ['trust-address', 'symmetric']],
    ['rtcp-mux', 'demux', ['demux']],
    ['rtcp mux', 'demux', ['demux']],
    ['SDES', 'off', ['off']],
    ['OSRTP', 'accept', ['accept']],
    ['from-tags', 'a,b', ['a', 'b']],
    ['received-from', 'IP4 10.0.0.9', ['IP4', '10.0.0.9']],
  ])('makes a list of the plain string in %p', async (key, value, list) => {
    expect((await offer({ extra: { [key]: value } }))[key.replace(' ', '-')]).toEqual(list);
  });

  test('makes a plain string of a list in ICE', async () => {
    expect((await offer({ extra: { ICE: ['force'] } })).ICE).toBe('force');
    expect((await offer({ extra: { ICE: 'remove' } })).ICE).toBe('remove');
  });

  test('gives the SDP of the reply, byte for byte, and an empty one where there is none', async () => {
    const act = (d: NgDriver) => d.offer(REQUEST, DEADLINE);
    expect(await outcome(act, { sdp: SDP, result: 'ok' })).toEqual({ sdp: SDP, memo: null, sessions: 1 });
    expect(await outcome(act, { result: 'ok' })).toMatchObject({ sdp: '' });
    expect(await outcome(act, { result: 'ok', warning: 'odd', sdp: SDP })).toMatchObject({ sdp: SDP });
  });
});

describe('answer', () => {
  test('asks for the reader’s address too, and for no limits', async () => {
    const message = await answer();
    expect(message).toMatchObject({
      command: 'answer',
      'to-tag': 'B',
      'media-address': '203.0.113.9',
      'address-family': 'IP4',
      replace: ['origin', 'session-connection'],
    });
    expect(message).not.toHaveProperty('supports');
  });

  test('says the family of the address it asks for', async () => {
    expect(await answer({ address: '2001:db8::9', family: 'IP6' })).toMatchObject({
      'address-family': 'IP6',
    });
  });
});

describe('replies', () => {
  const isNew = (d: NgDriver) => d.offer(REQUEST, DEADLINE);
  const again = (d: NgDriver) => d.offer({ ...REQUEST, toTag: 'B', isNew: false }, DEADLINE);
  const answering = (d: NgDriver) => d.answer({ ...REQUEST, isNew: false, toTag: 'B' }, DEADLINE);
  const error = (reason: string): NgDict => ({ result: 'error', 'error-reason': reason });

  test('`load limit` is a refusal with the relay’s own reason', async () => {
    const reply = { result: 'load limit', message: 'Load limit exceeded' };
    expect(await outcome(isNew, reply)).toEqual(
      expect.objectContaining({ kind: 'refused', reason: 'Load limit exceeded' }),
    );
  });

  test('"Ran out of ports" is a refusal of a new call, and of one it had: the relay has ended that', async () => {
    const reason = 'Ran out of ports';
    expect(await outcome(isNew, error(reason))).toMatchObject({ kind: 'refused', reason });
    expect(await outcome(again, error(reason))).toMatchObject({ kind: 'refused', reason });
  });

  test.each([
    ['Parallel session limit reached'],
    ['CPU usage limit exceeded'],
    ['Load limit exceeded'],
    ['Bandwidth limit exceeded'],
  ])('%p refuses a new call and rejects anything else', async (reason) => {
    expect(await outcome(isNew, error(reason))).toMatchObject({ kind: 'refused', reason });
    expect(await outcome(again, error(reason))).toMatchObject({ kind: 'rejected', reason });
  });

  test.each([['Unknown call-id'], ['Unknown call-ID']])('%p is an unknown call', async (reason) => {
    expect(await outcome(answering, error(reason))).toMatchObject({ kind: 'unknown-call', reason });
    expect(await outcome((d) => d.query({ callId: 'c1' }, DEADLINE), error(reason))).toMatchObject({
      kind: 'unknown-call',
    });
  });

  test.each([['Failed to parse SDP'], ['Unknown call-id here'], ['']])('%p rejects', async (reason) => {
    expect(await outcome(isNew, error(reason))).toMatchObject({ kind: 'rejected' });
  });

  test('any other result rejects; none at all is garbled', async () => {
    expect(await outcome(isNew, { result: 'maybe' })).toMatchObject({ kind: 'rejected' });
    expect(await outcome(isNew, { sdp: SDP })).toMatchObject({ kind: 'garbled' });
  });
});

describe('delete', () => {
  test('names a whole call by its Call-ID alone, at once', async () => {
    const whole = { command: 'delete', 'call-id': 'c1', 'delete-delay': 0 };
    expect(await sent((d) => d.delete({ callId: 'c1' }, DEADLINE))).toEqual(whole);
    expect(await sent((d) => d.delete({ callId: 'c1', fromTag: 'A' }, DEADLINE))).toEqual(whole);
  });

  test('names a branch by from-tag and via-branch, with the flag 12.5 and later want', async () => {
    expect(await sent((d) => d.delete({ callId: 'c1', fromTag: 'A', branch: 'z9' }, DEADLINE))).toEqual({
      command: 'delete',
      'call-id': 'c1',
      'delete-delay': 0,
      'from-tag': 'A',
      'via-branch': 'z9',
      flags: ['to-tag'],
    });
  });

  test('of a branch without from-tag sends nothing: it would end the call', async () => {
    const { net, driver } = start();
    expect(await driver.delete({ callId: 'c1', branch: 'z9' }, DEADLINE)).toMatchObject({ kind: 'rejected' });
    expect(net.sent).toEqual([]);
  });

  test('tells whether the node knew the call', async () => {
    const act = (d: NgDriver) => d.delete({ callId: 'c1' }, DEADLINE);
    const warning = "Call-ID not found or tags didn't match";
    expect(await outcome(act, { created: 5, result: 'ok' })).toMatchObject({
      found: true,
      reply: { created: 5 },
    });
    expect(await outcome(act, { warning, result: 'ok' })).toMatchObject({ found: false });
    expect(await outcome(act, { result: 'error', 'error-reason': warning })).toMatchObject({ found: false });
    expect(await outcome(act, { warning: 'odd', result: 'ok' })).toMatchObject({ found: true });
    expect(await outcome(act, { result: 'error', 'error-reason': 'odd' })).toMatchObject({
      kind: 'rejected',
    });
  });
});

describe('what would kill the relay', () => {
  const party = (tag: string, type: string) => ({ tag, subscriptions: [{ tag: 'S', type }] });
  const alone = { tags: { A: party('A', 'pub/sub'), P: party('P', 'offer/answer') }, result: 'ok' };
  const paired = {
    tags: { A: { tag: 'A', subscriptions: [{ tag: 'B', type: 'offer/answer' }] } },
    result: 'ok',
  };

  /** The commands sent for an offer, with such replies in turn, and its outcome. */
  async function offered(change: Partial<MediaRequest>, ...replies: NgDict[]) {
    const { net, driver } = start();
    const result = driver.offer({ ...REQUEST, ...change }, DEADLINE);
    for (const [index, reply] of replies.entries()) {
      await settle();
      net.reply(index, reply);
    }

    return { outcome: await result, commands: net.sent.map((_, index) => net.message(index).command) };
  }

  test.each<[string, Partial<MediaRequest>]>([
    ['in a call it has', { isNew: false }],
    ['in a call it may have kept', { isKept: true }],
  ])('an offer of a party without partner that names none, %s, is not sent', async (_name, change) => {
    expect(await offered(change, alone)).toMatchObject({
      outcome: { kind: 'rejected', reason: expect.stringContaining('A has no partner') },
      commands: ['query'],
    });
  });

  test.each<[string, NgDict]>([
    ['has a partner', paired],
    ['is not known', { tags: {}, result: 'ok' }],
    ['is in a call that is not known', { result: 'error', 'error-reason': 'Unknown call-id' }],
    ['is told of in another way', { tags: { A: { tag: 'A' } }, result: 'ok' }],
  ])('that of a party that %s is', async (_name, record) => {
    const { commands } = await offered({ isNew: false }, record, { sdp: SDP, result: 'ok' });
    expect(commands).toEqual(['query', 'offer']);
  });

  test('nobody asks for an offer that names the other, or of a new call', async () => {
    for (const change of [{ isNew: false, toTag: 'B' }, {}])
      expect(await offered(change, { sdp: SDP, result: 'ok' })).toMatchObject({ commands: ['offer'] });
  });

  const piece = {
    command: 'offer',
    'call-id': 'c1',
    'from-tag': 'A',
    flags: ['fragment'],
    sdp: 'a=candidate:1',
  };

  test.each<[string, NgDict]>([
    ['its sender', { ...piece, 'from-tag': 'X' }],
    ['its reader', { ...piece, 'to-tag': 'X' }],
  ])('a piece of an SDP is not sent where %s is not known there', async (_name, message) => {
    const { net, driver } = start();
    const result = driver.command(message, { callId: 'c1' }, DEADLINE);
    await settle();
    net.reply(0, paired);
    expect(await result).toEqual({ result: 'ok' });
    expect(net.sent).toHaveLength(1);
  });

  test('a piece of an SDP for a listener is not sent', async () => {
    const { net, driver } = start();
    const result = driver.command({ ...piece, 'from-tag': 'P', 'to-tag': 'A' }, { callId: 'c1' }, DEADLINE);
    await settle();
    net.reply(0, alone);
    expect(await result).toEqual({ result: 'ok' });
    expect(net.sent).toHaveLength(1);
  });

  test('a piece of an SDP of a party without partner is not sent', async () => {
    const { net, driver } = start();
    const result = driver.command(piece, { callId: 'c1' }, DEADLINE);
    await settle();
    net.reply(0, alone);
    expect(await result).toEqual({ result: 'ok' });
    expect(net.sent).toHaveLength(1);
  });

  test.each([
    ['unsubscribe', 'A', ['query', 'unsubscribe']],
    ['unsubscribe', 'P', ['query']],
    ['unsubscribe', 'nobody', ['query']],
    ['subscribe request', 'A', ['query', 'subscribe request']],
    ['subscribe request', 'P', ['query']],
    ['subscribe request', 'nobody', ['query', 'subscribe request']],
  ])('%s of %s sends %j: parties do not listen', async (command, tag, commands) => {
    const { net, driver } = start();
    const message = { command, 'call-id': 'c1', 'to-tag': tag };
    const result = driver.command(message, { callId: 'c1' }, DEADLINE);
    await settle();
    net.reply(0, alone);
    await settle();
    expect(net.sent.map((_, index) => net.message(index).command)).toEqual(commands);
    if (commands.length === 2) net.reply(1, { result: 'ok' });
    expect(await result).toMatchObject(commands.length === 2 ? { result: 'ok' } : { kind: 'rejected' });
  });

  test('a piece of an SDP of known parties is', async () => {
    const { net, driver } = start();
    const result = driver.command({ ...piece, 'via-branch': 'z9' }, { callId: 'c1' }, DEADLINE);
    await settle();
    net.reply(0, paired);
    await settle();
    expect(net.message(1)).not.toHaveProperty('via-branch');
    expect(net.message(1)).toMatchObject({ command: 'offer', flags: ['fragment'] });
    net.reply(1, { result: 'ok' });
    expect(await result).toEqual({ result: 'ok' });
  });

  test.each<['offer' | 'answer', string, string]>([
    ['offer', 'A', 'P'],
    ['offer', 'P', 'A'],
    ['answer', 'P', 'A'],
  ])(
    'an %s from %s to %s names a listener and is not sent, once somebody has subscribed',
    async (command, fromTag, toTag) => {
      const { net, driver } = start();
      const request = { ...REQUEST, isNew: false, fromTag, toTag };
      void driver[command](request, DEADLINE);
      await settle();
      expect(net.message(0)).toMatchObject({ command });
      void driver.command({ command: 'subscribe request', 'call-id': 'c1' }, { callId: 'c1' }, DEADLINE);
      await settle();
      net.reply(1, alone);
      await settle();
      expect(net.message(2)).toMatchObject({ command: 'subscribe request' });
      const result = driver[command](request, DEADLINE);
      await settle();
      net.reply(3, alone);
      expect(await result).toMatchObject({ kind: 'rejected', reason: expect.stringContaining('A listens') });
      expect(net.sent).toHaveLength(4);
    },
  );

  test('a whole SDP does not go as a piece', async () => {
    expect(await offer({ extra: { flags: ['fragment', 'trust-address'] } })).toMatchObject({
      flags: ['trust-address'],
    });
  });
});

describe('delete with statistics', () => {
  const gone = (d: NgDriver) => d.delete({ callId: 'c1', wantsStatistics: true }, DEADLINE);

  /** The commands sent and the outcome, with such replies in turn. */
  async function exchange(driver: NgDriver, net: FakeNet, ...replies: NgDict[]) {
    const before = net.sent.length;
    const result = gone(driver);
    for (const reply of replies) {
      await settle();
      net.reply(net.sent.length - 1, reply);
    }
    const outcome = await result;
    const commands = net.sent.slice(before).map((_, index) => net.message(before + index).command);

    return { commands, outcome };
  }

  test('asks before, as a node before 12.5 says nothing of a call it deletes by its Call-ID', async () => {
    const { net, driver } = start();
    const { commands, outcome } = await exchange(
      driver,
      net,
      { totals: { RTP: {} }, created: 5, result: 'ok' },
      { result: 'ok' },
    );
    expect(commands).toEqual(['query', 'delete']);
    expect(outcome).toEqual({ found: true, reply: { totals: { RTP: {} }, created: 5, result: 'ok' } });
  });

  test('does not ask a node again that tells by itself', async () => {
    const { net, driver } = start();
    const own = { totals: { RTP: { packets: 9 } }, result: 'ok' };
    const first = await exchange(driver, net, { totals: { RTP: {} }, result: 'ok' }, own);
    expect(first).toEqual({ commands: ['query', 'delete'], outcome: { found: true, reply: own } });
    const second = await exchange(driver, net, own);
    expect(second).toEqual({ commands: ['delete'], outcome: { found: true, reply: own } });
  });

  test('goes on when the question fails', async () => {
    const { net, driver } = start();
    const { commands, outcome } = await exchange(
      driver,
      net,
      { result: 'error', 'error-reason': 'Unknown call-id' },
      { result: 'ok' },
    );
    expect(commands).toEqual(['query', 'delete']);
    expect(outcome).toEqual({ found: true, reply: { result: 'ok' } });
  });
});

describe('other commands', () => {
  test('query names the call, and a party if asked', async () => {
    expect(await sent((d) => d.query({ callId: 'c1' }, DEADLINE))).toEqual({
      command: 'query',
      'call-id': 'c1',
    });
    expect(await sent((d) => d.query({ callId: 'c1' }, DEADLINE, 'A'))).toMatchObject({ 'from-tag': 'A' });
  });

  test('command passes a message on as it is, with lists where the relay wants lists', async () => {
    const message = { command: 'play media', 'call-id': 'c1', file: '/x', flags: 'all', 'cluster-set': 1 };
    expect(await sent((d) => d.command(message, { callId: 'c1' }, DEADLINE))).toEqual({
      command: 'play media',
      'call-id': 'c1',
      file: '/x',
      flags: ['all'],
    });
  });

  test('ping says pong, statistics gives the figures', async () => {
    expect(await outcome((d) => d.ping(DEADLINE), { result: 'pong' })).toBe('pong');
    const statistics = { currentstatistics: { sessionsown: 3 } };
    const seen = await outcome((d) => d.statistics(DEADLINE), { statistics, result: 'ok' });
    expect(JSON.stringify(seen)).toBe(JSON.stringify(statistics));
    expect(await outcome((d) => d.statistics(DEADLINE), { result: 'ok' })).toMatchObject({ kind: 'garbled' });
  });

  test('the socket’s signs of life come through: round trip and late replies', async () => {
    const net = new FakeNet();
    const clock = new FakeClock();
    let late = 0;
    const options = { open: net.open, onLate: () => late++ };
    const driver = createNgDriver({ host: '192.0.2.1', port: 2223 }, clock, options);
    driver.ping(clock.now + 50);
    await settle();
    expect(driver.rttMs).toBeNull();
    clock.advance(50);
    net.reply(0, { result: 'pong' });
    driver.ping(clock.now + 50);
    clock.advance(8);
    net.reply(-1, { result: 'pong' });
    expect([late, driver.rttMs]).toEqual([1, 8]);
  });

  test('close ends what is under way', async () => {
    const { driver } = start();
    const pong = driver.ping(DEADLINE);
    await settle();
    expect(driver.pending).toBe(1);
    driver.close();
    expect(await pong).toMatchObject({ kind: 'unreachable' });
  });
});
