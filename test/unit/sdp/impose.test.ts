import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { type Imposition, impose, WrongAddress } from '../../../src/sdp/impose.ts';
import { outline } from '../../../src/sdp/outline.ts';
import { familyOf, isUnspecified, sameAddress } from '../../../src/util/ip.ts';

/** The node: an inner and an outer address in each family. The reader is outside. */
const OUTER4 = '203.0.113.21';
const OUTER6 = '2001:db8::21';
const INNER4 = '10.11.0.21';
const INNER6 = 'fd00::21';
const FOREIGN = '192.0.2.66';
const SENDER4 = '10.9.9.9';
const SENDER6 = 'fd00::99';

function wants(changes: Partial<Imposition> = {}): Imposition {
  return {
    address: OUTER4,
    family: 'IP4',
    readerSide: [OUTER4, OUTER6],
    own: [INNER4, INNER6, OUTER4, OUTER6],
    mayReplace: true,
    ...changes,
  };
}

interface Line {
  readonly text: string;
  readonly end: string;
}

function split(sdp: string): Line[] {
  return [...sdp.matchAll(/([^\n]*?)(\r?\n|$)/g)]
    .map(([, text = '', end = '']) => ({ text, end }))
    .filter(({ text, end }) => text !== '' || end !== '');
}

/** Addresses a line names, read without the code under test. */
function addressesIn(line: string): string[] {
  if (/^c=/.test(line)) return [/^c=\s*IN\s+IP[46]\s+([^\s/]+)/.exec(line)?.[1] ?? 'unreadable'];
  if (/^o=/.test(line)) return [line.split(/\s+/)[5] ?? 'unreadable'];
  if (/^a=rtcp:/.test(line)) {
    const address = /IN\s+IP[46]\s+(\S+)/.exec(line)?.[1];

    return address === undefined ? [] : [address];
  }
  if (/^a=candidate:/.test(line)) {
    const words = line.split(/\s+/);
    const related = words.findIndex((word) => word.toLowerCase() === 'raddr');

    return [words[4] ?? 'unreadable', ...(related === -1 ? [] : [words[related + 1] ?? 'unreadable'])];
  }

  return [];
}

/** Addresses that must not be in an SDP for this reader. */
function leaks(sdp: string, want: Imposition): string[] {
  return split(sdp).flatMap(({ text }) => {
    if (want.senderLines?.has(text) && !text.startsWith('o=')) return [];
    const isCandidate = text.startsWith('a=candidate:');
    const isOrigin = text.startsWith('o=');

    return addressesIn(text)
      .filter((address) => {
        if (sameAddress(address, want.address)) return false;
        if (isUnspecified(address) && !isOrigin && !isCandidate) return false;

        return !(isCandidate && !want.mayReplace && want.readerSide.some((own) => sameAddress(own, address)));
      })
      .map((address) => `${address} in ${text}`);
  });
}

/** Address that holds for each stream. */
function effective(sdp: string): { port: number; address: string | undefined }[] {
  let session: string | undefined;
  const media: { port: number; address: string | undefined }[] = [];
  for (const { text } of split(sdp)) {
    const section = media.at(-1);
    if (text.startsWith('m=')) media.push({ port: Number(text.split(' ')[1]), address: undefined });
    else if (text.startsWith('c=') && section === undefined) session ??= addressesIn(text)[0];
    else if (text.startsWith('c=') && section !== undefined) section.address ??= addressesIn(text)[0];
  }

  return media.map(({ port, address }) => ({ port, address: address ?? session }));
}

const family = (address: string) => familyOf(address) ?? 'IP4';

