import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type FindingCode, findingsOf } from '../../../src/calls/findings.ts';
import type { Party } from '../../../src/calls/party.ts';
import type { CallStream } from '../../../src/relay/call-streams.ts';
import { type Mode, type Section, sends, wants } from '../../../src/sdp/sections.ts';

const NOW = 1_800_000_000_000;

function section(changes: Partial<Section> = {}): Section {
  const address = '203.0.113.9';

  return {
    media: 'audio',
    address,
    port: 4000,
    mode: 'sendrecv',
    hasIce: false,
    isBundled: false,
    ...changes,
  };
}

function party(changes: Partial<Party> = {}): Party {
  const told = [section({ address: '198.51.100.1', port: 30_000 })];
  const plain = { tag: 'A', side: 'inner', isCaller: true, isConfirmed: false };

  return { ...plain, said: [section()], told, changedAt: NOW - 60_000, ...changes };
}

const CALLER = party();
const CALLEE = party({ tag: 'B', side: 'outer', isCaller: false, isConfirmed: true });

function stream(tag: string, packets: number, changes: Partial<CallStream> = {}): CallStream {
  const unknown = { codec: null, local: null, remote: null, advertised: null, bytes: null, errors: null };
  const lastPacketAt = packets === 0 ? null : NOW - 1000;

  return { tag, index: 1, isRtcp: false, ...unknown, packets, lastPacketAt, heard: null, ...changes };
}

const codes = (parties: readonly Party[], streams: readonly CallStream[]): [FindingCode, string | null][] =>
  findingsOf(parties, streams, NOW).map(({ code, tag }) => [code, tag]);

