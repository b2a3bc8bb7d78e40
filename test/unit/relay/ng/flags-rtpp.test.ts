import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { encodeText } from '../../../../src/relay/ng/bencode.ts';
import { MAX_FLAGS_LENGTH, parseFlags, parseRtppFlags } from '../../../../src/relay/ng/flags.ts';

describe.each([
  ['the flags of a script', parseFlags],
  ['rtpp-flags', parseRtppFlags],
])('%s', (_, parse) => {
  test.each<[string, unknown]>([
    ['internal external', { direction: ['internal', 'external'] }],
    ['direction=foo direction=bar', { direction: ['foo', 'bar'] }],
    ['direction=[foo bar]', { direction: ['foo', 'bar'] }],
    ['in-iface=priv out-iface=pub', { 'in-iface': 'priv', 'out-iface': 'pub' }],
    [
      'codec-strip=all codec-mask=PCMA transcode=opus',
      { codec: { strip: ['all'], mask: ['PCMA'], transcode: ['opus'] } },
    ],
    ['codec-accept=[PCMU PCMA]', { codec: { accept: ['PCMU', 'PCMA'] } }],
    [
      'codec=[transcode=[PCMA PCMU] strip=[EVS]] codec-strip-x',
      { codec: { transcode: ['PCMA', 'PCMU'], strip: ['EVS', 'x'] } },
    ],
    ['codec=[strip=all]', { codec: { strip: ['all'] } }],
    ['codec=[set=[opus/48000/2//a=b x]]', { codec: { set: ['opus/48000/2//a=b', 'x'] } }],
    ['codec=[all]', {}],
    ['OSRTP=[accept] OSRTP-offer', { OSRTP: ['accept', 'offer'] }],
    ['replace=[ origin ] replace-username', { replace: ['origin', 'username'] }],
    ['T38=force T.38=decode', { 'T.38': ['force', 'decode'] }],
    ['frequencies=[1 2] digit=3', { frequencies: ['1', '2'], digit: '3' }],
    [
      'SDP-attr=[audio=[remove=[test] add=[foo bar]] global=[remove=[quux]]] rtcp-mux=[offer]',
      {
        'SDP-attr': { audio: { remove: ['test'], add: ['foo', 'bar'] }, global: { remove: ['quux'] } },
        'rtcp-mux': ['offer'],
      },
    ],
    ['x=[[a b] [c]]', { x: [['a', 'b'], ['c']] }],
    ['x=[a=1 b c=[d]]', { x: { a: '1', c: ['d'] } }],
    ['x=[a b=1 c=[d]]', { x: ['a', 'b=1', ['d']] }],
    ['x=[]', { x: [] }],
    ['x=[a [b', { x: ['a', ['b']] }],
    ['x=[a]y z', { x: ['a'], flags: ['y', 'z'] }],
    ['x] [y] =[z]', { flags: ['x]', '[y]', '=[z]'] }],
    ['x=[__proto__=1]', { x: JSON.parse('{"__proto__":"1"}') }],
    ['RTP/SAVPF RTP', { 'transport-protocol': 'RTP/AVPF' }],
    ['RTP/SAVPF AVP', { 'transport-protocol': 'RTP/SAVP' }],
    ['RTP AVP', { 'transport-protocol': 'RTP/AVP' }],
    ['SRTP AVPF', { 'transport-protocol': 'RTP/SAVPF' }],
    ['DTLS', { 'transport-protocol': 'UDP/TLS/RTP/SAVP' }],
    ['DTLS AVPF', { 'transport-protocol': 'UDP/TLS/RTP/SAVPF' }],
    ['DTLS SRTP', {}],
    ['DTLS RTP/AVP', { 'transport-protocol': 'RTP/AVP' }],
    ['transport-protocol=accept', { 'transport-protocol': 'accept' }],
    ['DTLS=off RTP=1', { DTLS: 'off', RTP: '1' }],
    [
      'call-id=c from-tag=a to-tag=b via-branch=x',
      { 'call-id': 'c', 'from-tag': 'a', 'to-tag': 'b', 'via-branch': 'x' },
    ],
    ['to-tag directional', { flags: ['to-tag', 'directional'] }],
  ])('reads %p', (text, expected) => {
    expect(JSON.stringify(parse(text))).toBe(JSON.stringify(expected));
  });

  test('leaves brackets within too many brackets as they are', () => {
    const text = `x=${'['.repeat(8)}a${']'.repeat(8)}`;
    expect(JSON.stringify(parse(text).x)).toBe('[[[[[["[[a"]]]]]]');
  });

  test('always gives something that can be sent', () => {
    const piece = fc.constantFrom(
      '[',
      ']',
      '=',
      ' ',
      ',',
      'a',
      'x=[',
      'codec',
      'codec=[',
      'strip=[',
      '__proto__',
      'RTP',
      '\xff',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        expect(encodeText(parse(pieces.join('')))).toStartWith('d');
      }),
      { numRuns: 1000 },
    );
  });

  test('takes no longer for odd texts', () => {
    for (const text of ['[', 'x=[', ']', '=', 'a=[a=', ' [']) {
      const long = text.repeat(MAX_FLAGS_LENGTH / text.length);
      const started = performance.now();
      expect(encodeText(parse(long))).toStartWith('d');
      expect(performance.now() - started).toBeLessThan(100);
    }
  });
});

test('a comma separates words of a script, and is part of a word for rtpengine', () => {
  const text = 'a,b sdp-attr-add-audio-x=1,2';
  expect({ ...parseFlags(text) }).toEqual({ flags: ['a', 'b', '2'], 'sdp-attr-add-audio-x': '1' });
  expect({ ...parseRtppFlags(text) }).toEqual({ flags: ['a,b'], 'sdp-attr-add-audio-x': '1,2' });
});