function arbitrarySdp(addresses: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const space = fc.constantFrom(' ', ' ', ' ', '  ', '\t');
  const connection = fc
    .tuple(addresses, space, fc.constantFrom('', '', '/127'), fc.constantFrom('', ' '))
    .map(([address, gap, ttl, lead]) => `c=${lead}IN${gap}${family(address)}${gap}${address}${ttl}`);
  const rtcp = fc
    .tuple(addresses, space)
    .map(([address, gap]) => `a=rtcp:4001${gap}IN${gap}${family(address)}${gap}${address}`);
  const candidate = fc
    .tuple(
      addresses,
      addresses,
      space,
      fc.constantFrom('host', 'srflx', 'relay'),
      fc.constantFrom('raddr', 'RADDR'),
    )
    .map(([address, related, gap, type, word]) => {
      const head = `a=candidate:1 1 UDP 2130706431${gap}${address} 4000 typ ${type}`;

      return type === 'host' ? head : `${head} ${word}${gap}${related} rport 4001 generation 0`;
    });
  const other = fc.constantFrom(
    'a=sendrecv',
    'a=rtcp:4001',
    'a=rtcp-mux',
    'a=rtcp-fb:* nack',
    'a=rtpmap:8 PCMA/8000',
    'b=AS:64',
    'a=ice-ufrag:F7gI',
    'a=setup:actpass',
    'a=candid',
    'k=clear:x',
    'x',
    '',
  );
  const port = fc.constantFrom(0, 9, 4000, 65_535);
  const section = fc
    .tuple(
      fc.constantFrom('audio', 'video', 'image'),
      port,
      fc.option(fc.constant('i=a stream')),
      fc.array(connection, { maxLength: 2 }),
      fc.array(fc.oneof(rtcp, candidate, other, other), { maxLength: 6 }),
    )
    .map(([kind, number, info, connections, rest]) => [
      `m=${kind} ${number} RTP/AVP 8`,
      ...(info === null ? [] : [info]),
      ...connections,
      ...rest,
    ]);

  return fc
    .tuple(
      addresses,
      fc.option(connection),
      fc.array(section, { maxLength: 4 }),
      fc.constantFrom('\r\n', '\n'),
      fc.boolean(),
    )
    .map(([origin, session, sections, end, isEnded]) => {
      const lines = [
        'v=0',
        `o=- 1 2 IN ${family(origin)} ${origin}`,
        's=a call',
        ...(session === null ? [] : [session]),
        't=0 0',
        ...sections.flat(),
      ];

      return lines.join(end) + (isEnded ? end : '');
    });
}

const anyAddress = fc.constantFrom(
  OUTER4,
  OUTER4,
  OUTER6,
  '2001:DB8:0:0::21',
  INNER4,
  INNER6,
  SENDER4,
  SENDER6,
  FOREIGN,
  '0.0.0.0',
  '::',
  'relay.example.org',
);
const sender = arbitrarySdp(fc.constantFrom(SENDER4, SENDER6, '0.0.0.0', '::'));
const want = fc
  .tuple(fc.boolean(), fc.boolean())
  .map(([mayReplace, isSix]) =>
    wants({ mayReplace, ...(isSix ? { address: OUTER6, family: 'IP6' as const } : {}) }),
  );
const RUNS = { numRuns: 3000 };

function linesOf(sdp: string): ReadonlySet<string> {
  return new Set(split(sdp).map(({ text }) => text));
}