describe('a call in which', () => {
  test('both are heard has nothing to tell', () => {
    expect(codes([CALLER, CALLEE], [stream('A', 100), stream('B', 90)])).toEqual([]);
  });

  test('nobody is heard: no packets, with all addresses', () => {
    const [finding, ...more] = findingsOf([CALLER, CALLEE], [stream('A', 0), stream('B', 0)], NOW);
    expect(finding).toMatchObject({ code: 'no-packets', level: 'problem', tag: null, side: null, index: 1 });
    expect(finding?.text).toContain('198.51.100.1:30000');
    expect(finding?.text).toContain('203.0.113.9:4000');
    expect(more).toEqual([]);
  });

  test.each([
    ['A', 'inner', [0, 90], 'The callee (side outer) hears nothing: no audio packets of the caller'],
    ['B', 'outer', [100, 0], 'The caller (side inner) hears nothing: no audio packets of the callee'],
  ] as const)('only %s is silent: one way, named by its side', (tag, side, [a, b], text) => {
    const found = findingsOf([CALLER, CALLEE], [stream('A', a), stream('B', b)], NOW);
    expect(found).toMatchObject([{ code: 'one-way', level: 'problem', tag, side, index: 1 }]);
    expect(found[0]?.text).toContain(text);
    expect(found[0]?.text).toContain('was told to send to 198.51.100.1:30000');
  });

  test('a party outside was told a private address: the text says so', () => {
    const told = [section({ address: '10.0.0.1', port: 30_000 })];
    const [finding] = findingsOf([CALLER, { ...CALLEE, told }], [stream('A', 5), stream('B', 0)], NOW);
    expect(finding?.text).toContain('10.0.0.1:30000, a private address,');
  });

  test('one was heard before: stopped, with how long ago', () => {
    const old = stream('B', 50, { lastPacketAt: NOW - 42_000 });
    const found = findingsOf([CALLER, CALLEE], [stream('A', 100), old], NOW);
    expect(found).toMatchObject([{ code: 'stopped', level: 'problem', tag: 'B', side: 'outer' }]);
    expect(found[0]?.text).toContain('42 s ago');
    expect(codes([CALLER, CALLEE], [stream('A', 1), stream('B', 1, { lastPacketAt: NOW - 9999 })])).toEqual(
      [],
    );
  });

  test('all packets are old: both have stopped, or the clock of the relay is slow, so it is a warning only', () => {
    const old = { lastPacketAt: NOW - 30_000 };
    const found = findingsOf([CALLER, CALLEE], [stream('A', 5, old), stream('B', 5, old)], NOW);
    expect(found).toMatchObject([
      { code: 'stopped', level: 'warning', tag: 'A', text: expect.stringContaining('clock') },
      { code: 'stopped', level: 'warning', tag: 'B', text: expect.stringContaining('clock') },
    ]);
    const alone = findingsOf([CALLER, CALLEE], [stream('A', 5, old), stream('B', 0)], NOW);
    expect(alone).toMatchObject([
      { code: 'one-way', level: 'problem', tag: 'B' },
      { code: 'stopped', level: 'warning', tag: 'A' },
    ]);
  });

  test('nobody has answered for good: it rings, and nobody is missed', () => {
    const early = { ...CALLEE, isConfirmed: false };
    for (const [a, b] of [
      [0, 0],
      [0, 90],
      [90, 0],
    ] as const)
      expect(codes([CALLER, early], [stream('A', a), stream('B', b)])).toEqual([['not-answered', null]]);
  });

  test('the answer may have been an early one: the text says so for as long as phones ring', () => {
    const text = (age: number) =>
      findingsOf([CALLER, { ...CALLEE, changedAt: NOW - age }], [stream('A', 0), stream('B', 9)], NOW)[0]
        ?.text;
    const caller = { ...CALLER, changedAt: NOW - 900_000 };
    expect(text(60_000)).toContain('If it still rings');
    const old = findingsOf(
      [caller, { ...CALLEE, changedAt: NOW - 180_000 }],
      [stream('A', 0), stream('B', 9)],
      NOW,
    );
    expect(old[0]?.text).toContain('a wrong direction of the call');
    expect(old[0]?.text).not.toContain('rings');
  });

  test('the relay does not tell when the last packet came: nothing is said of it', () => {
    const unknown = { lastPacketAt: null };
    expect(codes([CALLER, CALLEE], [stream('A', 5, unknown), stream('B', 5, unknown)])).toEqual([]);
  });

  test('the last SDP is less than 3 s old: too early, whatever the packets say', () => {
    const young = { ...CALLEE, changedAt: NOW - 2999 };
    expect(codes([CALLER, young], [stream('A', 0), stream('B', 9)])).toEqual([['too-early', null]]);
    expect(codes([CALLER, { ...CALLEE, changedAt: NOW - 3000 }], [stream('A', 0), stream('B', 9)])).toEqual([
      ['one-way', 'A'],
    ]);
  });

  test.each([
    ['nobody is known', []],
    ['only the caller has spoken', [CALLER]],
    ['an SDP is not known', [CALLER, { ...CALLEE, said: null }]],
  ])('%s: not answered', (_name, parties) => {
    expect(codes(parties, [stream('A', 0), stream('', 0)])).toEqual([['not-answered', null]]);
  });
});

