import { describe, expect, test } from 'bun:test';
import { RelayFailure, type RelayFailureKind } from '../../../../src/relay/driver.ts';
import {
  failureOf,
  isError,
  type OpenPort,
  readDone,
  readNumbers,
  readPort,
} from '../../../../src/relay/rtpproxy/replies.ts';
import { FIXTURES } from './fake-harness.ts';

const kindOf = (result: unknown): RelayFailureKind | 'none' =>
  result instanceof RelayFailure ? result.kind : 'none';
const reasonOf = (result: unknown): string => (result instanceof RelayFailure ? result.reason : '');

describe('the reply to U or L', () => {
  test.each<[string, OpenPort]>([
    ['43000', { port: 43_000, address: null }],
    ['43000 10.0.0.5', { port: 43_000, address: '10.0.0.5' }],
    ['43000 ::1 6', { port: 43_000, address: '::1' }],
    // rtpengine.
    ['43000 media.example.org', { port: 43_000, address: 'media.example.org' }],
    ['2', { port: 2, address: null }],
    ['65534', { port: 65_534, address: null }],
  ])('%j is a port', (reply, open) => {
    expect(readPort(reply)).toEqual(open);
  });

  test.each(['0', '0 0.0.0.0'])('%j: the session is not known', (reply) => {
    for (const isNew of [true, false]) {
      expect(kindOf(readPort(reply, isNew))).toBe('unknown-call');
      expect(reasonOf(readPort(reply, isNew))).toContain('port 0');
    }
  });

  test.each([
    '',
    ' ',
    'OK',
    '-1',
    '43000 ',
    ' 43000',
    '43000  10.0.0.5',
    '43000 10.0.0.5 6 7',
    '43000 10.0.0.5 5',
    '43000\n43002',
    '65535',
    '65536',
    '430000',
    '43000.5',
    '0x10',
    'E',
    'E72 10.0.0.5',
    'E72345',
    'e72',
    `43000 ${'x'.repeat(256)}`,
    '43000 \xff?',
    '43000 10.0.0\x00.5',
  ])('%j cannot be read, so nobody knows what was done', (reply) => {
    expect(kindOf(readPort(reply))).toBe('garbled');
  });

  test('a reply that cannot be read is quoted, but not at any length', () => {
    expect(reasonOf(readPort('what?\x07'))).toBe('the reply cannot be read: "what?\\u0007"');
    expect(reasonOf(readPort('d6:result5:errore'))).toContain('should be of the kind rtpengine');
    expect(reasonOf(readPort('x'.repeat(5000))).length).toBeLessThan(200);
  });

  test('every reply to U and L that was ever recorded is read', () => {
    let count = 0;
    for (const { exchanges = [], offer_exchanges = [], answer_exchanges = [] } of FIXTURES.values()) {
      for (const { request, response } of [...exchanges, ...offer_exchanges, ...answer_exchanges]) {
        const [, word] = /^(?:\S+ )?([UL]\S*) \S+ \S+ \d+ \S+( \S+)?\n?$/i.exec(request ?? '') ?? [];
        const reply = /^(?:\S+_\S+ )?(.*)\n?$/.exec(response ?? '')?.[1] ?? '';
        if (word === undefined || reply === '' || reply.includes('&&')) continue;
        expect([request, kindOf(readPort(reply))]).not.toEqual([request, 'garbled']);
        count++;
      }
    }
    expect(count).toBeGreaterThan(100);
  });
});

