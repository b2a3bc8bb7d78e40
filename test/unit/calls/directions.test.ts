import { describe, expect, test } from 'bun:test';
import { Directions } from '../../../src/calls/directions.ts';
import type { AnswerFacts, OfferFacts } from '../../../src/calls/facts.ts';
import type { Call } from '../../../src/domain/call.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { parseNetwork } from '../../../src/util/ip.ts';
import { makeCluster, SIDES } from '../../fakes/cluster.ts';
import { makeCall, makeLeg } from '../../fakes/store.ts';

function network(text: string) {
  const read = parseNetwork(text);
  if (read === undefined) throw new Error(`${text} is no network`);

  return read;
}

const NETWORKS = [
  { network: network('10.0.0.0/8'), side: 'inner' },
  { network: network('172.16.0.0/12'), side: 'mpls' },
];
const out = { from: 'inner', to: 'outer' };
const into = { from: 'outer', to: 'inner' };

function directions(networks: typeof NETWORKS | [] = []) {
  const { fleet } = makeCluster();
  fleet.putSet({ ...fleet.set(3), direction: 'in' });
  fleet.putSet({ ...fleet.set(4), direction: 'a side nobody knows' });

  return new Directions(fleet, { sides: SIDES, networks });
}

function offer(changes: Partial<OfferFacts> = {}): OfferFacts {
  return { callId: 'c1', fromTag: 'A', sdp: '', isInDialog: false, extra: {}, ...changes };
}

function answer(changes: Partial<AnswerFacts> = {}): AnswerFacts {
  return { callId: 'c1', fromTag: 'A', toTag: 'B', sdp: '', isFinal: true, extra: {}, ...changes };
}

describe('the direction of a call that is not known (sip-proxies 2.4)', () => {
  test('what the client says comes before network and set', () => {
    const facts = offer({ direction: out, source: '203.0.113.5', setId: 3 });
    expect(directions(NETWORKS).ofOffer(undefined, facts)).toEqual(out);
  });

  test.each([
    ['10.1.2.3', out],
    ['::ffff:10.1.2.3', out],
    ['203.0.113.5', into],
    ['2001:db8::1', into],
  ])('a packet from %p comes before the default of the set', (source, expected) => {
    expect(directions(NETWORKS).ofOffer(undefined, offer({ source, setId: 3 }))).toEqual(expected);
    expect(directions(NETWORKS).ofOffer(undefined, offer({ source }))).toEqual(expected);
  });

  test('a packet from a third side tells no direction, so the set decides', () => {
    expect(
      directions(NETWORKS).ofOffer(undefined, offer({ source: '172.16.0.1', setId: 3, isFromCallee: false })),
    ).toEqual(into);
    expect(directions(NETWORKS).ofOffer(undefined, offer({ source: '172.16.0.1' }))).toMatchObject({
      code: 'RTPC_DIRECTION_UNKNOWN',
    });
  });

  test('without networks in the settings the source tells nothing', () => {
    expect(directions().ofOffer(undefined, offer({ source: '10.1.2.3' }))).toBeInstanceOf(Failure);
  });

  test('the default of a set is that of the call, so an offer of the callee is turned round', () => {
    expect(directions().ofOffer(undefined, offer({ setId: 3, isFromCallee: false }))).toEqual(into);
    expect(directions().ofOffer(undefined, offer({ setId: 3, isFromCallee: true }))).toEqual(out);
  });

  test('the default of a set tells nothing of an SDP whose sender may be either party', () => {
    expect(directions().ofOffer(undefined, offer({ setId: 3 }))).toMatchObject({
      code: 'RTPC_DIRECTION_UNKNOWN',
    });
  });

  test.each([
    // Who sends is told by the network, else the SDP comes from the other side.
    ['inner', undefined, { from: 'outer', to: 'inner' }],
    ['outer', undefined, { from: 'inner', to: 'outer' }],
    ['inner', '10.1.2.3', { from: 'inner', to: 'inner' }],
    ['mpls', '10.1.2.3', { from: 'inner', to: 'mpls' }],
    ['inner', '172.16.0.1', { from: 'mpls', to: 'inner' }],
  ])('a reader on side %p and a packet from %p', (readerSide, source, expected) => {
    const facts = offer({ readerSide, ...(source === undefined ? {} : { source }) });
    expect(directions(NETWORKS).ofOffer(undefined, facts)).toEqual(expected);
  });

  test('a reader on a third side, and the sender by the default of the set', () => {
    const facts = offer({ readerSide: 'mpls', setId: 3, isFromCallee: false });
    expect(directions().ofOffer(undefined, facts)).toEqual({ from: 'outer', to: 'mpls' });
    expect(directions().ofOffer(undefined, { ...facts, isFromCallee: true })).toEqual({
      from: 'inner',
      to: 'mpls',
    });
  });

  test('a reader on a third side alone tells no sender', () => {
    const facts = offer({ readerSide: 'mpls' });
    expect(directions().ofOffer(undefined, facts)).toMatchObject({ code: 'RTPC_DIRECTION_UNKNOWN' });
  });

  test('a direction wins over the reader’s side alone', () => {
    expect(directions().ofOffer(undefined, offer({ direction: out, readerSide: 'inner' }))).toEqual(out);
  });

  test('nothing is guessed: RTPC_DIRECTION_UNKNOWN says what to give', () => {
    const failure = directions().ofOffer(undefined, offer());
    expect(failure).toMatchObject({ code: 'RTPC_DIRECTION_UNKNOWN' });
    expect(failure instanceof Failure && failure.message).toContain('"dir"');
    expect(directions().ofOffer(undefined, offer({ setId: 4 }))).toMatchObject({
      code: 'RTPC_DIRECTION_UNKNOWN',
    });
  });
});