describe('for any SDP, any relay answer and either impose mode', () => {
  test('no address but the wanted one leaves us, or there is no SDP', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const result = impose(returned, outline(sent), wanted);
        if (!(result instanceof WrongAddress)) expect(leaks(result, wanted)).toEqual([]);
      }),
      RUNS,
    );
  });

  test('with ICE=force-relay only whole lines of the sender stay besides', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const keeps = { ...wanted, senderLines: linesOf(sent) };
        const result = impose(returned, outline(sent), keeps);
        if (!(result instanceof WrongAddress)) expect(leaks(result, keeps)).toEqual([]);
      }),
      RUNS,
    );
  });

  test('every stream that is on has the wanted address or is held', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const result = impose(returned, outline(sent), wanted);
        if (result instanceof WrongAddress) return;
        for (const { port, address = 'none' } of effective(result)) {
          if (port !== 0) expect(isUnspecified(address) || sameAddress(address, wanted.address)).toBe(true);
        }
      }),
      RUNS,
    );
  });

  test('a stream the sender holds by its address stays held, one that nobody holds is not', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const result = impose(returned, outline(sent), wanted);
        if (result instanceof WrongAddress) return;
        const before = effective(sent);
        const got = effective(returned);
        for (const [index, { port, address = 'none' }] of effective(result).entries()) {
          const isHeld =
            index < before.length &&
            // Port 9 with no address is trickle ICE, not hold.
            [before[index], got[index]].some(
              (each) => each?.address !== undefined && each.port !== 9 && isUnspecified(each.address),
            );
          if (port !== 0) expect(isUnspecified(address)).toBe(isHeld);
        }
      }),
      RUNS,
    );
  });

  test('lines that name no address are there byte for byte, and in order', () => {
    const isPlain = ({ text }: Line) => !/^[co]=|^a=candidate:/.test(text) && addressesIn(text).length === 0;
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const result = impose(returned, outline(sent), wanted);
        if (result instanceof WrongAddress) return;
        const input = split(returned);
        const plain = input.filter(isPlain);
        const kept = split(result).filter(isPlain);
        expect(kept.map(({ text }) => text)).toEqual(plain.map(({ text }) => text));
        const ends = (lines: Line[]) => lines.slice(0, -1).map(({ end }) => end);
        expect(ends(kept)).toEqual(ends(plain));
      }),
      RUNS,
    );
  });

  test('what was imposed once stays as it is', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const once = impose(returned, outline(sent), wanted);
        if (!(once instanceof WrongAddress)) expect(impose(once, outline(sent), wanted)).toBe(once);
      }),
      RUNS,
    );
  });

  test('a relay that shows only addresses we can account for is never refused', () => {
    const accountable = arbitrarySdp(fc.constantFrom(OUTER4, INNER4, INNER6, '0.0.0.0', '::'));
    fc.assert(
      fc.property(sender, accountable, (sent, returned) => {
        fc.pre(effective(returned).every(({ port, address }) => port === 0 || address !== undefined));
        expect(impose(returned, outline(sent), wants())).toBeString();
      }),
      RUNS,
    );
  });

  test('a stream that is on and names a foreign address is always refused', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        const isForeign = effective(returned).some(
          ({ port, address }) =>
            port !== 0 && [FOREIGN, SENDER4, 'relay.example.org'].includes(address ?? ''),
        );
        fc.pre(isForeign);
        expect(impose(returned, outline(sent), wanted)).toBeInstanceOf(WrongAddress);
      }),
      RUNS,
    );
  });

  test('a stream that is on and has no address at all is always refused', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), want, (sent, returned, wanted) => {
        fc.pre(effective(returned).some(({ port, address }) => port !== 0 && address === undefined));
        expect(impose(returned, outline(sent), wanted)).toBeInstanceOf(WrongAddress);
      }),
      RUNS,
    );
  });

  test('where addresses have sockets of their own, another one of the node is refused too', () => {
    fc.assert(
      fc.property(sender, arbitrarySdp(anyAddress), (sent, returned) => {
        fc.pre(effective(returned).some(({ port, address }) => port !== 0 && address === INNER4));
        expect(impose(returned, outline(sent), wants({ mayReplace: false }))).toBeInstanceOf(WrongAddress);
      }),
      RUNS,
    );
  });
});