/** Reference, section 3.6: what a code is when it answers a call's first offer, and a call that lives. */
const CODES: readonly (readonly [string, RelayFailureKind, RelayFailureKind, string])[] = [
  ['E0', 'refused', 'rejected', 'is this an rtpproxy?'],
  ['E1', 'rejected', 'rejected', 'number of words'],
  ['E2', 'rejected', 'rejected', 'modifiers'],
  ['E3', 'rejected', 'rejected', 'sub-command'],
  ['E5', 'rejected', 'rejected', 'cannot read the command'],
  ['E6', 'rejected', 'rejected', 'E6'],
  ['E7', 'rejected', 'rejected', 'E7'],
  ['E8', 'refused', 'rejected', 'rtpengine'],
  ['E9', 'rejected', 'rejected', 'E9'],
  ['E10', 'rejected', 'rejected', 'E10'],
  ['E11', 'refused', 'rejected', '-l INT/EXT'],
  ['E12', 'refused', 'rejected', '-l INT/EXT'],
  ['E13', 'rejected', 'rejected', 'E13'],
  ['E14', 'rejected', 'rejected', 'E14'],
  ['E15', 'refused', 'rejected', 'local address'],
  ['E16', 'rejected', 'rejected', 'E16'],
  ['E17', 'rejected', 'rejected', 'E17'],
  ['E18', 'rejected', 'rejected', 'E18'],
  ['E19', 'rejected', 'rejected', 'E19'],
  ['E25', 'rejected', 'rejected', 'E25'],
  ['E26', 'rejected', 'rejected', 'E26'],
  ['E31', 'refused', 'rejected', 'label'],
  ['E32', 'refused', 'rejected', 'no route'],
  ['E35', 'refused', 'rejected', 'too old'],
  ['E36', 'refused', 'rejected', 'no IPv6 address'],
  ['E37', 'rejected', 'rejected', 'cannot read the address'],
  ['E50', 'unknown-call', 'unknown-call', 'does not know the session'],
  ['E60', 'rejected', 'rejected', 'prompt'],
  ['E62', 'rejected', 'rejected', 'counter'],
  ['E65', 'rejected', 'rejected', 'copy'],
  ['E68', 'rejected', 'rejected', 'counter'],
  ['E71', 'refused', 'rejected', 'no free port'],
  ['E72', 'refused', 'rejected', 'no free port'],
  ['E75', 'rejected', 'rejected', '-n'],
  ['E81', 'refused', 'rejected', 'out of memory'],
  ['E85', 'refused', 'rejected', 'out of memory'],
  ['E89', 'refused', 'rejected', 'out of memory'],
  ['E80', 'rejected', 'rejected', 'E80'],
  ['E98', 'refused', 'rejected', 'overloaded'],
  ['E99', 'refused', 'rejected', 'shutting down'],
  // Sippy RTP Cluster.
  ['E993', 'refused', 'rejected', 'no relay'],
  ['E999', 'refused', 'rejected', 'no relay'],
  ['E992', 'rejected', 'rejected', 'E992'],
  ['E1234', 'rejected', 'rejected', 'E1234'],
];

describe('error codes', () => {
  test.each(CODES)('%s: a new call is %s, one that lives %s', (code, whenNew, whenAlive, words) => {
    expect(isError(code)).toBe(true);
    expect(kindOf(failureOf(code, true))).toBe(whenNew);
    expect(kindOf(failureOf(code))).toBe(whenAlive);
    expect(failureOf(code, true).reason).toContain(words);
    expect(failureOf(code).reason).toMatch(new RegExp(`^${code}(?:$|: )`));
    expect(failureOf(code, true).isUncertain).toBe(false);
    expect(kindOf(readPort(code, true))).toBe(whenNew);
    expect(kindOf(readDone(code))).toBe(whenAlive);
    expect(kindOf(readNumbers(code, 1))).toBe(whenAlive);
  });

  test.each(['E', '0', 'E 72', 'E72 ', 'EE72', 'E12345', ''])('%j is none', (reply) => {
    expect(isError(reply)).toBe(false);
  });

  test('every code that was ever recorded has a kind', () => {
    const codes = new Set<string>();
    for (const { exchanges = [] } of FIXTURES.values())
      for (const { response } of exchanges) {
        const code = / (E\d+)\n?$/.exec(response ?? '')?.[1];
        if (code !== undefined) codes.add(code);
      }
    expect(codes.size).toBeGreaterThan(25);
    for (const code of codes) expect(CODES.map(([known]) => known)).toContain(code);
  });
});

describe('other replies', () => {
  test('0 is done and nothing else is', () => {
    expect(readDone('0')).toBeUndefined();
    for (const reply of ['00', '1', '0 ', '', 'ok']) expect(kindOf(readDone(reply))).toBe('garbled');
  });

  test('numbers are read whatever is between them, but not too few and nothing else', () => {
    expect(readNumbers('60 1 2 3 4', 5)).toEqual([60, 1, 2, 3, 4]);
    expect(readNumbers('60 1 2 3 4 5', 5)).toEqual([60, 1, 2, 3, 4, 5]);
    for (const reply of ['60 1 2 3', '60 1 2 3 x', 'ttl=60 a=1 b=2 c=3 d=4', ''])
      expect(kindOf(readNumbers(reply, 5))).toBe('garbled');
  });
});

describe('a port with the third word of rtpengine', () => {
  test.each([
    [true, 'refused'],
    [false, 'rejected'],
  ] as const)('is none, so the next node is asked for a new call (new: %p)', (isNew, kind) => {
    expect(readPort('45000 127.0.0.1 4', isNew)).toMatchObject({
      kind,
      reason: expect.stringContaining('rtpengine'),
    });
  });
});
