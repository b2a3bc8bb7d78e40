import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { impose, WrongAddress } from '../../../src/sdp/impose.ts';
import { outline } from '../../../src/sdp/outline.ts';
import { rewrite, type Shown } from '../../../src/sdp/rewrite.ts';
import { hasIce, Refusal, readStreams, type Stream } from '../../../src/sdp/streams.ts';

/** What holds for any SDP, checked with a reader of its own, line by line. */

const RELAY4 = '203.0.113.21';
const RELAY6 = '2001:db8:ffff::21';
const RUNS = { numRuns: 1000 };

const NULLS = ['0.0.0.0', '::', '0:0:0:0:0:0:0:0'];
const SENDERS = ['10.9.9.9', '192.0.2.10', '2001:DB8:0:0:0:0:0:A', 'fd00::99', 'fe80::99', '::ffff:10.9.9.9'];

const address = fc.constantFrom(...SENDERS, ...SENDERS, ...NULLS);
const family = (text: string) => (text.includes(':') ? 'IP6' : 'IP4');
const gap = fc.constantFrom(' ', ' ', ' ', '  ', '\t');

const connection = fc
  .tuple(address, gap)
  .map(([host, space]) => `c=IN${space}${family(host)}${space}${host}`);

/** Lines that name an address of the sender, or help to find another way. */
const touched = fc.oneof(
  fc
    .tuple(fc.constantFrom('4001', '4000', '9', '53020'), fc.option(address), gap)
    .map(([port, host, space]) =>
      host === null ? `a=rtcp:${port}` : `a=rtcp:${port}${space}IN ${family(host)} ${host}`,
    ),
  fc
    .tuple(address, address, fc.constantFrom('host', 'srflx'))
    .map(
      ([host, related, type]) => `a=candidate:1 1 UDP 99 ${host} 4000 typ ${type} raddr ${related} rport 1`,
    ),
  address.map((host) => `a=altc:1 ${family(host)} ${host} 4000`),
  address.map((host) => `a=alt:1 1 : x y ${host} 4000`),
  address.map((host) => `a=source-filter: incl IN ${family(host)} * ${host}`),
  address.map((host) => `a=remote-candidates:1 ${host} 4000`),
  fc.constantFrom(
    'a=ice-ufrag:F7gI',
    'a=ice-pwd:x9cml/YzichV2+XlhiMu8g',
    'a=ice-options:trickle',
    'a=ice-lite',
    'a=end-of-candidates',
    'a=bundle-only',
    'a=group:BUNDLE 0 1',
    'a=rtcp:x',
  ),
);

const plain = fc.constantFrom(
  'a=rtcp-mux',
  'a=rtcp-fb:* nack',
  'a=sendrecv',
  'a=inactive',
  'a=mid:0',
  'a=group:LS 0 1',
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WnD7c1ksDGs+dIefCEo8omPg4uO8DYIinNGL5yxQ',
  'a=fingerprint:sha-256 00:11',
  'a=setup:actpass',
  'a=T38FaxVersion:0',
  'a=nortpproxy:yes',
  'b=AS:64',
  'k=clear:x',
  'x',
  '',
  ' c=IN IP4 10.9.9.9 is no line of its own\xe9\xff',
);

const media = fc.constantFrom(
  'RTP/AVP 8 0 101',
  'RTP/SAVPF 96',
  'UDP/TLS/RTP/SAVPF 111',
  'udptl t38',
  'UDP/BFCP *',
  'udp 0',
  'TCP/MSRP *',
  'TCP/TLS/BFCP *',
  'sctp 0',
  'DCCP/RTP/AVP 8',
  'what/ever 1',
);

const section = fc
  .tuple(
    media,
    fc.constantFrom(0, 0, 9, 4000, 4000, 65_535),
    fc.constantFrom('', '', '/1'),
    fc.option(fc.constant('i=a stream')),
    fc.option(connection),
    fc.array(fc.oneof(touched, plain), { maxLength: 6 }),
  )
  .map(([transport, port, count, info, own, rest]) => [
    `m=audio ${port}${count} ${transport}`,
    ...(info === null ? [] : [info]),
    ...(own === null ? [] : [own]),
    ...rest,
  ]);