describe('by example', () => {
  const sent = outline(
    `v=0\r\no=- 1 1 IN IP4 ${SENDER4}\r\ns=-\r\nc=IN IP4 ${SENDER4}\r\nt=0 0\r\nm=audio 4 RTP/AVP 8\r\n`,
  );
  const body = (...lines: string[]) =>
    [
      'v=0',
      `o=- 1 1 IN IP4 ${OUTER4}`,
      's=-',
      't=0 0',
      'm=audio 4 RTP/AVP 8',
      `c=IN IP4 ${OUTER4}`,
      ...lines,
      '',
    ].join('\r\n');

  test('the wrong line and address are named', () => {
    const returned = body().replace(`c=IN IP4 ${OUTER4}`, `c=IN IP4 ${FOREIGN}`);
    expect(impose(returned, sent, wants())).toEqual(new WrongAddress(`c=IN IP4 ${FOREIGN}`, FOREIGN));
  });

  test('the private o= and session c= that 10.5 and 13.1 leave are replaced', () => {
    const returned = `v=0\r\no=- 1 1 IN IP4 ${INNER4}\r\ns=-\r\nc=IN IP4 ${SENDER4}\r\nt=0 0\r\nm=audio 4 RTP/AVP 8\r\nc=IN IP4 ${OUTER4}\r\n`;
    expect(impose(returned, sent, wants())).toBe(
      `v=0\r\no=- 1 1 IN IP4 ${OUTER4}\r\ns=-\r\nc=IN IP4 ${OUTER4}\r\nt=0 0\r\nm=audio 4 RTP/AVP 8\r\nc=IN IP4 ${OUTER4}\r\n`,
    );
  });

  test('a candidate of the wrong side is set right, its raddr too; a foreign one is taken out', () => {
    const returned = body(
      `a=candidate:1 1 UDP 99 ${INNER4} 4000 typ relay raddr ${INNER4} rport 4000`,
      `a=candidate:2 1 UDP 98 ${SENDER4} 4000 typ host`,
    );
    expect(impose(returned, sent, wants())).toBe(
      body(`a=candidate:1 1 UDP 99 ${OUTER4} 4000 typ relay raddr ${OUTER4} rport 4000`),
    );
  });

  test('where addresses have sockets of their own, candidates of both families of the side stay', () => {
    const lines = [
      `a=candidate:1 1 UDP 99 ${OUTER6} 4000 typ host`,
      `a=candidate:2 1 UDP 98 ${OUTER4} 4002 typ host`,
    ];
    const returned = body(...lines, `a=candidate:3 1 UDP 97 ${INNER4} 4004 typ host`);
    expect(impose(returned, sent, wants({ mayReplace: false }))).toBe(body(...lines));
  });

  test('an a=rtcp address is checked like a c= address', () => {
    expect(impose(body(`a=rtcp:5 IN IP4 ${INNER4}`), sent, wants())).toBe(body(`a=rtcp:5 IN IP4 ${OUTER4}`));
    expect(impose(body(`a=rtcp:5 IN IP4 ${FOREIGN}`), sent, wants())).toBeInstanceOf(WrongAddress);
    expect(impose(body('a=rtcp:9 IN IP4 0.0.0.0'), sent, wants())).toBe(body('a=rtcp:9 IN IP4 0.0.0.0'));
  });

  test('a stream that is off is set without complaint', () => {
    const returned = body()
      .replace('m=audio 4 ', 'm=audio 0 ')
      .replace(`c=IN IP4 ${OUTER4}`, `c=IN IP4 ${FOREIGN}`);
    expect(impose(returned, sent, wants())).toBe(body().replace('m=audio 4 ', 'm=audio 0 '));
  });

  test('the held one of two streams that share the session address gets a c= line of its own', () => {
    const two = outline(
      'm=audio 4 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\nm=video 6 RTP/AVP 96\r\nc=IN IP4 10.9.9.9\r\n',
    );
    const returned = `v=0\r\nc=IN IP4 ${OUTER4}\r\nm=audio 4 RTP/AVP 8\r\ni=voice\r\na=x\r\nm=video 6 RTP/AVP 96\r\n`;
    expect(impose(returned, two, wants())).toBe(
      `v=0\r\nc=IN IP4 ${OUTER4}\r\nm=audio 4 RTP/AVP 8\r\ni=voice\r\nc=IN IP4 0.0.0.0\r\na=x\r\nm=video 6 RTP/AVP 96\r\n`,
    );
    const last = outline(
      'm=video 6 RTP/AVP 96\r\nc=IN IP4 10.9.9.9\r\nm=audio 4 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n',
    );
    expect(impose(`c=IN IP4 ${OUTER4}\r\nm=video 6 RTP/AVP 96\r\nm=audio 4 RTP/AVP 8`, last, wants())).toBe(
      `c=IN IP4 ${OUTER4}\r\nm=video 6 RTP/AVP 96\r\nm=audio 4 RTP/AVP 8\r\nc=IN IP4 0.0.0.0\r\n`,
    );
  });
});

interface Recorded {
  readonly name: string;
  readonly request: Readonly<Record<string, unknown>>;
  readonly sdp: string;
}

const FIXTURES = new URL('../../fixtures/ng/', import.meta.url).pathname;

/** Every recorded offer and answer that brought an SDP back. */
function recorded(pattern: RegExp): Recorded[] {
  return readdirSync(FIXTURES, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name) && name.endsWith('.json') && !name.endsWith('index.json'))
    .sort()
    .flatMap((name) => {
      const { request, response } = JSON.parse(readFileSync(FIXTURES + name, 'utf8'));
      const sdp: unknown = response?.payload?.sdp;

      return typeof sdp === 'string' && sdp !== '' && typeof request?.payload?.sdp === 'string'
        ? [{ name, request: request.payload, sdp }]
        : [];
    });
}

