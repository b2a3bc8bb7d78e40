import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type CallMemory, decide, type SipFacts, type Step, transactionOf } from '../../../src/sip/facts.ts';

interface Remembered {
  readonly isConfirmed?: boolean;
  readonly caller?: string;
  /** Transactions that carried an offer. */
  readonly offers?: readonly string[];
  /** Tags with an open offer. */
  readonly offering?: readonly string[];
  /** Callees, and whether each has answered finally. */
  readonly callees?: Readonly<Record<string, boolean>>;
  /** The transaction that began the call. */
  readonly initial?: string | null;
  readonly branches?: readonly string[];
}

function memory({
  isConfirmed = false,
  caller = 'A',
  offers = [],
  offering = [],
  callees = {},
  initial = '1 INVITE A',
  branches = [''],
}: Remembered = {}): CallMemory {
  return {
    isConfirmed,
    initial,
    hasOtherBranch: (branch) => branches.some((other) => other !== branch),
    carriedOffer: (transaction) => offers.includes(transaction),
    isOffering: (tag) => offering.includes(tag),
    hasUnnamedOffer: (tag) => offering.includes(tag) && !offers.some((offer) => offer.endsWith(` ${tag}`)),
    otherCallees: (tag, confirmed) =>
      Object.entries(callees).filter(([other, isFinal]) => other !== tag && (isFinal || !confirmed)).length,
    isCaller: (tag) => tag === caller,
  };
}

type Message = Partial<SipFacts> & Pick<SipFacts, 'method'> & { readonly noCseq?: boolean };

function step({ noCseq = false, ...message }: Message, remembered?: Remembered): Step {
  return decide(
    { callId: 'c', fromTag: 'A', ...(noCseq ? {} : { cseq: '1' }), hasSdp: false, ...message },
    remembered === undefined ? undefined : memory(remembered),
  );
}

const FIRST = { offers: ['1 INVITE A'], offering: ['A'] };
const UP = { ...FIRST, offering: [], isConfirmed: true, callees: { B: true } };

