import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { NgDict } from '../../../../src/relay/driver.ts';
import { parseFlags } from '../../../../src/relay/ng/flags.ts';
import { conversionIn, readOptions } from '../../../../src/relay/rtpproxy/options.ts';
import { sdpOf } from './driving.ts';

const PLAIN = sdpOf();
const MUXED = sdpOf({ attributes: ['a=rtcp-mux'] });
const SDES = sdpOf({ transport: 'RTP/SAVP', attributes: ['a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x'] });
const DTLS = sdpOf({ transport: 'UDP/TLS/RTP/SAVPF', attributes: ['a=fingerprint:sha-256 00:11'] });

const inOffer = (extra: NgDict, sdp = PLAIN) => conversionIn(extra, sdp, true);
const inAnswer = (extra: NgDict, sdp = PLAIN) => conversionIn(extra, sdp, false);

/** A dictionary as the doors make them: without a prototype. */
function bare(entries: Record<string, string>): NgDict {
  return Object.assign(Object.create(null) as Record<string, string>, entries);
}

describe('passed over', () => {
  test.each<[NgDict]>([
    [{}],
    [{ ICE: 'remove' }],
    [{ ICE: ['remove'] }],
    [{ ICE: 'optional' }],
    [{ flags: ['trust-address', 'symmetric', 'no-rtcp-attribute', 'strict-source', 'port-latching'] }],
    [{ flags: [] }],
    [{ replace: ['origin', 'session-connection'] }],
    [{ 'rtcp-mux': ['demux'] }],
    [{ 'rtcp-mux': ['accept'] }],
    [{ 'rtcp-mux': [] }],
    [{ SDES: ['off'] }],
    [{ DTLS: 'off' }],
    [{ DTLS: 'passive' }],
    [{ 'transport-protocol': 'RTP/AVP' }],
    [{ 'transport protocol': 'rtp/avp' }],
    [{ 'transport-protocol': 'accept' }],
    [{ 'transport-protocol': '' }],
    [{ 'record-call': 'off' }],
    [{ 'record-call': 'no' }],
    [{ codec: {} }],
    [{ 'media-address': '203.0.113.7' }],
    [{ 'received-from': ['IP4', '10.0.0.9'] }],
    [{ label: 'caller' }],
    [{ TOS: 184 }],
    [{ 'delete-delay': 0 }],
  ])('%j', (extra) => {
    expect(inOffer(extra)).toBeUndefined();
    expect(inAnswer(extra)).toBeUndefined();
  });

  test('a transport that all live lines have, in any spelling', () => {
    expect(inOffer({ 'transport-protocol': 'UDP/TLS/RTP/SAVPF' }, DTLS)).toBeUndefined();
    expect(inOffer({ 'transport-protocol': 'RTP/SAVP' }, SDES)).toBeUndefined();
    const off = `${PLAIN}m=video 0 RTP/SAVP 96\r\nm=image 4002 udptl t38\r\n`;
    expect(inOffer({ 'transport-protocol': 'RTP/AVP' }, off)).toBeUndefined();
  });

  test('a dictionary under a key nobody knows', () => {
    expect(
      inOffer({ 'some-key': bare({ a: 'b' }), other: [bare({ a: 'b' })], flags: bare({ x: 'y' }) }),
    ).toBe(undefined);
  });
});