describe('held streams are not one-way', () => {
  const modes: Mode[] = ['sendrecv', 'sendonly', 'recvonly', 'inactive', 'off'];
  const CASES = modes.flatMap((one) => modes.map((other) => [one, other] as const));

  test.each(CASES)('%s and %s', (one, other) => {
    const said = [section({ mode: one }), section({ mode: other })] as const;
    const parties = [
      { ...CALLER, said: [said[0]] },
      { ...CALLEE, said: [said[1]] },
    ];
    const isDue = [sends(said[0]) && wants(said[1]), sends(said[1]) && wants(said[0])];
    const isOff = one === 'off' || other === 'off';
    const silent = codes(parties, [stream('A', 0), stream('B', 0)]);
    if (isOff) expect(silent).toEqual([]);
    else if (isDue[0] && isDue[1]) expect(silent).toEqual([['no-packets', null]]);
    else if (isDue[0] || isDue[1]) expect(silent).toEqual([['held', isDue[0] ? 'A' : 'B']]);
    else expect(silent).toEqual([['held', null]]);
    // The party that sends nothing when none is due is blamed for nothing.
    const due = [stream('A', isDue[0] ? 9 : 0), stream('B', isDue[1] ? 9 : 0)];
    const told = codes(parties, due).filter(([code]) => code !== 'held');
    expect(told).toEqual([]);
  });

  test('nor are sections that are no audio or video, or that share the port of another', () => {
    const silent = [stream('A', 0), stream('B', 0)];
    for (const changes of [{ media: 'image' }, { media: 'application' }, { isBundled: true }]) {
      const said = [section(changes)];
      expect(
        codes(
          [
            { ...CALLER, said },
            { ...CALLEE, said },
          ],
          silent,
        ),
      ).toEqual([]);
    }
  });

  test('each m= line is judged by itself', () => {
    const said = [section(), section({ media: 'video', mode: 'sendonly' }), section({ media: 'video' })];
    const answered = [
      section(),
      section({ media: 'video', mode: 'recvonly' }),
      section({ media: 'video', mode: 'off' }),
    ];
    const streams = [
      stream('A', 5),
      stream('B', 5),
      stream('A', 0, { index: 2 }),
      stream('B', 0, { index: 2 }),
    ];
    const found = findingsOf(
      [
        { ...CALLER, said },
        { ...CALLEE, said: answered },
      ],
      streams,
      NOW,
    );
    expect(found.map(({ code, tag, index }) => [code, tag, index])).toEqual([['held', 'A', 2]]);
  });

  test('who holds and stops playing music is no problem: it is said that the other hears silence', () => {
    const parties = [
      { ...CALLER, said: [section({ mode: 'sendonly' })] },
      { ...CALLEE, said: [section({ mode: 'recvonly' })] },
    ];
    const found = (age: number) =>
      findingsOf(parties, [stream('A', 50, { lastPacketAt: NOW - age }), stream('B', 0)], NOW);
    expect(found(9999)).toEqual([]);
    expect(found(42_000)).toMatchObject([{ code: 'held', level: 'info', tag: 'A', side: 'inner', index: 1 }]);
    expect(found(42_000)[0]?.text).toContain('42 s ago');
  });

  test('a camera that is off is no problem either', () => {
    const said = [section({ media: 'video' })];
    const parties = [
      { ...CALLER, said },
      { ...CALLEE, said },
    ];
    for (const [a, b, code] of [
      [0, 0, 'no-packets'],
      [9, 0, 'one-way'],
    ] as const)
      expect(findingsOf(parties, [stream('A', a), stream('B', b)], NOW)).toMatchObject([
        { code, level: 'info', text: expect.stringContaining('sees') },
      ]);
  });
});

describe('forks', () => {
  const other = { ...CALLEE, tag: 'B2', isConfirmed: false, changedAt: NOW - 50_000 };

  test('of which one answered for good: the others are blamed for nothing', () => {
    expect(codes([CALLER, CALLEE, other], [stream('A', 9), stream('B', 9), stream('B2', 0)])).toEqual([]);
  });

  test('where the relay counts what the winner sends under another: he is heard', () => {
    expect(codes([CALLER, CALLEE, other], [stream('A', 9), stream('B', 0), stream('B2', 7)])).toEqual([]);
    expect(codes([CALLER, CALLEE], [stream('A', 9), stream('B', 0), stream('', 7)])).toEqual([]);
    expect(codes([CALLER, CALLEE], [stream('A', 9), stream('B', 0)])).toEqual([['one-way', 'B']]);
  });

  test('that still ring are blamed for nothing', () => {
    const early = { ...CALLEE, isConfirmed: false };
    expect(codes([CALLER, early, other], [stream('A', 9), stream('B', 3), stream('B2', 0)])).toEqual([
      ['not-answered', null],
    ]);
  });
});