describe('what a message asks for: offers and answers', () => {
  test.each<[string, Message, Remembered | undefined, Step]>([
    [
      'INVITE with SDP offers',
      { method: 'INVITE', hasSdp: true },
      undefined,
      { do: 'offer', fromTag: 'A', isReply: false },
    ],
    [
      'its 183 answers, provisionally',
      { method: 'INVITE', status: 183, toTag: 'B', hasSdp: true },
      FIRST,
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: false },
    ],
    [
      'its 200 answers, finally',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      FIRST,
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: true },
    ],
    [
      'the 200 after the 183 answers again, though no offer is open any more',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      { ...FIRST, offering: [], callees: { B: false } },
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: true },
    ],
    [
      'a 200 of another branch of the fork answers too',
      { method: 'INVITE', status: 200, toTag: 'C', hasSdp: true },
      { ...FIRST, offering: [], callees: { B: false } },
      { do: 'answer', fromTag: 'A', toTag: 'C', isFinal: true },
    ],
    [
      'a retransmitted 200 answers again',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      UP,
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: true },
    ],
    [
      're-INVITE of the callee offers to the caller',
      { method: 'INVITE', cseq: '8', fromTag: 'B', toTag: 'A', hasSdp: true },
      UP,
      { do: 'offer', fromTag: 'B', toTag: 'A', isReply: false },
    ],
    [
      'its 200 answers with offerer and answerer as ng wants them',
      { method: 'INVITE', cseq: '8', fromTag: 'B', toTag: 'A', status: 200, hasSdp: true },
      { ...UP, offers: ['1 INVITE A', '8 INVITE B'] },
      { do: 'answer', fromTag: 'B', toTag: 'A', isFinal: true },
    ],
    [
      'UPDATE offers',
      { method: 'UPDATE', cseq: '2', toTag: 'B', hasSdp: true },
      FIRST,
      { do: 'offer', fromTag: 'A', toTag: 'B', isReply: false },
    ],
    [
      'the 200 of an UPDATE answers',
      { method: 'UPDATE', cseq: '2', toTag: 'B', status: 200, hasSdp: true },
      { ...FIRST, offers: ['1 INVITE A', '2 UPDATE A'] },
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: false },
    ],
    [
      'delayed offer: the 200 offers, in the name of the callee',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      {},
      { do: 'offer', fromTag: 'B', toTag: 'A', isReply: true },
    ],
    [
      'delayed offer of a call nobody announced',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      undefined,
      { do: 'offer', fromTag: 'B', toTag: 'A', isReply: true },
    ],
    [
      'delayed offer: the ACK answers it',
      { method: 'ACK', toTag: 'B', hasSdp: true },
      { offering: ['B'] },
      { do: 'answer', fromTag: 'B', toTag: 'A', isFinal: true },
    ],
    [
      'PRACK answers while the other side has an open offer (delayed offer in a 183)',
      { method: 'PRACK', cseq: '2', toTag: 'B', hasSdp: true },
      { offering: ['B'] },
      { do: 'answer', fromTag: 'B', toTag: 'A', isFinal: false },
    ],
    [
      'PRACK offers when no offer is open',
      { method: 'PRACK', cseq: '2', toTag: 'B', hasSdp: true },
      { ...FIRST, offering: [] },
      { do: 'offer', fromTag: 'A', toTag: 'B', isReply: false },
    ],
    [
      'PRACK offers while only its own sender has an open offer',
      { method: 'PRACK', cseq: '2', toTag: 'B', hasSdp: true },
      FIRST,
      { do: 'offer', fromTag: 'A', toTag: 'B', isReply: false },
    ],
    [
      'the 200 of a PRACK that offered answers',
      { method: 'PRACK', cseq: '2', toTag: 'B', status: 200, hasSdp: true },
      { ...FIRST, offers: ['1 INVITE A', '2 PRACK A'] },
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: false },
    ],
    [
      'a reply to an offer that was handed over without its transaction answers',
      { method: 'INVITE', status: 200, toTag: 'B', hasSdp: true },
      { offering: ['A'] },
      { do: 'answer', fromTag: 'A', toTag: 'B', isFinal: true },
    ],
    [
      'a delayed offer after a refused re-INVITE is an offer, though the refused one looks open',
      { method: 'INVITE', cseq: '9', status: 200, toTag: 'B', hasSdp: true },
      { ...UP, offering: ['A'] },
      { do: 'offer', fromTag: 'B', toTag: 'A', isReply: true },
    ],
    [
      'the same transaction number of the other party is another transaction',
      { method: 'INVITE', fromTag: 'B', toTag: 'A', status: 200, hasSdp: true },
      UP,
      { do: 'offer', fromTag: 'A', toTag: 'B', isReply: true },
    ],
    [
      'of two equal tags the second is dropped',
      { method: 'INVITE', toTag: 'A', hasSdp: true },
      undefined,
      { do: 'offer', fromTag: 'A', isReply: false },
    ],
  ])('%s', (_, message, remembered, expected) => {
    expect(step(message, remembered)).toEqual(expected);
  });
});

describe('what a message asks for: without SDP', () => {
  test.each<[string, Message, Remembered | undefined, Step['do']]>([
    ['INVITE announces the call', { method: 'INVITE' }, undefined, 'announce'],
    ['a 180 is nothing', { method: 'INVITE', status: 180, toTag: 'B' }, FIRST, 'nothing'],
    ['a 200 confirms', { method: 'INVITE', status: 200, toTag: 'B' }, FIRST, 'confirm'],
    [
      'a 200 of a call nobody knows is nothing',
      { method: 'INVITE', status: 200, toTag: 'B' },
      undefined,
      'nothing',
    ],
    ['a 200 to UPDATE is nothing', { method: 'UPDATE', status: 200, toTag: 'B' }, FIRST, 'nothing'],
    ['ACK is nothing', { method: 'ACK', toTag: 'B' }, UP, 'nothing'],
    ['PRACK is nothing', { method: 'PRACK', toTag: 'B' }, FIRST, 'nothing'],
    ['UPDATE is nothing (session timer)', { method: 'UPDATE', toTag: 'B' }, UP, 'nothing'],
    ['other methods are nothing', { method: 'OPTIONS' }, undefined, 'nothing'],
    ['other methods are nothing even with SDP', { method: 'INFO', toTag: 'B', hasSdp: true }, UP, 'nothing'],
    [
      'other methods are nothing even when refused',
      { method: 'MESSAGE', status: 488, toTag: 'B' },
      FIRST,
      'nothing',
    ],
  ])('%s', (_, message, remembered, expected) => {
    expect(step(message, remembered).do).toBe(expected);
  });
});