describe('named as a conversion', () => {
  test.each<[NgDict, string]>([
    [{ ICE: 'force' }, 'ICE=force'],
    [{ ICE: 'force-relay' }, 'ICE=force-relay'],
    [{ ice: ['force_relay'] }, 'ice=["force_relay"]'],
    [{ codec: bare({ strip: 'all' }) }, 'codec={"strip":"all"}'],
    [{ codec: { transcode: ['PCMA'] } }, 'codec={"transcode":["PCMA"]}'],
    [{ flags: ['trust-address', 'always transcode'] }, 'flags=["trust-address","always transcode"]'],
    [{ flags: ['codec-mask-opus'] }, 'flags=["codec-mask-opus"]'],
    [{ flags: ['transcode-PCMU'] }, 'flags=["transcode-PCMU"]'],
    [{ flags: 'trust-address, inject-DTMF' }, 'flags=trust-address, inject-DTMF'],
    [{ flags: ['record call'] }, 'flags=["record call"]'],
    [{ flags: ['block_dtmf'] }, 'flags=["block_dtmf"]'],
    [{ flags: ['generate RTCP'] }, 'flags=["generate RTCP"]'],
    [{ ptime: 20 }, 'ptime=20'],
    [{ 'ptime-reverse': '30' }, 'ptime-reverse=30'],
    [{ 'T.38': ['decode'] }, 'T.38=["decode"]'],
    [{ OSRTP: ['offer'] }, 'OSRTP=["offer"]'],
    [{ 'record-call': 'yes' }, 'record-call=yes'],
    [{ record_call: 'on' }, 'record_call=on'],
    [{ 'Record Call': 'on' }, 'Record Call=on'],
    [{ 'audio-player': 'force' }, 'audio-player=force'],
  ])('%j, in offers and answers', (extra, named) => {
    expect(inOffer(extra)).toBe(named);
    expect(inAnswer(extra)).toBe(named);
  });

  test.each(['RTP/SAVP', 'RTP/SAVPF', 'RTP/AVPF', 'UDP/TLS/RTP/SAVPF'])(
    'another transport, in an offer: an answer goes back to its own (%s)',
    (transport) => {
      const extra = { 'transport-protocol': transport };
      expect(inOffer(extra)).toBe(`transport-protocol=${transport}`);
      expect(inAnswer(extra)).toBeUndefined();
      expect(inOffer({ 'Transport Protocol': transport })).toBe(`Transport Protocol=${transport}`);
    },
  );

  test('another transport for one of several lines', () => {
    const mixed = `${PLAIN}m=video 4002 RTP/SAVP 96\r\n`;
    expect(inOffer({ 'transport-protocol': 'RTP/AVP' }, mixed)).toBe('transport-protocol=RTP/AVP');
  });

  test.each(['demux', 'reject'])('to take rtcp-mux away where there is some: %s', (word) => {
    expect(inOffer({ 'rtcp-mux': [word] }, MUXED)).toBe(`rtcp-mux=["${word}"]`);
    expect(inOffer({ 'rtcp mux': word }, MUXED)).toBe(`rtcp mux=${word}`);
    expect(inOffer({ 'rtcp-mux': [word] })).toBeUndefined();
    // The name alone, not a longer one.
    const only = sdpOf({ attributes: ['a=rtcp-mux-only'] });
    expect(inOffer({ 'rtcp-mux': [word] }, only)).toBeUndefined();
  });

  test.each(['require', 'offer'])('to offer rtcp-mux where there is none: %s', (word) => {
    expect(inOffer({ 'rtcp-mux': [word] })).toBe(`rtcp-mux=["${word}"]`);
    expect(inOffer({ 'rtcp-mux': [word] }, MUXED)).toBeUndefined();
    // A callee may decline what was offered.
    expect(inAnswer({ 'rtcp-mux': [word] })).toBeUndefined();
  });

  test.each(['off', 'no', 'disable'])('to take encryption away where there is some: %s', (word) => {
    expect(inOffer({ SDES: [word] }, SDES)).toBe(`SDES=["${word}"]`);
    expect(inOffer({ DTLS: word }, DTLS)).toBe(`DTLS=${word}`);
    expect(inOffer({ SDES: [word] }, DTLS)).toBeUndefined();
    expect(inOffer({ DTLS: word }, SDES)).toBeUndefined();
  });

  test('is cut where it is long', () => {
    expect(inOffer({ codec: { strip: ['x'.repeat(500)] } })?.length).toBeLessThan(80);
  });

  test('as words of a proxy script', () => {
    expect(
      inOffer(parseFlags('trust-address replace-origin ICE=remove RTP/AVP rtcp-mux-demux')),
    ).toBeUndefined();
    expect(inOffer(parseFlags('trust-address codec-strip-G729'))).toStartWith('codec=');
    expect(inOffer(parseFlags('RTP/SAVPF'))).toBe('transport-protocol=RTP/SAVPF');
    expect(inOffer(parseFlags('ICE=force'))).toBe('ICE=force');
  });

  test('or not: nothing a client can send throws', () => {
    const value = fc.jsonValue({ maxDepth: 3 }).map((json) => bareAll(json));
    const key = fc.oneof(
      fc.constantFrom('flags', 'ICE', 'codec', 'rtcp-mux', 'SDES', 'received-from', 'transport-protocol'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(key, value)), (entries) => {
        const extra = Object.fromEntries(entries) as NgDict;
        conversionIn(extra, PLAIN, true);
        expect(readOptions(extra)).toHaveProperty('symmetry');
      }),
      { numRuns: 500 },
    );
  });
});

/** JSON as a door passes it on: text, numbers, lists, dictionaries without prototype. */
function bareAll(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(bareAll);
  if (typeof json !== 'object' || json === null) return typeof json === 'number' ? json : String(json);

  return Object.assign(
    Object.create(null) as object,
    Object.fromEntries(Object.entries(json).map(([key, value]) => [key, bareAll(value)])),
  );
}

describe('what matters to the commands', () => {
  test.each<[NgDict, 'a' | 's' | undefined]>([
    [{}, undefined],
    [{ flags: ['trust-address'] }, undefined],
    [{ flags: ['asymmetric'] }, 'a'],
    [{ flags: ['Asymmetric'] }, 'a'],
    [{ Flags: ['symmetric'] }, 's'],
    [{ flags: 'trust-address, asymmetric' }, 'a'],
    [{ flags: ['symmetric', 'asymmetric'] }, 'a'],
    [{ flags: ['asymmetric-codecs'] }, undefined],
  ])('%j', (extra, symmetry) => {
    expect(readOptions(extra).symmetry).toBe(symmetry);
  });

  test.each<[NgDict]>([
    [{ flags: ['SIP-source-address'], 'received-from': ['IP4', '10.0.0.9'] }],
    [{ flags: ['SIP source address'], 'received from': ['IP4', '10.0.0.9'] }],
    [{ flags: 'trust-address,sip_source_address', 'received-from': 'IP4 10.0.0.9' }],
    [{ flags: ['sip-source-address'], 'received-from': 'IP4,10.0.0.9' }],
  ])('the source of the message is used where that is wanted: %j', (extra) => {
    expect(readOptions(extra).source).toEqual({ address: '10.0.0.9', family: 'IP4' });
  });

  test.each<[NgDict]>([
    [{ 'received-from': ['IP4', '10.0.0.9'] }],
    [{ flags: ['trust-address'], 'received-from': ['IP4', '10.0.0.9'] }],
    [{ flags: ['sip-source-address'] }],
    [{ flags: ['sip-source-address'], 'received-from': ['IP4', 'phone.example.org'] }],
    [{ flags: ['sip-source-address'], 'received-from': ['IP4'] }],
    [{ flags: ['sip-source-address'], 'received-from': ['IP6', 'fe80::1%eth0'] }],
  ])('and else not: %j', (extra) => {
    expect(readOptions(extra).source).toBeUndefined();
  });

  test('believes the literal, not the word before it', () => {
    const extra = { flags: ['sip-source-address'], 'received-from': ['IP4', '2001:DB8::9'] };
    expect(readOptions(extra).source).toEqual({ address: '2001:db8::9', family: 'IP6' });
  });
});
