import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { NgRequest } from '../../../src/front/request.ts';
import type { NgDict } from '../../../src/relay/driver.ts';
import { MAX_FLAGS_LENGTH } from '../../../src/relay/ng/flags.ts';
import { ANSWER, CALLER, OFFER, SIDES } from './front.ts';

function read(message: NgDict, setId = 0): NgRequest {
  const request = NgRequest.read(message, setId, SIDES);
  if (request instanceof Failure) throw new Error(request.message);

  return request;
}

/** What was read; fails the test if it was refused. */
function good<T>(facts: T | Failure): T {
  if (facts instanceof Failure) throw new Error(facts.message);

  return facts;
}

function refused(facts: unknown): Failure {
  if (facts instanceof Failure) return facts;
  throw new Error(`this was not refused: ${JSON.stringify(facts)}`);
}

describe('an offer', () => {
  test('says all there is to say', () => {
    const facts = read(
      {
        ...OFFER,
        'via-branch': 'br1',
        'received-from': ['IP4', '192.0.2.9'],
        'cluster-to': 'mpls',
        'cluster-require': 'GPU, eu',
        'cluster-prefer': ['new'],
        ICE: 'remove',
        flags: ['trust-address'],
      },
      3,
    ).offer();
    expect(facts).toEqual({
      callId: 'c1',
      fromTag: 'A',
      branch: 'br1',
      setId: 3,
      source: '192.0.2.9',
      direction: { from: 'inner', to: 'outer' },
      readerSide: 'mpls',
      require: ['eu', 'gpu'],
      prefer: ['new'],
      sdp: CALLER,
      isInDialog: false,
      isFromCallee: false,
      door: 'ng',
      extra: expect.anything(),
    });
    expect({ ...good(facts).extra }).toEqual({ ICE: 'remove', flags: ['trust-address'] });
  });

  test('with a to-tag is in a dialog, and whose it is is not known', () => {
    const facts = good(read({ ...OFFER, 'to-tag': 'B' }).offer());
    expect(facts).toMatchObject({ toTag: 'B', isInDialog: true });
    expect(facts).not.toHaveProperty('isFromCallee');
    expect(read({ ...OFFER, 'to-tag': '' }).offer()).toMatchObject({ isInDialog: false });
  });

  test('may spell its keys as rtpengine allows', () => {
    const { direction } = OFFER;
    for (const message of [
      { 'call id': 'c1', 'from tag': 'A', to_tag: 'B', SDP: CALLER, direction: direction ?? '' },
      { 'call-ID': 'c1', 'From-Tag': 'A', 'To Tag': 'B', Sdp: CALLER, Direction: direction ?? '' },
    ]) {
      expect(read({ command: 'offer', ...message }).offer()).toMatchObject({
        callId: 'c1',
        fromTag: 'A',
        toTag: 'B',
        sdp: CALLER,
      });
    }
  });

  test('with a key in two spellings means the first', () => {
    const facts = read({
      ...OFFER,
      'Call-ID': 'c2',
      'media address': '192.0.2.1',
      'media-address': '192.0.2.2',
    }).offer();
    expect(facts).toMatchObject({ callId: 'c1', extra: { 'media-address': '192.0.2.1' } });
  });

  test('may have numbers where text is meant', () => {
    expect(read({ ...OFFER, 'call-id': 17, 'from-tag': 4 }).offer()).toMatchObject({
      callId: '17',
      fromTag: '4',
    });
  });

  test('keeps nothing for a relay that the cluster decides, however it is spelled', () => {
    const extra = good(
      read({
        ...OFFER,
        'Cluster-Set': 1,
        'cluster foo': 'x',
        cluster_bar: 'y',
        'from interface': 'priv',
        'out-iface': 'x',
        'RECEIVED FROM': 'x',
        'rtpp flags': '',
        'Media Address': '192.0.2.1',
        'address family': 'IP4',
      }).offer(),
    ).extra;
    expect({ ...extra }).toEqual({ 'media-address': '192.0.2.1', 'address-family': 'IP4' });
  });

  test.each<[unknown, string | undefined]>([
    [['IP4', '192.0.2.9'], '192.0.2.9'],
    [['IP6', '2001:db8::1'], '2001:db8::1'],
    ['IP4 192.0.2.9', '192.0.2.9'],
    ['IP4,192.0.2.9', '192.0.2.9'],
    ['192.0.2.9', '192.0.2.9'],
    [['IP4', '0.0.0.0'], undefined],
    [['IP6', '::'], undefined],
    [['?', 'x'], undefined],
    [[], undefined],
    [[['IP4']], undefined],
    [7, undefined],
  ])('comes from %j', (value, source) => {
    expect(good(read({ ...OFFER, 'received-from': value as string }).offer()).source).toBe(source as string);
  });

  test.each<[NgDict, string, string]>([
    [{ sdp: '' }, 'sdp is missing or empty', 'No SDP body in message'],
    [{ sdp: ['v=0'] }, 'sdp is missing or empty', 'No SDP body in message'],
    [{ 'call-id': '' }, 'call-id is missing', 'No call-id in message'],
    [{ 'call-id': {} }, 'call-id is missing', 'No call-id in message'],
    [{ 'from-tag': '' }, 'from-tag is missing', 'No from-tag in message'],
    [{ 'call-id': 'a b' }, 'call-id has the byte 32 at position 1; white space', ''],
    [{ 'call-id': 'x'.repeat(1025) }, 'call-id has 1025 bytes; at most 1024', ''],
    [{ 'from-tag': 'x'.repeat(513) }, 'from-tag has 513 bytes; at most 512', ''],
    [{ 'to-tag': 'a\n' }, 'to-tag has the byte 10 at position 1', ''],
    [{ 'via-branch': '\x7f' }, 'via-branch has the byte 127 at position 0', ''],
    [{ 'cluster-set': 'gold' }, 'cluster-set is "gold"; it must be a whole number', ''],
    [{ 'cluster-set': -1 }, 'cluster-set is "-1"', ''],
    [{ 'cluster-require': 'a b' }, 'cluster-require: a tag is "a b"', ''],
    [{ 'cluster-prefer': ['-'] }, 'cluster-prefer: a tag is "-"', ''],
  ])('is refused with %j', (keys, message, said) => {
    const failure = refused(read({ ...OFFER, ...keys }).offer());
    expect(failure.code).toBe('RTPC_BAD_PARAMETER');
    expect(failure.message).toStartWith(message);
    expect(failure.said).toBe(said);
  });
});

