import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { sectionsOf, sends, wants } from '../../../src/sdp/sections.ts';

const sdp = (...lines: string[]): string =>
  ['v=0', 'o=- 1 1 IN IP4 192.0.2.1', 's=-', 't=0 0', ...lines, ''].join('\r\n');

describe('the sections of an SDP', () => {
  test('say what is sent, and where it is wanted: by their own lines, else by those of the session', () => {
    expect(
      sectionsOf(
        sdp(
          'c=IN IP4 192.0.2.1',
          'a=recvonly',
          'm=audio 4000 RTP/AVP 8',
          'm=video 5000/1 RTP/AVP 31',
          'c=IN IP6 2001:db8::1',
          'a=sendonly',
        ),
      ),
    ).toEqual([
      { media: 'audio', address: '192.0.2.1', port: 4000, mode: 'recvonly', hasIce: false, isBundled: false },
      {
        media: 'video',
        address: '2001:db8::1',
        port: 5000,
        mode: 'sendonly',
        hasIce: false,
        isBundled: false,
      },
    ]);
  });

  test.each([
    [['m=audio 4000 RTP/AVP 8', 'c=IN IP4 192.0.2.1'], 'sendrecv'],
    [['m=audio 0 RTP/AVP 8', 'c=IN IP4 192.0.2.1'], 'off'],
    [['m=audio 0 RTP/AVP 8', 'a=inactive'], 'off'],
    [['m=audio 4000 RTP/AVP 8', 'a=inactive'], 'inactive'],
    [['m=audio 4000 RTP/AVP 8', 'c=IN IP4 0.0.0.0'], 'sendonly'],
    [['m=audio 4000 RTP/AVP 8', 'c=IN IP4 0.0.0.0', 'a=sendonly'], 'sendonly'],
    [['m=audio 4000 RTP/AVP 8', 'c=IN IP4 0.0.0.0', 'a=recvonly'], 'inactive'],
    [['m=audio 9 RTP/AVP 8', 'c=IN IP4 0.0.0.0'], 'sendrecv'],
    [['m=audio 4000 RTP/AVP 8', 'a=sendonlyish'], 'sendrecv'],
  ])('%j go %s', (lines, mode) => {
    expect(sectionsOf(sdp(...(lines as string[])))[0]?.mode).toBe(mode as 'off');
  });

  test('tell ICE and bundles, in which an address says little', () => {
    const read = sectionsOf(
      sdp(
        'a=group:BUNDLE 0 1',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111',
        'a=ice-ufrag:x',
        'm=video 9 UDP/TLS/RTP/SAVPF 96',
        'a=candidate:1 1 UDP 1 192.0.2.1 5 typ host',
      ),
    );
    expect(read.map(({ hasIce, isBundled }) => [hasIce, isBundled])).toEqual([
      [true, false],
      [true, true],
    ]);
    expect(sectionsOf(sdp('a=ice-ufrag:x', 'm=audio 9 RTP/AVP 8'))[0]?.hasIce).toBe(true);
  });

  test('are none in what is no SDP, and 64 at most', () => {
    expect(sectionsOf('')).toEqual([]);
    expect(sectionsOf('m=audio')).toMatchObject([{ media: 'audio', port: 0, mode: 'off', address: '' }]);
    expect(sectionsOf('m=audio 5 RTP/AVP 8\n'.repeat(100))).toHaveLength(64);
  });

  test('never throw', () => {
    const line = fc.constantFrom(
      'm=',
      'm=audio 5 RTP/AVP 8',
      'c=',
      'c=IN IP4',
      'c=IN IP4 1.2.3.4',
      'a=sendonly',
      'a=',
      '\r',
      'm',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(line, fc.string())), (lines) => {
        expect(Array.isArray(sectionsOf(lines.join('\n')))).toBe(true);
      }),
    );
  });

  test.each([
    ['sendrecv', true, true],
    ['sendonly', true, false],
    ['recvonly', false, true],
    ['inactive', false, false],
    ['off', false, false],
  ] as const)('that are %s send: %p, want: %p', (mode, isSending, isWanting) => {
    const section = { media: 'audio', address: '', port: 1, mode, hasIce: false, isBundled: false };
    expect([sends(section), wants(section)]).toEqual([isSending, isWanting]);
  });
});
