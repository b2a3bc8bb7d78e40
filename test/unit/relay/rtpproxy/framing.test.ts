import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import {
  decodeReply,
  encodeCommand,
  lengthOfReply,
  MAX_COMMAND_BYTES,
} from '../../../../src/relay/rtpproxy/framing.ts';

const TOTALS =
  'sessions created: 1\nactive sessions: 1\nactive streams: 2\npackets received: 0\npackets transmitted: 0\n';

describe('a command', () => {
  test('goes out as it is, whatever bytes it has above the blank', () => {
    expect(encodeCommand('Uc8,0 caf\xe9 192.0.2.1 4000 ta;1')).toBe('Uc8,0 caf\xe9 192.0.2.1 4000 ta;1');
  });

  test.each([[''], ['V\n'], ['V\nX'], ['V\r'], ['V\0'], ['D a\tb'], ['D a\x7f'], ['D \u20ac t']])(
    'that would be none, or two, is rejected: %j',
    (command) => {
      expect(encodeCommand(command)).toMatchObject({ kind: 'rejected', isUncertain: false });
    },
  );

  test('has room for its newline in the 8 KiB of the daemon', () => {
    expect(encodeCommand('x'.repeat(MAX_COMMAND_BYTES - 1))).toBeString();
    expect(encodeCommand('x'.repeat(MAX_COMMAND_BYTES))).toMatchObject({ kind: 'too-large' });
  });
});

describe('a reply', () => {
  test('is given without its last newline, inner ones kept', () => {
    expect(decodeReply('20040107\n')).toBe('20040107');
    expect(decodeReply(TOTALS)).toBe(TOTALS.slice(0, -1));
    expect(decodeReply('0')).toBe('0');
  });

  test.each([[''], ['\n']])('that says nothing is garbled: %j', (text) => {
    expect(decodeReply(text)).toMatchObject({ kind: 'garbled' });
  });

  test('of one line ends with it', () => {
    expect(lengthOfReply('200', 1)).toBeUndefined();
    expect(lengthOfReply('20040107\n', 1)).toBe(9);
    expect(lengthOfReply('0\n1\n', 1)).toBe(2);
  });

  test('of several lines ends with the last of them', () => {
    expect(lengthOfReply(TOTALS, 5)).toBe(TOTALS.length);
    expect(lengthOfReply(`${TOTALS}0\n`, 5)).toBe(TOTALS.length);
    expect(lengthOfReply(TOTALS, 6)).toBeUndefined();
  });

  test('that is an error has one line whatever was asked for', () => {
    expect(lengthOfReply('E18\n', 5)).toBe(4);
    expect(lengthOfReply('E1', 5)).toBeUndefined();
    expect(lengthOfReply('Expected: 1\n', 2)).toBeUndefined();
  });

  test('is found in a stream of replies, however it is cut', () => {
    const replies = fc.array(fc.constantFrom('0\n', 'E50\n', '30000 127.0.0.1\n', TOTALS), { minLength: 1 });
    fc.assert(
      fc.property(replies, (all) => {
        let text = all.join('');
        const found: (string | RelayFailure)[] = [];
        for (const reply of all) {
          const length = lengthOfReply(text, reply === TOTALS ? 5 : 1) ?? 0;
          found.push(decodeReply(text.slice(0, length)));
          text = text.slice(length);
        }
        expect(found).toEqual(all.map((reply) => reply.slice(0, -1)));
        expect(text).toBe('');
        expect(found.some((reply) => reply instanceof RelayFailure)).toBe(false);
      }),
    );
  });
});
