import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  connectionOf,
  familyOfSdp,
  findDefect,
  forEachLine,
  isHeldByAddress,
  outline,
  parseConnection,
} from '../../../src/sdp/outline.ts';

const HEAD = 'v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\n';

function defectOf(sdp: string): string | undefined {
  return findDefect(sdp, outline(sdp));
}

describe('lines', () => {
  test('are visited in order with their ends, and nothing is lost', () => {
    const text = fc.string({ unit: fc.constantFrom('a', '=', ' ', '\r', '\n', '\r\n') });
    fc.assert(
      fc.property(text, (sdp) => {
        let joined = '';
        forEachLine(sdp, (line, end) => {
          expect(line).not.toContain('\n');
          expect(['\r\n', '\n', '\r', '']).toContain(end);
          joined += line + end;
        });
        expect(joined).toBe(sdp);
      }),
    );
  });

  test('end with CRLF, LF or the text', () => {
    const lines: [string, string][] = [];
    forEachLine('v=0\r\ns=-\nt=0 0', (line, end) => lines.push([line, end]));
    expect(lines).toEqual([
      ['v=0', '\r\n'],
      ['s=-', '\n'],
      ['t=0 0', ''],
    ]);
  });
});

describe('a c= line', () => {
  test.each([
    ['IN IP4 192.0.2.1', { family: 'IP4', address: '192.0.2.1' }],
    ['IN IP4 224.2.1.1/127', { family: 'IP4', address: '224.2.1.1' }],
    ['IN IP6 ff15::101/3', { family: 'IP6', address: 'ff15::101' }],
    ['in ip6 2001:db8::1', { family: 'IP6', address: '2001:db8::1' }],
    [' IN  IP4\t192.0.2.1 ', { family: 'IP4', address: '192.0.2.1' }],
    ['IN IP4 phone.example.org', { family: 'IP4', address: 'phone.example.org' }],
  ] as const)('%p is read', (value, expected) => {
    expect(parseConnection(value)).toEqual(expected);
  });

  test.each(['', 'IN IP4', 'IN IP5 192.0.2.1', 'ATM NSAP 47', '192.0.2.1'])('%p is none', (value) => {
    expect(parseConnection(value)).toBeNull();
  });
});

describe('the outline', () => {
  test('has session and media connections, ports and transports', () => {
    const read = outline(
      `${HEAD}c=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000/2 RTP/AVP 8\r\nc=IN IP6 2001:db8::9\r\nm=video 0 RTP/AVP 96\r\nm=image 5000 udptl t38\r\n`,
    );
    expect(read).toEqual({
      session: { family: 'IP4', address: '10.0.0.9' },
      media: [
        {
          port: 4000,
          transport: 'RTP/AVP',
          connection: { family: 'IP6', address: '2001:db8::9' },
          isTrickled: false,
        },
        { port: 0, transport: 'RTP/AVP', connection: null, isTrickled: false },
        { port: 5000, transport: 'udptl', connection: null, isTrickled: false },
      ],
    });
    expect(connectionOf(read, 0)?.address).toBe('2001:db8::9');
    expect(connectionOf(read, 2)?.address).toBe('10.0.0.9');
  });

  test('takes the first c= line of a section, and a port that is no number as off', () => {
    const read = outline('m=audio x RTP/AVP 8\nc=IN IP4 192.0.2.1\nc=IN IP4 192.0.2.2\n');
    expect(read.media).toEqual([
      {
        port: 0,
        transport: 'RTP/AVP',
        connection: { family: 'IP4', address: '192.0.2.1' },
        isTrickled: false,
      },
    ]);
  });

  test('knows old-style hold from the section or the session', () => {
    const sdp = outline(
      `${HEAD}c=IN IP4 0.0.0.0\r\nm=audio 4000 RTP/AVP 8\r\nm=video 5000 RTP/AVP 96\r\nc=IN IP4 10.0.0.9\r\nm=audio 6000 RTP/AVP 8\r\nc=IN IP6 ::\r\n`,
    );
    expect([0, 1, 2].map((index) => isHeldByAddress(sdp, index))).toEqual([true, false, true]);
  });

  test('has the family of the first stream that is on', () => {
    expect(
      familyOfSdp(outline('m=audio 0 RTP/AVP 8\nc=IN IP4 1.1.1.1\nm=audio 4 RTP/AVP 8\nc=IN IP6 ::1\n')),
    ).toBe('IP6');
    expect(familyOfSdp(outline('c=IN IP6 ::1\nm=audio 0 RTP/AVP 8\n'))).toBe('IP6');
    expect(familyOfSdp(outline(''))).toBe('IP4');
  });
});

describe('a defect', () => {
  test.each([
    ['o=- 1 1 IN IP4 10.0.0.9\r\n', 'starts with "v=0"'],
    ['', 'starts with "v=0"'],
    [`${HEAD}c=IN IP4 10.0.0.9\r\n`, 'no m= line'],
    [`${HEAD}m=audio 4000 RTP/AVP 8\r\n`, 'm= line 1 has no c= line'],
    [
      `${HEAD}m=audio 4000 RTP/AVP 8\r\nc=IN IP4 10.0.0.9\r\nm=video 5000 RTP/AVP 96\r\n`,
      'm= line 2 has no c= line',
    ],
  ])('of %p is named', (sdp, words) => {
    expect(defectOf(sdp)).toContain(words);
  });

  test.each([
    `${HEAD}c=IN IP4 10.0.0.9\r\nm=audio 4000 RTP/AVP 8\r\n`,
    `${HEAD}m=audio 4000 RTP/AVP 8\r\nc=IN IP4 10.0.0.9\r\n`,
    `${HEAD}m=audio 0 RTP/AVP 8\r\n`,
    `${HEAD}m=audio 0 RTP/AVP 8\r\nm=audio 4000 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n`,
  ])('is not found in %p', (sdp) => {
    expect(defectOf(sdp)).toBeUndefined();
  });
});