/** Any SDP with streams that can be relayed, or have no address at all. */
const anySdp = fc
  .tuple(
    address,
    fc.option(connection, { freq: 6 }),
    fc.array(fc.oneof(touched, plain), { maxLength: 3 }),
    fc.array(section, { minLength: 1, maxLength: 5 }),
    fc.constantFrom('\r\n', '\n'),
    fc.boolean(),
  )
  .map(([origin, session, rest, sections, end, isEnded]) => {
    const lines = [
      'v=0',
      `o=- 1 2 IN ${family(origin)} ${origin}`,
      's=a call',
      ...(session === null ? [] : [session]),
      't=0 0',
      ...rest,
      ...sections.flat(),
    ];

    return lines.join(end) + (isEnded ? end : '');
  });

interface Case {
  readonly sdp: string;
  readonly streams: readonly Stream[];
  readonly want: Shown;
}

/** An SDP that was read, and what its reader is to see. */
const anyCase = fc
  .tuple(anySdp, fc.boolean(), fc.boolean())
  .map(([sdp, isSix, isAnswer]): Case | undefined => {
    const streams = readStreams(sdp);
    if (streams instanceof Refusal) return undefined;
    const relayed = streams.filter(({ handling }) => handling === 'relay');
    // Where nothing is relayed nothing is rewritten, and the last look refuses an address at a place where none may be.
    if (relayed.length === 0 && sectionsOf(sdp)[0]?.some((line) => line.startsWith('a=rtcp:')))
      return undefined;

    return {
      sdp,
      streams,
      want: {
        ports: new Map(relayed.map(({ n }) => [n, 30_000 + 2 * n])),
        address: isSix ? RELAY6 : RELAY4,
        family: isSix ? 'IP6' : 'IP4',
        isAnswer,
      },
    };
  })
  .filter((made): made is Case => made !== undefined);

function forAny(check: (made: Case) => void): void {
  fc.assert(fc.property(anyCase, check), RUNS);
}

function imposed({ sdp, want }: Case): string | WrongAddress {
  return impose(rewrite(sdp, want), outline(sdp), {
    address: want.address,
    family: want.family,
    readerSide: [want.address],
    own: [want.address],
    mayReplace: true,
    leavesOtherTransports: true,
  });
}

/** Lines without their ends. */
function linesOf(sdp: string): string[] {
  const lines = sdp.split('\n').map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));

  return lines.at(-1) === '' ? lines.slice(0, -1) : lines;
}