describe('what a message asks for: the end', () => {
  test.each<[string, Message, Remembered | undefined, Step]>([
    [
      'end ends the call whatever the message',
      { method: 'INVITE', hasSdp: true, end: '486' },
      UP,
      { do: 'delete', reason: '486' },
    ],
    [
      'end with a branch ends the branch',
      { method: 'INVITE', end: 'failed', branch: 'b1' },
      FIRST,
      { do: 'delete', reason: 'failed', branch: 'b1' },
    ],
    ['BYE of the caller', { method: 'BYE', toTag: 'B' }, UP, { do: 'delete', reason: 'bye' }],
    ['BYE of the callee', { method: 'BYE', fromTag: 'B', toTag: 'A' }, UP, { do: 'delete', reason: 'bye' }],
    ['BYE of a call not known', { method: 'BYE', toTag: 'B' }, undefined, { do: 'delete', reason: 'bye' }],
    ['the 200 of a BYE is nothing', { method: 'BYE', toTag: 'B', status: 200 }, UP, { do: 'nothing' }],
    [
      'BYE to one of two callees who both answered forgets that one',
      { method: 'BYE', toTag: 'B' },
      { ...UP, callees: { B: true, C: true } },
      { do: 'forget', tag: 'B' },
    ],
    [
      'BYE from one of two callees who both answered forgets that one',
      { method: 'BYE', fromTag: 'C', toTag: 'A' },
      { ...UP, callees: { B: true, C: true } },
      { do: 'forget', tag: 'C' },
    ],
    [
      'BYE ends the call when the other callee never answered',
      { method: 'BYE', toTag: 'B' },
      { ...UP, callees: { B: true, C: false } },
      { do: 'delete', reason: 'bye' },
    ],
    ['CANCEL ends an early call', { method: 'CANCEL' }, FIRST, { do: 'delete', reason: 'cancel' }],
    [
      'CANCEL of one branch',
      { method: 'CANCEL', branch: 'b1' },
      FIRST,
      { do: 'delete', reason: 'cancel', branch: 'b1' },
    ],
    ['a CANCEL that crossed a 200 is nothing', { method: 'CANCEL' }, UP, { do: 'nothing' }],
    [
      '486 ends an early call',
      { method: 'INVITE', status: 486, toTag: 'B' },
      FIRST,
      { do: 'delete', reason: '486' },
    ],
    [
      '300 ends an early call',
      { method: 'INVITE', status: 300, toTag: 'B' },
      FIRST,
      { do: 'delete', reason: '300' },
    ],
    [
      'a refused branch ends that branch',
      { method: 'INVITE', status: 486, toTag: 'B', branch: 'b1' },
      { ...FIRST, callees: { B: false, C: false } },
      { do: 'delete', reason: '486', branch: 'b1' },
    ],
    [
      'one refusing callee of a fork on one offer is forgotten',
      { method: 'INVITE', status: 486, toTag: 'B' },
      { ...FIRST, callees: { B: false, C: false } },
      { do: 'forget', tag: 'B' },
    ],
    [
      '488 to a re-INVITE leaves the call',
      { method: 'INVITE', status: 488, cseq: '2', toTag: 'B' },
      UP,
      { do: 'nothing' },
    ],
    [
      '488 with SDP to a re-INVITE too',
      { method: 'INVITE', status: 488, cseq: '2', toTag: 'B', hasSdp: true },
      UP,
      { do: 'nothing' },
    ],
    [
      '491 to an UPDATE leaves an early call',
      { method: 'UPDATE', status: 491, toTag: 'B' },
      FIRST,
      { do: 'nothing' },
    ],
    [
      '481 to a PRACK leaves an early call',
      { method: 'PRACK', status: 481, toTag: 'B' },
      FIRST,
      { do: 'nothing' },
    ],
  ])('%s', (_, message, remembered, expected) => {
    expect(step(message, remembered)).toEqual(expected);
  });
});

describe('a message that cannot be understood', () => {
  test.each<[string, Message, string]>([
    ['a reply with SDP but no to-tag', { method: 'INVITE', status: 200, hasSdp: true }, 'to-tag is missing'],
    ['an ACK with SDP but no to-tag', { method: 'ACK', hasSdp: true }, 'to-tag is missing'],
  ])('%s is refused, saying what is missing', (_, message, why) => {
    expect(step(message, FIRST)).toMatchObject({ do: 'refuse', why: expect.stringContaining(why) });
  });

  test('a reply with SDP but no cseq is refused: nothing tells offer from answer', () => {
    const facts = { callId: 'c', fromTag: 'A', toTag: 'B', method: 'INVITE', status: 200, hasSdp: true };
    expect(decide(facts, memory(FIRST))).toMatchObject({
      do: 'refuse',
      why: expect.stringContaining('cseq'),
    });
  });
});

