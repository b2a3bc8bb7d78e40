import { describe, expect, test } from 'bun:test';
import { type ErrorCode, Failure } from '../../../src/domain/errors.ts';
import { type Asked, errorReply } from '../../../src/front/replies.ts';
import { RelayFailure } from '../../../src/relay/driver.ts';
import { phoneSdp } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { ANSWER, CALLER, established, makeFront, OFFER } from './front.ts';

const NEW: Asked = { command: 'offer', sdp: CALLER, isNewCall: true, knowsLoadLimit: false };
const KNOWING: Asked = { ...NEW, knowsLoadLimit: true };
const BOUND: Asked = { ...KNOWING, isNewCall: false };
const SESSIONS = 'Parallel session limit reached';

const failure = (code: ErrorCode, said = '') => new Failure(code, 'because', said);

describe('a new call that no node took', () => {
  test.each(['RTPC_NO_NODE', 'RTPC_RELAY_SILENT', 'RTPC_BUSY'] as const)(
    'for %s goes to the next relay',
    (code) => {
      expect(errorReply(failure(code), NEW)).toEqual({
        result: 'error',
        'error-reason': SESSIONS,
        message: `${code} because`,
      });
      expect(errorReply(failure(code), KNOWING)).toEqual({
        result: 'load limit',
        message: `${code} because`,
      });
    },
  );

  test.each([SESSIONS, 'CPU usage limit exceeded', 'Load limit exceeded', 'Bandwidth limit exceeded'])(
    'for the limit of a relay, "%s": named to those who know limits, sessions to others',
    (said) => {
      expect(errorReply(failure('RTPC_NO_NODE', said), KNOWING)).toEqual({
        result: 'load limit',
        message: said,
      });
      expect(errorReply(failure('RTPC_NO_NODE', said), NEW)).toMatchObject({
        result: 'error',
        'error-reason': SESSIONS,
      });
    },
  );

  test('for lack of ports is told so: the modules know it', () => {
    for (const asked of [NEW, KNOWING]) {
      expect(errorReply(failure('RTPC_NO_NODE', 'Ran out of ports'), asked)).toEqual({
        result: 'error',
        'error-reason': 'Ran out of ports',
        message: 'RTPC_NO_NODE because',
      });
    }
  });

  test('for words of another kind of relay goes to the next one too', () => {
    expect(errorReply(failure('RTPC_NO_NODE', 'E72'), NEW)['error-reason']).toBe(SESSIONS);
    expect(errorReply(failure('RTPC_NO_NODE', 'E72'), KNOWING)).toEqual({
      result: 'load limit',
      message: 'RTPC_NO_NODE because',
    });
  });

  test('for any other reason stays here', () => {
    for (const code of [
      'RTPC_NOT_DURABLE',
      'RTPC_DIRECTION_UNKNOWN',
      'RTPC_RELAY_ADDRESS',
      'RTPC_INTERNAL',
    ] as const) {
      expect(errorReply(failure(code), KNOWING)).toEqual({
        result: 'error',
        'error-reason': `${code} because`,
      });
    }
    expect(errorReply(failure('RTPC_RELAY_REFUSED', 'Invalid dialogue association'), KNOWING)).toEqual({
      result: 'error',
      'error-reason': 'Invalid dialogue association',
      message: 'RTPC_RELAY_REFUSED because',
    });
  });
});

describe('a request of a call', () => {
  test.each(['RTPC_NO_NODE', 'RTPC_RELAY_SILENT', 'RTPC_BUSY'] as const)(
    'for %s must not go elsewhere',
    (code) => {
      expect(errorReply(failure(code), BOUND)).toEqual({
        result: 'error',
        'error-reason': `${code} because`,
      });
    },
  );

  test('that is not known is told so in the spelling of its command', () => {
    const spelled = (command: string, code: ErrorCode) =>
      errorReply(failure(code), { ...BOUND, command })['error-reason'];
    for (const code of ['RTPC_CALL_UNKNOWN', 'RTPC_CALL_LOST'] as const) {
      for (const command of [
        'offer',
        'answer',
        'query',
        'start recording',
        'pause recording',
        'stop recording',
      ]) {
        expect(spelled(command, code)).toBe('Unknown call-id');
      }
      for (const command of ['block media', 'play DTMF', 'subscribe request', 'unsubscribe', 'connect']) {
        expect(spelled(command, code)).toBe('Unknown call-ID');
      }
    }
  });

  test('is answered in the words of its relay', () => {
    expect(errorReply(failure('RTPC_CALL_LOST', 'Ran out of ports'), BOUND)).toEqual({
      result: 'error',
      'error-reason': 'Ran out of ports',
      message: 'RTPC_CALL_LOST because',
    });
  });
});

