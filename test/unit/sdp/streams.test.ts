import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { outline } from '../../../src/sdp/outline.ts';
import {
  handlingOf,
  hasIce,
  MAX_RELAYED,
  Refusal,
  readStreams,
  type Stream,
} from '../../../src/sdp/streams.ts';

const HEAD = ['v=0', 'o=- 1 1 IN IP4 192.0.2.10', 's=-', 't=0 0'];

function sdpOf(...lines: string[]): string {
  return [...HEAD, ...lines, ''].join('\r\n');
}

function read(...lines: string[]): readonly Stream[] {
  const streams = readStreams(sdpOf(...lines));
  if (streams instanceof Refusal) throw new Error(streams.reason);

  return streams;
}

function refusal(...lines: string[]): string {
  const streams = readStreams(sdpOf(...lines));

  return streams instanceof Refusal ? streams.reason : 'accepted';
}

/** What is to be done with the section that this m= line begins. */
function handlingOfLine(line: string) {
  const [section] = outline(line).media;
  if (section === undefined) throw new Error(`${line} is no m= line`);

  return handlingOf(section);
}

describe('a transport', () => {
  test.each([
    'RTP/AVP',
    'RTP/SAVP',
    'RTP/AVPF',
    'RTP/SAVPF',
    'rtp/avp',
    'UDP/TLS/RTP/SAVP',
    'UDP/TLS/RTP/SAVPF',
    'udp',
    'UDP',
    'udptl',
    'UDPTL',
    'UDP/TLS/UDPTL',
    'UDPSPRT',
    'UDP/BFCP',
    'UDP/TLS/BFCP',
    'UDP/DTLS/SCTP',
    'DTLS/SCTP',
  ])('%s is over UDP and relayed', (transport) => {
    expect(handlingOfLine(`m=audio 4000 ${transport} 0`)).toBe('relay');
  });

  test.each([
    'TCP',
    'TCP/MSRP',
    'TCP/TLS/MSRP',
    'msrp/tcp',
    'TCP/RTP/AVP',
    'TCP/TLS/RTP/SAVPF',
    'TCP/TLS/BFCP',
    'TCP/DTLS/SCTP',
    'TCP/MRCPv2',
    'TLS',
    'DCCP/RTP/AVP',
    'DCCP/TLS/RTP/SAVP',
    'SCTP',
    'SCTP/DTLS',
    'PSTN',
    'AAL1/AVP',
    'RTPX/AVP',
    'UDPX',
  ])('%s is not over UDP, or not known, and left alone', (transport) => {
    expect(handlingOfLine(`m=audio 4000 ${transport} 0`)).toBe('leave');
  });

  test.each([
    'm=audio 0 RTP/AVP 0',
    'm=audio 00 RTP/AVP 0',
    'm=audio 0/2 RTP/AVP 0',
    'm=message 0 TCP/MSRP *',
    'm=audio $ AAL1/AVP 0',
  ])('%s is off', (line) => {
    expect(handlingOfLine(line)).toBe('off');
  });

  test('is off exactly where the outline says port 0', () => {
    const word = fc.constantFrom('m=audio', 'm=', 'm= audio', '0', '4000', '-1', '0x1', '1e3', 'RTP/AVP', '');
    const text = fc
      .array(fc.tuple(word, fc.constantFrom(' ', '\t', '  ')))
      .map((words) => words.flat().join(''));
    fc.assert(
      fc.property(text, (rest) => {
        const line = `m=audio ${rest}`;
        expect(handlingOfLine(line) === 'off').toBe(outline(line).media[0]?.port === 0);
      }),
    );
  });
});

