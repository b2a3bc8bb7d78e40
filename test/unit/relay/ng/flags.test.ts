import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { encodeText } from '../../../../src/relay/ng/bencode.ts';
import { MAX_FLAGS_LENGTH, parseFlags } from '../../../../src/relay/ng/flags.ts';

describe('parseFlags', () => {
  test.each([
    ['', {}],
    ['trust-address symmetric', { flags: ['trust-address', 'symmetric'] }],
    ['trust-address,symmetric;x', { flags: ['trust-address', 'symmetric;x'] }],
    ['  force\t\n asymmetric , ', { flags: ['force', 'asymmetric'] }],
    ['replace-origin replace-session-connection', { replace: ['origin', 'session-connection'] }],
    ['ICE=force', { ICE: 'force' }],
    ['ICE=force ICE=remove', { ICE: 'remove' }],
    ['RTP/AVP', { 'transport-protocol': 'RTP/AVP' }],
    ['UDP/TLS/RTP/SAVPF', { 'transport-protocol': 'UDP/TLS/RTP/SAVPF' }],
    ['transport-protocol=RTP/SAVP', { 'transport-protocol': 'RTP/SAVP' }],
    ['rtcp-mux-offer rtcp-mux-require', { 'rtcp-mux': ['offer', 'require'] }],
    ['rtcp-mux=demux', { 'rtcp-mux': ['demux'] }],
    ['SDES-off', { SDES: ['off'] }],
    ['SDES-no-AES_CM_128_HMAC_SHA1_32', { SDES: ['no-AES_CM_128_HMAC_SHA1_32'] }],
    ['OSRTP-accept', { OSRTP: ['accept'] }],
    ['T38-force', { 'T.38': ['force'] }],
    [
      'codec-strip-all codec-offer-PCMA codec-offer-PCMU',
      { codec: { strip: ['all'], offer: ['PCMA', 'PCMU'] } },
    ],
    ['codec-transcode-opus transcode-G722', { codec: { transcode: ['opus', 'G722'] } }],
    [
      'codec-set-opus/48000/2//maxaveragebitrate=8000',
      { codec: { set: ['opus/48000/2//maxaveragebitrate=8000'] } },
    ],
    [
      'codec-mask-a codec-accept-b codec-except-c codec-consume-d codec-ignore-e',
      { codec: { mask: ['a'], accept: ['b'], except: ['c'], consume: ['d'], ignore: ['e'] } },
    ],
    ['codec-frobnicate-x', { flags: ['codec-frobnicate-x'] }],
    ['codec=x codec-strip-y', { codec: { strip: ['y'] } }],
    ['direction=priv direction=pub', { direction: ['priv', 'pub'] }],
    [
      'address-family=IP6 via-branch=z9hG4bK.1 ptime=20',
      { 'address-family': 'IP6', 'via-branch': 'z9hG4bK.1', ptime: '20' },
    ],
    ['metadata=a=b', { metadata: 'a=b' }],
    ['=x', { flags: ['=x'] }],
    ['replace- SDES- codec-strip-', { flags: ['replace-', 'SDES-', 'codec-strip-'] }],
  ])('reads %p', (text, expected) => {
    expect(JSON.stringify(parseFlags(text))).toBe(JSON.stringify(expected));
  });

  test('treats names of object properties as plain keys', () => {
    const dict = parseFlags('__proto__=a constructor=b codec-strip-__proto__');
    expect(Object.keys(dict)).toEqual(['__proto__', 'constructor', 'codec']);
  });

  test('throws on text the caller should have refused', () => {
    expect(() => parseFlags('x'.repeat(MAX_FLAGS_LENGTH + 1))).toThrow(RangeError);
    expect(parseFlags('x '.repeat(MAX_FLAGS_LENGTH / 2)).flags).toHaveLength(MAX_FLAGS_LENGTH / 2);
  });

  test('always gives something that can be sent', () => {
    const word = fc.oneof(
      fc.string({ maxLength: 12 }),
      fc.constantFrom(
        'codec-strip-a',
        'codec=1',
        'flags=x',
        'replace-origin',
        'ICE=',
        'direction=',
        'RTP/AVP',
        '__proto__=1',
      ),
    );
    fc.assert(
      fc.property(fc.array(word, { maxLength: 20 }), (words) => {
        expect(encodeText(parseFlags(words.join(' ')))).toStartWith('d');
      }),
      { numRuns: 500 },
    );
  });
});