test('an answer names both parties, and counts as final', () => {
  expect(read(ANSWER).answer()).toMatchObject({ fromTag: 'A', toTag: 'B', isFinal: true });
  expect(refused(read({ ...ANSWER, 'to-tag': '' }).answer()).said).toBe('No to-tag in message');
  expect(refused(read({ ...ANSWER, sdp: '' }).answer()).said).toBe('No SDP body in message');
});

describe('a delete', () => {
  test.each<[NgDict, NgDict]>([
    [{}, { tags: [], ng: {} }],
    [{ 'from-tag': 'A' }, { tags: ['A'], ng: { fromTag: 'A' } }],
    [
      { 'from-tag': 'A', 'to-tag': 'B' },
      { tags: ['A', 'B'], ng: { fromTag: 'A' } },
    ],
    [
      { 'to-tag': 'B', 'via-branch': 'br0', flags: ['to-tag'] },
      { tags: ['B'], branch: 'br0', ng: {} },
    ],
    [
      { 'from-tag': 'A', 'to-tag': 'B', flags: ['to-tag'] },
      { tags: ['A', 'B'], ng: { fromTag: 'A', leaving: 'B' } },
    ],
  ])('with %j', (keys, facts) => {
    const read_ = read({ command: 'delete', 'call-id': 'c1', ...keys }, 2).delete();
    const { ng = {}, ...others }: { readonly ng?: object } = facts;
    const wanted = { callId: 'c1', setId: 2, reason: 'delete', ng, ...others };
    expect(read_).toEqual(wanted as never);
  });

  test.each([
    [undefined, undefined],
    [-1, undefined],
    ['soon', undefined],
    [0, 0],
    ['0', 0],
    ['5', 5],
    [3600, 3600],
  ])('and a delete-delay of %p keeps it %p s, or as long as the relay does', (delay, seconds) => {
    const keys = delay === undefined ? {} : { 'delete-delay': delay };
    const facts = good(read({ command: 'delete', 'call-id': 'c1', ...keys }).delete());
    expect(facts.ng?.delayS).toBe(seconds as never);
  });

  test('does not mind a direction nobody knows', () => {
    expect(good(read({ command: 'delete', 'call-id': 'c1', direction: ['x', 'y'] }).delete()).callId).toBe(
      'c1',
    );
  });
});