describe('streams', () => {
  test('are read with number, port, address, family and payload types', () => {
    expect(
      read(
        'c=IN IP4 192.0.2.10',
        'm=audio 4000 RTP/AVP 8 0 101',
        'm=video 0 RTP/AVP 96',
        'm=message 7654 TCP/MSRP *',
        'm=video 4002/1 udp/tls/rtp/savpf 96 97',
        'c=IN IP6 2001:DB8::A',
      ),
    ).toEqual([
      {
        n: 1,
        handling: 'relay',
        port: 4000,
        address: '192.0.2.10',
        family: 'IP4',
        isHeld: false,
        formats: [8, 0, 101],
      },
      { n: 2, handling: 'off' },
      { n: 3, handling: 'leave' },
      {
        n: 4,
        handling: 'relay',
        port: 4002,
        address: '2001:DB8::A',
        family: 'IP6',
        isHeld: false,
        formats: [96, 97],
      },
    ]);
  });

  test.each([
    'm=image 4000 udptl t38',
    'm=application 4000 UDP/BFCP *',
    'm=application 4000 udp 8',
    'm=application 4000 UDP/DTLS/SCTP 5000',
    'm=audio 4000 RTP/AVP *',
    'm=audio 4000 RTP/AVP 128 999 1000 x8',
    'm=audio 4000 RTP/AVP',
  ])('of %s have no payload types', (line) => {
    expect(read('c=IN IP4 192.0.2.10', line)).toMatchObject([{ handling: 'relay', formats: [] }]);
  });

  test('that are held keep their unspecified address', () => {
    expect(
      read('c=IN IP6 ::', 'm=audio 4000 RTP/AVP 8', 'm=audio 4002 RTP/AVP 8', 'c=IN IP4 0.0.0.0'),
    ).toMatchObject([
      { address: '::', family: 'IP6', isHeld: true },
      { address: '0.0.0.0', family: 'IP4', isHeld: true },
    ]);
  });

  test('whose candidates come later are not held, although they have no address', () => {
    expect(
      read(
        'c=IN IP4 0.0.0.0',
        'm=audio 9 UDP/TLS/RTP/SAVPF 111',
        'm=audio 4000 UDP/TLS/RTP/SAVPF 111',
        'a=ice-options:trickle',
      ),
    ).toMatchObject([
      { port: 9, address: '0.0.0.0', isHeld: false },
      { port: 4000, address: '0.0.0.0', isHeld: false },
    ]);
  });

  test('have the family of the address, whatever the word before it says', () => {
    expect(read('c=IN IP4 2001:db8::a', 'm=audio 4000 RTP/AVP 8')).toMatchObject([{ family: 'IP6' }]);
  });

  test('may say the same c= line twice', () => {
    expect(read('m=audio 4000 RTP/AVP 8', 'c=IN IP4 192.0.2.1', 'c=IN IP4 192.0.2.1')).toMatchObject([
      { address: '192.0.2.1' },
    ]);
  });

  test('that are off or left alone may say what they like', () => {
    expect(
      read(
        'm=audio 0 RTP/AVP 8',
        'c=IN IP4 phone.example.org',
        'm=video 0/4 RTP/AVP 96',
        'c=IN IP4 224.2.1.1/127',
        'm=message 99999/3 TCP/MSRP *',
        'c=IN IP4 chat.example.org',
      ).map(({ handling }) => handling),
    ).toEqual(['off', 'off', 'leave']);
  });

  test('need not name an address in the session if each has its own', () => {
    const session = 'c=IN IP4 224.2.1.1/127';
    expect(read(session, 'm=audio 4000 RTP/AVP 8', 'c=IN IP4 192.0.2.1')).toMatchObject([
      { address: '192.0.2.1' },
    ]);
  });

  test(`may be ${MAX_RELAYED}, besides those that are off`, () => {
    const lines = (count: number) => Array<string>(count).fill('m=audio 4000 RTP/AVP 8');
    const off = Array<string>(30).fill('m=audio 0 RTP/AVP 8');
    expect(read('c=IN IP4 192.0.2.1', ...off, ...lines(MAX_RELAYED))).toHaveLength(30 + MAX_RELAYED);
    expect(refusal('c=IN IP4 192.0.2.1', ...lines(MAX_RELAYED + 1))).toBe(
      'the SDP has 17 streams to relay; at most 16 can be',
    );
  });
});