describe('hints', () => {
  test('a party outside at a private address: a warning until it is heard, then only good to know', () => {
    for (const address of ['192.168.1.5', '10.1.1.1', '172.31.0.1', '100.64.3.3', 'fd00::1', '169.254.1.1']) {
      const callee = { ...CALLEE, said: [section({ address })] };
      const level = (packets: number) =>
        findingsOf([CALLER, callee], [stream('A', 9), stream('B', packets)], NOW).find(
          ({ code }) => code === 'private-address',
        )?.level;
      expect([address, level(0), level(3)]).toEqual([address, 'warning', 'info']);
    }
  });

  test('not of a party inside, of a public address, of a name, or of one with ICE', () => {
    const home = [section({ address: '192.168.1.5' })];
    const heard = [stream('A', 9), stream('B', 9)];
    expect(codes([{ ...CALLER, said: home }, CALLEE], heard)).toEqual([]);
    for (const changes of [
      { address: '192.0.2.1' },
      { address: 'x.local' },
      { address: '192.168.1.5', hasIce: true },
    ]) {
      expect(codes([CALLER, { ...CALLEE, said: [section(changes)] }], heard)).toEqual([]);
    }
  });

  test.each([
    [{ lossPercent: 3, jitterMs: 4, mos: 4.2 }, true],
    [{ lossPercent: 2, jitterMs: 400, mos: 3.5 }, false],
    [{ lossPercent: 0, jitterMs: 4, mos: 3.4 }, true],
    [{ lossPercent: null, jitterMs: null, mos: null }, false],
    [null, false],
  ])('a party that reports %j hears badly: %p', (heard, isLossy) => {
    const found = codes([CALLER, CALLEE], [stream('A', 9, { heard }), stream('B', 9)]);
    expect(found).toEqual(isLossy ? [['lossy', 'A']] : []);
  });

  test('packets that come and cannot be passed on', () => {
    expect(
      codes([CALLER, CALLEE], [stream('A', 100, { errors: 6 }), stream('B', 100, { errors: 5 })]),
    ).toEqual([['errors', 'A']]);
  });
});

describe('whatever parties and streams there are', () => {
  const modes = fc.constantFrom<Mode>('sendrecv', 'sendonly', 'recvonly', 'inactive', 'off');
  const sections = fc.option(
    fc.array(
      modes.map((mode) => section({ mode })),
      { maxLength: 3 },
    ),
    { nil: null },
  );
  const parties = fc.array(
    fc.record({
      tag: fc.constantFrom('A', 'B', 'C'),
      side: fc.constantFrom('inner', 'outer'),
      isCaller: fc.boolean(),
      isConfirmed: fc.boolean(),
      said: sections,
      told: sections,
      changedAt: fc.integer({ min: NOW - 20_000, max: NOW }),
    }),
    { maxLength: 4 },
  );
  const streams = fc.array(
    fc
      .tuple(
        fc.constantFrom('A', 'B', 'C', ''),
        fc.nat({ max: 3 }),
        fc.integer({ min: 1, max: 4 }),
        fc.boolean(),
        fc.nat(30_000),
      )
      .map(([tag, packets, index, isRtcp, age]) =>
        stream(tag, packets, { index, isRtcp, lastPacketAt: packets === 0 ? null : NOW - age }),
      ),
    { maxLength: 8 },
  );

  test('it never throws, never blames without a due packet missing, and every text is a sentence', () => {
    fc.assert(
      fc.property(parties, streams, (some, told) => {
        for (const { code, tag, index, text, level } of findingsOf(some, told, NOW)) {
          expect(text).toMatch(/^[A-Z].*\.$/s);
          expect(['problem', 'warning', 'info']).toContain(level);
          if (code !== 'one-way') continue;
          const line = told.filter((each) => each.index === index && !each.isRtcp);
          expect(line.filter((each) => each.tag === tag && each.packets > 0)).toEqual([]);
          expect(line.some((each) => each.packets > 0)).toBe(true);
          expect(some.some((each) => each.tag === tag)).toBe(true);
        }
      }),
    );
  });
});