/** The session's lines, then those of each m= section. */
function sectionsOf(sdp: string): string[][] {
  const sections: string[][] = [[]];
  for (const line of linesOf(sdp)) {
    if (line.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push(line);
  }

  return sections;
}

function addressOf(lines: readonly string[] = []): string | undefined {
  return lines.find((line) => line.startsWith('c='))?.split(/\s+/)[2];
}

const MAY_CHANGE =
  /^(?:[cm]=|a=(?:rtcp:|candidate:|altc:|alt:|source-filter:|remote-candidates:|ice-|end-of-candidates|bundle-only|group:BUNDLE))/;

describe('for any SDP that can be relayed', () => {
  test('no address of the sender is left in a relayed stream, and none that leads round the relay', () => {
    forAny(({ sdp, streams, want }) => {
      const [session = [], ...media] = sectionsOf(rewrite(sdp, want));
      for (const { n, handling } of streams) {
        const lines = media[n - 1] ?? [];
        if (handling !== 'relay') continue;
        const named = lines.filter((line) => MAY_CHANGE.test(line) && !line.startsWith('m='));
        for (const sender of SENDERS) expect(named.join('\n')).not.toContain(sender);
        expect(lines.join('\n')).not.toMatch(/^a=(?:candidate|alt|ice-|source-filter|remote-c|end-of)/m);
        expect([want.address, ...NULLS]).toContain(addressOf(lines) ?? addressOf(session) ?? 'none');
      }
      if (want.ports.size > 0)
        expect(session.join('\n')).not.toMatch(/^a=(?:candidate|alt|ice-|source-f|rtcp:)/m);
    });
  });

  test('each relayed stream has its own port and the relay’s address, or is held if its sender holds it', () => {
    forAny(({ sdp, streams, want }) => {
      const [session, ...media] = sectionsOf(rewrite(sdp, want));
      const nowhere = want.family === 'IP4' ? '0.0.0.0' : '::';
      for (const stream of streams) {
        if (stream.handling !== 'relay') continue;
        const lines = media[stream.n - 1] ?? [];
        expect(lines[0]?.split(' ')[1]?.split('/')[0]).toBe(String(30_000 + 2 * stream.n));
        expect(addressOf(lines) ?? addressOf(session)).toBe(stream.isHeld ? nowhere : want.address);
        const rtcp = lines
          .filter((line) => line.startsWith('a=rtcp:'))
          .map((line) => line.split(/[:\s]/)[1] ?? '');
        for (const port of rtcp)
          expect([1, 0].map((more) => String(30_000 + 2 * stream.n + more))).toContain(port);
      }
    });
  });

  test('m= lines keep their number, order and all but the port, and those that are off everything', () => {
    forAny(({ sdp, streams, want }) => {
      const before = linesOf(sdp).filter((line) => line.startsWith('m='));
      const after = linesOf(rewrite(sdp, want)).filter((line) => line.startsWith('m='));
      expect(after).toHaveLength(before.length);
      const withoutPort = (line: string) => line.replace(/ \d+/, '');
      expect(after.map(withoutPort)).toEqual(before.map(withoutPort));
      for (const { n, handling } of streams) {
        if (handling !== 'relay') expect(after[n - 1]).toBe(before[n - 1]);
      }
    });
  });

  test('streams which are not relayed keep every line and the address they had', () => {
    forAny(({ sdp, streams, want }) => {
      const before = sectionsOf(sdp);
      const after = sectionsOf(rewrite(sdp, want));
      for (const { n, handling } of streams) {
        const [old = [], made = []] = [before[n], after[n]];
        if (handling === 'off') {
          const isBundled = (line: string) => want.ports.size > 0 && /^a=(?:bundle-only|group:B)/.test(line);
          expect(made).toEqual(old.filter((line) => !isBundled(line)));
        }
        if (handling !== 'leave') continue;
        expect(addressOf(made) ?? addressOf(after[0])).toBe(addressOf(old) ?? addressOf(before[0]) ?? 'none');
        if (made.length > old.length) {
          const at = old.findIndex((line, index) => index > 0 && !line.startsWith('i='));
          expect(made.toSpliced(at === -1 ? old.length : at, 1)).toEqual(old);
        } else expect(made).toEqual(old);
      }
    });
  });

  test('all other lines stay byte for byte and in order', () => {
    forAny(({ sdp, want }) => {
      const others = (text: string) => linesOf(text).filter((line) => !MAY_CHANGE.test(line));
      expect(others(rewrite(sdp, want))).toEqual(others(sdp));
    });
  });

  test('the lines end as they did', () => {
    forAny(({ sdp, want }) => {
      const out = rewrite(sdp, want);
      const hasReturns = sdp.includes('\r\n');
      expect(out.includes('\r')).toBe(hasReturns);
      if (hasReturns) expect(out.replaceAll('\r\n', '')).not.toMatch(/[\r\n]/);
      if (sdp.endsWith('\n')) expect(out).toEndWith('\n');
    });
  });

  test('rewriting again with the same ports changes nothing', () => {
    forAny(({ sdp, want }) => {
      const once = rewrite(sdp, want);
      expect(rewrite(once, want)).toBe(once);
    });
  });

  test('what was rewritten can be read, with the relay’s ports and the streams in the same places', () => {
    forAny(({ sdp, streams, want }) => {
      const again = readStreams(rewrite(sdp, want));
      expect(again).not.toBeInstanceOf(Refusal);
      if (again instanceof Refusal) return;
      expect(again.map(({ n, handling }) => [n, handling])).toEqual(
        streams.map(({ n, handling }) => [n, handling]),
      );
      for (const stream of again) {
        if (stream.handling === 'relay') expect(stream.port).toBe(30_000 + 2 * stream.n);
      }
    });
  });

  test('the last look at it finds nothing wrong, and changes no relayed and no left stream', () => {
    forAny((made) => {
      const result = imposed(made);
      expect(result).toBeString();
      if (result instanceof WrongAddress) return;
      const before = sectionsOf(rewrite(made.sdp, made.want));
      const after = sectionsOf(result);
      // It may drop what names the sender, and sets addresses nobody uses.
      for (const { n, handling } of made.streams) {
        if (handling === 'leave') expect(after[n]).toEqual(before[n]);
        if (handling !== 'relay') continue;
        const isOdd = (line: string) => MAY_CHANGE.test(line) || !/[0-9a-f]:|\d\.\d/i.test(line);
        expect(after[n]?.filter(isOdd)).toEqual(before[n]?.filter(isOdd));
      }
    });
  });

  test('and is delivered, no stream that is relayed has the sender’s address', () => {
    forAny((made) => {
      const result = imposed(made);
      if (result instanceof WrongAddress) return;
      const [session = [], ...media] = sectionsOf(result);
      const isOnlyLeft = made.streams.some(
        ({ n, handling }) => handling === 'leave' && !addressOf(media[n - 1]),
      );
      const kept = session.filter((line) => !(isOnlyLeft && line.startsWith('c=')) && !line.startsWith(' '));
      const relayed = made.streams.flatMap(({ n, handling }) =>
        handling === 'relay' ? (media[n - 1] ?? []) : [],
      );
      const text = [...kept, ...relayed.filter((line) => !line.startsWith(' '))].join('\n');
      if (made.want.ports.size > 0) for (const sender of SENDERS) expect(text).not.toContain(sender);
    });
  });
});

describe('for any bytes', () => {
  const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
  const fragment = fc.constantFrom(
    'v=0',
    'v=',
    'm=',
    'm=audio',
    ' 4000',
    ' 0',
    ' 99999999999999999999',
    '/2',
    ' RTP/AVP',
    ' TCP/MSRP',
    ' 8',
    'c=',
    'c=IN IP4 ',
    'c=IN IP6 ',
    '192.0.2.1',
    '2001:db8::1',
    '::',
    '/127',
    '%eth0',
    'a=rtcp:',
    'a=candidate:',
    'a=ice-',
    'a=group:BUNDLE',
    'i=',
    'o=',
    '\r\n',
    '\r\n',
    '\n',
    '\r',
    ' ',
    '\t',
    '\0',
    '\xa0',
  );
  const text = fc
    .tuple(
      fc.constantFrom('', 'v=0\r\n', 'v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 8\r\n'),
      fc.array(fc.oneof({ weight: 4, arbitrary: fragment }, byte), { maxLength: 60 }),
    )
    .map(([start, parts]) => start + parts.join(''));
  const want: Shown = {
    ports: new Map([[1, 30_000]]),
    address: RELAY4,
    family: 'IP4',
    isAnswer: true,
  };

  test('nothing is thrown', () => {
    fc.assert(
      fc.property(text, (sdp) => {
        const streams = readStreams(sdp);
        if (streams instanceof Refusal) expect(streams.reason).not.toBe('');
        else expect(streams.length).toBeGreaterThan(0);
        expect(typeof hasIce(sdp)).toBe('boolean');
        expect(typeof rewrite(sdp, want)).toBe('string');
      }),
      { numRuns: 2000 },
    );
  });

  test('what is read has a port and an address that can go into a command', () => {
    fc.assert(
      fc.property(text, (sdp) => {
        const streams = readStreams(sdp);
        if (streams instanceof Refusal) return;
        for (const stream of streams) {
          if (stream.handling !== 'relay') continue;
          expect(stream.port >= 1 && stream.port <= 65_535).toBe(true);
          expect(stream.address).toMatch(/^[0-9a-fA-F.:]+$/);
          expect(stream.family).toBe(family(stream.address));
          expect(stream.formats.every((format) => format >= 0 && format <= 127)).toBe(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('what can be read can be delivered', () => {
    fc.assert(
      fc.property(text, (sdp) => {
        const streams = readStreams(sdp);
        if (streams instanceof Refusal) return;
        const ports = new Map(streams.map(({ n }) => [n, 30_000 + 2 * n]));
        expect(imposed({ sdp, streams, want: { ...want, ports } })).toBeString();
      }),
      { numRuns: 2000 },
    );
  });
});