describe('an SDP that cannot be relayed', () => {
  test.each([
    ['hello', 'Failed to parse SDP'],
    ['v=0\r\ns=x\r\n', 'Error rewriting SDP'],
    ['v=0\r\ns=x\r\nm=audio 5000 RTP/AVP 0\r\n', 'Incomplete SDP specification'],
  ])('%j', (sdp, text) => {
    expect(errorReply(failure('RTPC_BAD_SDP'), { ...NEW, sdp })).toEqual({
      result: 'error',
      'error-reason': text,
      message: 'RTPC_BAD_SDP because',
    });
  });

  test('by one kind of relay only has nothing wrong for rtpengine', () => {
    expect(errorReply(failure('RTPC_BAD_SDP'), NEW)).toEqual({
      result: 'error',
      'error-reason': 'RTPC_BAD_SDP because',
    });
  });
});

test('texts are bounded byte strings without control characters', () => {
  const reply = errorReply(new Failure('RTPC_INTERNAL', `a\r\n\x00\u20ac\xe9${'x'.repeat(5000)}`), BOUND);
  expect(String(reply['error-reason'])).toMatch(/^RTPC_INTERNAL a\?{4}\xe9x+$/);
  expect(String(reply['error-reason'])).toHaveLength(1000);
  const long = errorReply(failure('RTPC_RELAY_REFUSED', `b\n${'y'.repeat(5000)}`), BOUND);
  expect(String(long['error-reason'])).toStartWith('b?y');
  expect(String(long['error-reason'])).toHaveLength(1000);
});

describe('through the use cases', () => {
  const ports = new RelayFailure('refused', 'Ran out of ports');
  const load = new RelayFailure('refused', 'Load limit exceeded');

  test('a new call that every node refuses', async () => {
    const { ask, relay } = makeFront();
    for (const [said, supports, reply] of [
      [ports, ['load limit'], { result: 'error', 'error-reason': 'Ran out of ports' }],
      [load, ['load limit'], { result: 'load limit', message: 'Load limit exceeded' }],
      [load, [], { result: 'error', 'error-reason': SESSIONS }],
    ] as const) {
      for (const id of [0, 1]) relay(id).always('offer', said);
      expect(await ask({ ...OFFER, supports })).toMatchObject(reply);
    }
  });

  test('a new call of a set without nodes, whoever offers it', async () => {
    const { ask } = makeFront();
    expect(await ask({ ...OFFER, supports: ['load limit'] }, 9)).toEqual({
      result: 'load limit',
      message: 'RTPC_NO_NODE set 9 has no node; see "rtp-cluster node list"',
    });
    // An offer in a reply begins a call too.
    expect(await ask({ ...OFFER, 'to-tag': 'B', supports: ['load limit'] }, 9)).toMatchObject({
      result: 'load limit',
    });
  });

  test('an answer the node does not know, or that is silent', async () => {
    const lost = await established();
    lost.relay(0).next('answer', fails('unknown-call'));
    expect(await lost.ask(ANSWER)).toMatchObject({ result: 'error', 'error-reason': 'Unknown call-id' });
    const silent = await established();
    silent.relay(0).next('answer', 'never');
    const reply = silent.ask(ANSWER);
    await silent.clock.advance(1000);
    expect(String((await reply)['error-reason'])).toStartWith('RTPC_RELAY_SILENT node 0');
  });

  test('an SDP without an address is refused before a relay sees it', async () => {
    const { ask, asked } = makeFront();
    expect(await ask({ ...OFFER, sdp: phoneSdp('10.9.9.9').replace(/^c=.*\r\n/m, '') })).toMatchObject({
      'error-reason': 'Incomplete SDP specification',
      message: expect.stringContaining('RTPC_BAD_SDP m= line 1 has no c= line'),
    });
    expect(asked()).toEqual([]);
  });
});