/** Addresses of the recorded daemons: bound, advertised, and other interfaces of the same daemon. */
const DAEMON = ['10.11.0.21', '10.11.0.22', '203.0.113.21', '203.0.113.22', '2001:db8:11::21', 'fd11::21'];

describe('what real rtpengines of five versions returned', () => {
  const all = recorded(/^(mediaaddr|iface-|webrtc|versions\/)/).map((each) => {
    const asked = each.request['media-address'] ?? each.request['media address'];
    const text = typeof asked === 'string' ? asked.replace(/^\[(.*)\]$/, '$1') : '';
    const isAsked = familyOf(text) !== undefined && !isUnspecified(text);

    return { ...each, address: isAsked ? text : '203.0.113.21', isAsked };
  });

  test('is there to be replayed, from all five versions', () => {
    const versions = new Set(all.flatMap(({ name }) => /^versions\/([^/]+)/.exec(name)?.[1] ?? []));
    expect([...versions]).toHaveLength(5);
    expect(all.length).toBeGreaterThan(60);
    expect(all.filter(({ isAsked }) => isAsked).length).toBeGreaterThan(25);
  });

  test.each(all.filter(({ isAsked }) => isAsked))(
    '$name shows the media-address asked for and nothing else',
    (each) => {
      const { request, sdp, address } = each;
      const sent = String(request.sdp);
      const keepsSender = /^force[-_]relay$/.test(String(request.ICE ?? ''));
      const imposition = wants({
        address,
        family: family(address),
        readerSide: [address],
        own: [...DAEMON, address],
        ...(keepsSender ? { senderLines: linesOf(sent) } : {}),
      });
      const result = impose(sdp, outline(sent), imposition);
      expect(result).toBeString();
      if (result instanceof WrongAddress) return;
      expect(leaks(result, imposition)).toEqual([]);
      expect(effective(result).map(({ port }) => port)).toEqual(effective(sdp).map(({ port }) => port));
    },
  );

  test.each(all.filter(({ isAsked }) => !isAsked))(
    '$name, made without a media-address, is set right or refused',
    ({ request, sdp, address }) => {
      const imposition = wants({ address, readerSide: [address], own: [...DAEMON, address] });
      const result = impose(sdp, outline(String(request.sdp)), imposition);
      if (!(result instanceof WrongAddress)) expect(leaks(result, imposition)).toEqual([]);
      else expect(result.address).not.toBe(address);
    },
  );
});

describe('by example, beyond c= and candidates', () => {
  const want = {
    address: '203.0.113.21',
    family: 'IP4',
    readerSide: ['203.0.113.21'],
    own: ['10.11.0.21', '203.0.113.21'],
    mayReplace: true,
  } as const;
  const offer = (...lines: string[]): string =>
    [
      'v=0',
      'o=- 1 1 IN IP4 10.9.0.1',
      's=-',
      'c=IN IP4 10.9.0.1',
      't=0 0',
      'm=audio 4000 RTP/AVP 8',
      ...lines,
      '',
    ].join('\r\n');
  const anchoredBy = (sent: string): string =>
    sent.replace('c=IN IP4 10.9.0.1', 'c=IN IP4 203.0.113.21').replace('m=audio 4000', 'm=audio 30000');

  test.each([
    'a=altc:1 IP4 10.9.0.1 4000',
    'a=source-filter: incl IN IP4 * 192.0.2.9',
    'a=remote-candidates:1 192.0.2.9 5000',
    'a=X-nat:10.9.0.1 Full-Cone',
  ])('%s would lead past the relay or show the sender, and is left out', (line) => {
    const sent = offer(line, 'a=sendrecv');
    const result = impose(anchoredBy(sent), outline(sent), want);
    expect(result).not.toContain(line);
    expect(result).toContain('a=sendrecv');
  });

  test('a number that only looks like a part of the sender address stays', () => {
    const sent = offer('a=fmtp:8 version=10.9.0.12');
    expect(impose(anchoredBy(sent), outline(sent), want)).toContain('a=fmtp:8 version=10.9.0.12');
  });

  test('a=rtcp with a space before the port is set too', () => {
    const sent = offer('a=rtcp: 4001 IN IP4 10.11.0.21');
    expect(impose(anchoredBy(sent), outline(sent), want)).toContain('a=rtcp: 4001 IN IP4 203.0.113.21');
  });

  test.each([
    ['port 9', 'm=audio 9 UDP/TLS/RTP/SAVPF 8', 'a=sendrecv'],
    ['ice-options:trickle', 'm=audio 4000 UDP/TLS/RTP/SAVPF 8', 'a=ice-options:trickle'],
  ])('0.0.0.0 with %s is trickle ICE, not hold: the reader gets the relay', (_, media, line) => {
    const sent = [
      'v=0',
      'o=- 1 1 IN IP4 127.0.0.1',
      's=-',
      't=0 0',
      media,
      'c=IN IP4 0.0.0.0',
      line,
      '',
    ].join('\r\n');
    const returned = sent.replace('0.0.0.0', '203.0.113.21').replace(/m=audio \d+/, 'm=audio 30000');
    expect(impose(returned, outline(sent), want)).toContain('c=IN IP4 203.0.113.21');
  });
});