describe('refused, because the relay could not carry it, is', () => {
  const AUDIO = 'm=audio 4000 RTP/AVP 8';

  test.each([
    [
      ['m=video 0 RTP/AVP 96', AUDIO, 'c=IN IP4 phone.example.org'],
      'm= line 2: "phone.example.org" in its c= line must be an IP address',
    ],
    [
      ['c=IN IP4 phone.example.org', AUDIO],
      'm= line 1: "phone.example.org" in its c= line must be an IP address',
    ],
    [[AUDIO, 'c=IN IP6 fe80::1%eth0'], 'm= line 1: "fe80::1%eth0" in its c= line must be an IP address'],
    [[AUDIO, 'c=IN IP6 [2001:db8::1]'], 'm= line 1: "[2001:db8::1]" in its c= line must be an IP address'],
    [[AUDIO, 'c=IN IP4 192.0.2.256'], 'm= line 1: "192.0.2.256" in its c= line must be an IP address'],
    [[AUDIO, 'c=IN IP4 224.2.1.1'], 'm= line 1: 224.2.1.1 is a multicast address, which cannot be relayed'],
    [
      [AUDIO, 'c=IN IP4 239.255.255.255'],
      'm= line 1: 239.255.255.255 is a multicast address, which cannot be relayed',
    ],
    [[AUDIO, 'c=IN IP6 FF15::101'], 'm= line 1: FF15::101 is a multicast address, which cannot be relayed'],
    [
      [AUDIO, 'c=IN IP6 ::ffff:224.0.0.1'],
      'm= line 1: ::ffff:224.0.0.1 is a multicast address, which cannot be relayed',
    ],
    [
      [AUDIO, 'c=IN IP4 224.2.1.1/127'],
      'm= line 1: TTL and address count cannot be relayed: "c=IN IP4 224.2.1.1/127"',
    ],
    [
      [AUDIO, 'c=IN IP4 192.0.2.1/127/2'],
      'm= line 1: TTL and address count cannot be relayed: "c=IN IP4 192.0.2.1/127/2"',
    ],
    [
      [AUDIO, 'c=IN IP4 192.0.2.1', 'c=IN IP4 192.0.2.2'],
      'm= line 1: its c= lines name several addresses; only one can be relayed',
    ],
    [['c=IN IP4 192.0.2.1', AUDIO, 'c=192.0.2.2'], 'm= line 1: its c= line cannot be read: "c=192.0.2.2"'],
    [
      ['c=IN IP4 192.0.2.1', 'm=audio 4000/2 RTP/AVP 8'],
      'm= line 1: its port is "4000/2"; several ports in one m= line cannot be relayed',
    ],
    [
      ['c=IN IP4 192.0.2.1', 'm=audio 65536 RTP/AVP 8'],
      'm= line 1: its port is "65536"; it must be a number from 0 to 65535',
    ],
    [
      ['c=IN IP4 192.0.2.1', 'm=audio 4000x RTP/AVP 8'],
      'm= line 1: its port is "4000x"; it must be a number from 0 to 65535',
    ],
    [
      ['c=IN IP4 192.0.2.1', 'm=audio -1 RTP/AVP 8'],
      'm= line 1: its port is "-1"; it must be a number from 0 to 65535',
    ],
    [
      ['c=IN IP4 192.0.2.1', 'm=audio x RTP/AVP 8'],
      'm= line 1: its port is "x"; it must be a number from 0 to 65535',
    ],
    [['c=IN IP4 192.0.2.1', 'm=audio 4000'], 'm= line 1 is not "m=<media> <port> <transport> <formats>"'],
    [
      ['c=IN IP4 192.0.2.1', 'm= audio 4000 RTP/AVP 8'],
      'm= line 1 is not "m=<media> <port> <transport> <formats>"',
    ],
    [[AUDIO], 'm= line 1 has no c= line, and the session has none either'],
    [['c=IN IP4 192.0.2.1'], 'the SDP has no m= line, so there is nothing to relay'],
    [['c=IN IP4 192.0.2.1', AUDIO, 'v=0', 's=-', AUDIO], 'the body holds 2 SDPs ("v=" lines); send one'],
  ])('%p', (lines, reason) => {
    expect(refusal(...lines)).toBe(reason);
  });

  test('a body that does not start with v=', () => {
    expect(readStreams(`\r\n${sdpOf(AUDIO)}`)).toEqual(
      new Refusal('an SDP starts with "v=0", this body does not'),
    );
  });

  test('shown with at most 80 bytes of what the sender wrote', () => {
    const name = 'x'.repeat(200);
    expect(refusal(AUDIO, `c=IN IP4 ${name}`)).toBe(
      `m= line 1: "${'x'.repeat(80)}..." in its c= line must be an IP address`,
    );
  });
});

describe('ICE', () => {
  test.each(['a=ice-ufrag:F7gI', 'a=candidate:1 1 UDP 2130706431 192.0.2.10 4000 typ host'])(
    'is seen by %s, in the session or in a section',
    (line) => {
      expect(hasIce(sdpOf(line, 'm=audio 4000 RTP/AVP 8'))).toBe(true);
      expect(hasIce(sdpOf('m=audio 4000 RTP/AVP 8', line))).toBe(true);
    },
  );

  test.each(['a=ice-lite', 'a=X-candidate:1', 's=a=ice-ufrag:x'])('is not seen by %s alone', (line) => {
    expect(hasIce(sdpOf(line, 'm=audio 4000 RTP/AVP 8'))).toBe(false);
  });
});