describe('rtpp-flags', () => {
  const flagged = (text: string, keys: NgDict = {}) => {
    const { direction: _, ...rest } = OFFER;

    return read({ ...rest, ...keys, 'rtpp-flags': text });
  };

  test('are keys like those of the module that reads them itself', () => {
    const words =
      'internal external replace-origin replace-session-connection trust-address ICE=remove RTP/SAVP codec-strip-all rtcp-mux-demux';
    const facts = good(flagged(words, { flags: [] }).offer());
    const parsed = good(
      read({
        ...OFFER,
        direction: ['internal', 'external'],
        flags: ['trust-address'],
        replace: ['origin', 'session-connection'],
        codec: { strip: ['all'] },
        'transport-protocol': 'RTP/SAVP',
        'rtcp-mux': ['demux'],
        ICE: 'remove',
      }).offer(),
    );
    const plain = (dict: NgDict) => JSON.parse(JSON.stringify(dict));
    expect(plain(facts.extra)).toEqual(plain(parsed.extra));
    expect({ ...facts, extra: {} }).toEqual({ ...parsed, extra: {} });
  });

  test('say less than explicit keys, and add to lists', () => {
    const keys = {
      ICE: 'force',
      label: 'x',
      flags: ['a'],
      replace: 'origin',
      codec: { strip: ['all'], mask: ['x'] },
    };
    const words =
      'ICE=remove label=y z=1 b replace-username codec-strip-PCMU codec-offer-PCMA sdp=x command=delete';
    const { extra } = good(flagged(words, { ...keys, 'cluster-to': 'inner' }).offer());
    expect(JSON.parse(JSON.stringify(extra))).toEqual({
      ICE: 'force',
      label: 'x',
      flags: ['a', 'b'],
      replace: ['origin', 'username'],
      codec: { strip: ['all', 'PCMU'], mask: ['x'], offer: ['PCMA'] },
      z: '1',
    });
    expect(flagged(words).command).toBe('offer');
    expect(flagged(words).sdp).toBe(CALLER);
    expect(good(flagged('via-branch=b', { 'via-branch': 'a' }).offer()).branch).toBe('a');
  });

  test('are no place for the command and the SDP', () => {
    const request = read({ 'call-id': 'c1', 'from-tag': 'A', 'rtpp-flags': 'command=offer sdp=v=0' });
    expect(request.command).toBe('');
    expect(refused(request.offer()).said).toBe('No SDP body in message');
  });

  test('name the call and its parties better than the keys, which come from the SIP message', () => {
    const request = flagged('call-id=c2 from-tag=X to-tag=Y', { 'to-tag': 'B' });
    const facts = good(request.offer());
    expect(facts).toMatchObject({ callId: 'c2', fromTag: 'X', toTag: 'Y' });
    expect(facts.extra.flags).toEqual(['directional', 'to-tag']);
  });

  test.each(['auto', '1', '2', 'extra', 'next', 'auto-next', 'next-auto', 'auto-extra', 'extra-auto'])(
    'via-branch=%s is no branch',
    (word) => {
      expect(good(flagged(`via-branch=${word}`).offer())).not.toHaveProperty('branch');
      expect(good(flagged(`via-branch=x${word}`).offer()).branch).toBe(`x${word}`);
    },
  );

  test('have a limit', () => {
    const refusedAt = NgRequest.read({ ...OFFER, 'rtpp-flags': 'x'.repeat(MAX_FLAGS_LENGTH + 1) }, 0, SIDES);
    expect(refused(refusedAt).message).toBe('rtpp-flags has 4097 bytes; at most 4096 are allowed');
    expect(flagged('x'.repeat(MAX_FLAGS_LENGTH)).hasFlag('x'.repeat(MAX_FLAGS_LENGTH))).toBe(true);
  });
});

describe('what a client knows', () => {
  test.each<[unknown, boolean]>([
    [['load limit'], true],
    ['a,load limit', true],
    [['load'], false],
    [undefined, false],
  ])('supports %j', (supports, knows) => {
    const keys = supports === undefined ? {} : { supports: supports as string };
    expect(read({ ...OFFER, ...keys }).knowsLoadLimit).toBe(knows);
  });

  test('a new call is an offer that names no other party', () => {
    expect(read(OFFER).isNewCall).toBe(true);
    expect(read({ ...OFFER, 'to-tag': 'B' }).isNewCall).toBe(false);
    expect(read({ ...ANSWER, 'to-tag': '' }).isNewCall).toBe(false);
  });
});

test('another command names its call as text', () => {
  const { message } = good(read({ command: 'block media', 'call id': 17, 'from-tag': 'A', x: 1 }).relayed());
  expect({ ...message }).toEqual({ command: 'block media', 'call-id': '17', 'from-tag': 'A', x: 1 });
});