describe('the direction of an SDP in a known call', () => {
  const known = (changes: Partial<Call> = {}) =>
    makeCall('c1', {
      direction: { from: 'inner', to: 'outer' },
      legs: [
        makeLeg('A', { side: 'inner', readerSide: 'outer' }),
        makeLeg('B', { side: 'outer', readerSide: 'inner' }),
      ],
      ...changes,
    });

  test('an offer of the caller is read by the callee, one of the callee by the caller', () => {
    expect(directions().ofOffer(known(), offer({ fromTag: 'A', toTag: 'B' }))).toEqual(out);
    expect(directions().ofOffer(known(), offer({ fromTag: 'B', toTag: 'A' }))).toEqual(into);
  });

  test('the remembered side wins over what the client and the network say', () => {
    const facts = offer({ fromTag: 'B', toTag: 'A', direction: out, source: '10.1.2.3' });
    expect(directions(NETWORKS).ofOffer(known(), facts)).toEqual(into);
  });

  test('a tag not seen before is on the callee side', () => {
    expect(directions().ofOffer(known(), offer({ fromTag: 'C', toTag: 'A' }))).toEqual(into);
    expect(directions().ofOffer(known(), offer({ fromTag: 'A', toTag: 'C' }))).toEqual(out);
  });

  test('a further party that begins outside of the dialog sends from where the client says', () => {
    const facts = offer({ fromTag: 'C', direction: out });
    expect(directions().ofOffer(known(), facts)).toEqual(out);
    expect(directions().ofOffer(known(), { ...facts, toTag: 'A' })).toEqual(into);
  });

  test('a further branch may lead to another side, if the client says so', () => {
    const facts = offer({ fromTag: 'A', branch: 'b2', direction: { from: 'inner', to: 'mpls' } });
    expect(directions().ofOffer(known(), facts)).toEqual({ from: 'inner', to: 'mpls' });
    expect(directions().ofOffer(known(), offer({ fromTag: 'A', branch: 'b2' }))).toEqual(out);
  });

  test('an answer is read where the offer came from', () => {
    expect(directions().ofAnswer(known(), answer())).toEqual(into);
    expect(directions().ofAnswer(known(), answer({ fromTag: 'B', toTag: 'A' }))).toEqual(out);
  });

  test('a first answer comes from the side the offer of its branch was read on', () => {
    const call = known({
      legs: [
        makeLeg('A', { branch: 'b1', side: 'inner', readerSide: 'outer' }),
        makeLeg('A', { branch: 'b2', side: 'inner', readerSide: 'mpls' }),
      ],
    });
    expect(directions().ofAnswer(call, answer({ toTag: 'C', branch: 'b2' }))).toEqual({
      from: 'mpls',
      to: 'inner',
    });
    expect(directions().ofAnswer(call, answer({ toTag: 'B', branch: 'b1' }))).toEqual(into);
  });
});