describe('any message at all', () => {
  const tag = fc.constantFrom('A', 'B', 'C');
  const message = fc.record(
    {
      method: fc.constantFrom('INVITE', 'ACK', 'PRACK', 'UPDATE', 'BYE', 'CANCEL', 'INFO', 'REFER'),
      fromTag: tag,
      hasSdp: fc.boolean(),
      toTag: tag,
      status: fc.integer({ min: 100, max: 699 }),
      cseq: fc.constantFrom('1', '2'),
      branch: fc.constantFrom('b0', 'b1'),
      end: fc.constantFrom('x'),
    },
    { requiredKeys: ['method', 'fromTag', 'hasSdp'] },
  );
  const remembered = fc.record({
    isConfirmed: fc.boolean(),
    offers: fc.subarray(['1 INVITE A', '2 INVITE B', '2 UPDATE A']),
    offering: fc.subarray(['A', 'B', 'C']),
    callees: fc.dictionary(fc.constantFrom('B', 'C'), fc.boolean()),
  });

  test('offers and answers only where there is an SDP, and answers always between two named parties', () => {
    fc.assert(
      fc.property(message, fc.option(remembered), (facts, known) => {
        const result = decide({ callId: 'c', ...facts }, known === null ? undefined : memory(known));
        if (result.do === 'offer' || result.do === 'answer') expect(facts.hasSdp).toBe(true);
        if (result.do === 'answer')
          expect([String(facts.fromTag), String(facts.toTag)]).toContain(result.toTag);
        if (result.do === 'offer') expect(result.toTag).not.toBe(result.fromTag);
        if (facts.end !== undefined) expect(result.do).toBe('delete');
      }),
    );
  });

  test('names its transaction by cseq, method and from-tag', () => {
    expect(transactionOf({ callId: 'c', fromTag: 'A', method: 'INVITE', cseq: '5', hasSdp: true })).toBe(
      '5 INVITE A',
    );
    expect(transactionOf({ callId: 'c', fromTag: 'A', method: 'INVITE', hasSdp: true })).toBeUndefined();
  });
});

describe('what a message asks for: only the INVITE that began the call can end it', () => {
  const EARLY = { offers: ['1 INVITE A'], callees: { B: false } };

  test.each<[string, Message, Remembered, Step]>([
    [
      '491 to a re-INVITE ends nothing, even if no 200 was seen',
      { method: 'INVITE', cseq: '2', status: 491, toTag: 'B' },
      EARLY,
      { do: 'nothing' },
    ],
    [
      '488 to a re-INVITE of the callee ends nothing',
      { method: 'INVITE', cseq: '1', fromTag: 'B', toTag: 'A', status: 488 },
      EARLY,
      { do: 'nothing' },
    ],
    ['CANCEL of a re-INVITE ends nothing', { method: 'CANCEL', cseq: '2' }, EARLY, { do: 'nothing' }],
    [
      'CANCEL of the first INVITE ends the call',
      { method: 'CANCEL' },
      EARLY,
      { do: 'delete', reason: 'cancel' },
    ],
    [
      '486 to the first INVITE ends the call',
      { method: 'INVITE', status: 486, toTag: 'B' },
      EARLY,
      { do: 'delete', reason: '486' },
    ],
    [
      'without a CSeq nobody can tell, and an early call ends',
      { method: 'CANCEL', noCseq: true },
      EARLY,
      { do: 'delete', reason: 'cancel' },
    ],
    [
      '487 of a losing branch deletes that branch, also when another has answered',
      { method: 'INVITE', status: 487, toTag: 'B0', branch: 'b0' },
      { isConfirmed: true, branches: ['b0', 'b1'], callees: { B1: true } },
      { do: 'delete', reason: '487', branch: 'b0' },
    ],
    [
      '487 of a losing fork without branch forgets its tag, when another has answered',
      { method: 'INVITE', status: 487, toTag: 'B1' },
      { isConfirmed: true, callees: { B1: false, B2: true } },
      { do: 'forget', tag: 'B1' },
    ],
    [
      '487 of the only one that answered ends nothing',
      { method: 'INVITE', status: 487, toTag: 'B' },
      { isConfirmed: true, callees: { B: true } },
      { do: 'nothing' },
    ],
  ])('%s', (_, message, remembered, expected) => {
    expect(step(message, remembered)).toEqual(expected);
  });
});