describe('streams that no UDP relay carries', () => {
  const leaves = wants({ leavesOtherTransports: true });
  const audio = ['m=audio 30000 RTP/AVP 8', `c=IN IP4 ${OUTER4}`];
  const chat = [
    'm=message 7654 TCP/MSRP *',
    `c=IN IP4 ${SENDER4}`,
    `a=path:msrp://${SENDER4}:7654/s;tcp`,
    `a=candidate:1 1 TCP 99 ${SENDER4} 9 typ host tcptype active`,
    `a=rtcp:5 IN IP4 ${SENDER4}`,
    `a=source-filter: incl IN IP4 * ${FOREIGN}`,
  ];
  const body = (...lines: string[]) => ['v=0', `o=- 1 1 IN IP4 ${OUTER4}`, 's=-', ...lines, ''].join('\r\n');
  const sent = outline(body('m=audio 4 RTP/AVP 8', `c=IN IP4 ${SENDER4}`, ...chat));

  test('are refused with their sender’s address where the relay says what it makes of them', () => {
    expect(impose(body(...audio, ...chat), sent, wants())).toEqual(
      new WrongAddress(`c=IN IP4 ${SENDER4}`, SENDER4),
    );
  });

  test('keep every line where they are left, and the lines around them are looked at as ever', () => {
    const returned = body(...chat, ...audio, `a=X-nat:${SENDER4}`, `a=rtcp:5 IN IP4 ${INNER4}`);
    expect(impose(returned, sent, leaves)).toBe(body(...chat, ...audio, `a=rtcp:5 IN IP4 ${OUTER4}`));
  });

  test('are not taken for an excuse by streams over UDP', () => {
    const returned = body(...chat, 'm=audio 30000 RTP/AVP 8', `c=IN IP4 ${SENDER4}`);
    expect(impose(returned, sent, leaves)).toEqual(new WrongAddress(`c=IN IP4 ${SENDER4}`, SENDER4));
  });

  test('keep the session’s address if they alone use it', () => {
    const session = `c=IN IP4 ${SENDER4}`;
    const returned = body(session, 'm=message 7654 TCP/MSRP *', ...audio, 'm=video 0 RTP/AVP 96');
    expect(impose(returned, sent, leaves)).toBe(returned);
  });

  test('do not keep the session’s address if others use it, too', () => {
    const returned = body(`c=IN IP4 ${SENDER4}`, 'm=message 7654 TCP/MSRP *', 'm=audio 30000 RTP/AVP 8');
    expect(impose(returned, sent, leaves)).toBeInstanceOf(WrongAddress);
  });

  test('do not keep anything once they are off', () => {
    const returned = body(...audio, 'm=message 0 TCP/MSRP *', `c=IN IP4 ${SENDER4}`);
    expect(impose(returned, sent, leaves)).toBe(
      body(...audio, 'm=message 0 TCP/MSRP *', `c=IN IP4 ${OUTER4}`),
    );
  });

  test('are never held by us', () => {
    const held = outline(body('m=message 7654 TCP/MSRP *', 'c=IN IP4 0.0.0.0', ...audio));
    const returned = body(`c=IN IP4 ${SENDER4}`, 'm=message 7654 TCP/MSRP *', ...audio);
    expect(impose(returned, held, leaves)).toBe(returned);
  });
});
