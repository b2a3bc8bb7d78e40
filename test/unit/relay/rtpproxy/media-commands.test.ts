import { describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../../src/relay/driver.ts';
import { mediaCommands } from '../../../../src/relay/rtpproxy/media-commands.ts';
import { writeMemo } from '../../../../src/relay/rtpproxy/sessions.ts';
import { failed } from './driving.ts';

const LEG = { branch: '', n: 1, opener: 'A', peer: 'B', openerPort: 30_000, peerPort: 30_002 };
const MEMO = writeMemo([LEG, { ...LEG, n: 2 }, { ...LEG, branch: 'z2', peer: 'b2' }]);

const commands = (message: NgDict, memo: string | null = MEMO) =>
  mediaCommands(message, { callId: 'c1', memo });

describe('recording', () => {
  test('is of the first stream of each dialog, both ways', () => {
    expect(commands({ command: 'start recording' })).toEqual([
      'R c1 A;1 B;1',
      'R c1 B;1 A;1',
      'R c1;z2 A;1 b2;1',
      'R c1;z2 b2;1 A;1',
    ]);
    expect(commands({ command: 'stop recording' })).toEqual([
      'N c1 A B',
      'N c1 B A',
      'N c1;z2 A b2',
      'N c1;z2 b2 A',
    ]);
  });

  test('is of the stream with the lowest number, whichever was opened first', () => {
    const memo = writeMemo([
      { ...LEG, n: 2 },
      { ...LEG, n: 1 },
    ]);
    expect(commands({ command: 'start recording' }, memo)).toEqual(['R c1 A;1 B;1', 'R c1 B;1 A;1']);
  });

  test('is of the offerer alone while nobody has answered', () => {
    const memo = writeMemo([{ ...LEG, peer: '' }]);
    expect(commands({ command: 'start recording' }, memo)).toEqual(['R c1 A;1']);
    expect(commands({ command: 'stop recording' }, memo)).toEqual(['N c1 A']);
  });

  test('is told to both openers where each party has opened a stream', () => {
    const memo = writeMemo([LEG, { ...LEG, n: 2, opener: 'B', peer: 'A' }]);
    expect(commands({ command: 'start recording' }, memo)).toEqual([
      'R c1 A;1 B;1',
      'R c1 B;1 A;1',
      'R c1 B;2 A;2',
      'R c1 A;2 B;2',
    ]);
  });

  test('under a name of one’s own copies each way of each stream to its own file', () => {
    expect(commands({ command: 'start recording', 'output-destination': 'x' })).toEqual([
      'C c1 x.o A;1 B;1',
      'C c1 x.a B;1 A;1',
      'C c1 x-2.o A;2 B;2',
      'C c1 x-2.a B;2 A;2',
      'C c1;z2 x-1-2.o A;1 b2;1',
      'C c1;z2 x-1-2.a b2;1 A;1',
    ]);
  });

  test('to a port copies all packets there', () => {
    const memo = writeMemo([LEG, { ...LEG, n: 2 }]);
    expect(
      commands({ command: 'start recording', 'output-destination': 'udp:192.0.2.9:4000' }, memo),
    ).toEqual([
      'C c1 udp:192.0.2.9:4000 A;1 B;1',
      'C c1 udp:192.0.2.9:4000 B;1 A;1',
      'C c1 udp:192.0.2.9:4000 A;2 B;2',
      'C c1 udp:192.0.2.9:4000 B;2 A;2',
    ]);
  });

  test.each(['', '/rec/x y', '/rec/x\n', '&&'])('cannot go to %j', (target) => {
    expect(failed(commands({ command: 'start recording', 'output-destination': target }))).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('output-destination'),
    });
  });
});

describe('prompts', () => {
  const PLAY = { command: 'play media', file: '/prompts/hello' };

  test('are played in every stream, in the codecs of the session, once', () => {
    expect(commands(PLAY)).toEqual([
      'P1 c1 /prompts/hello session A;1 B;1',
      'P1 c1 /prompts/hello session A;2 B;2',
      'P1 c1;z2 /prompts/hello session A;1 b2;1',
    ]);
    expect(commands({ command: 'stop media' })).toEqual(['S c1 A;1 B;1', 'S c1 A;2 B;2', 'S c1;z2 A;1 b2;1']);
  });

  test('name the party first who is named', () => {
    expect(commands({ ...PLAY, 'from-tag': 'b2' })).toEqual(['P1 c1;z2 /prompts/hello session b2;1 A;1']);
    expect(commands({ command: 'stop media', 'from-tag': 'b2' })).toEqual(['S c1;z2 b2;1 A;1']);
    expect(commands({ ...PLAY, 'from-tag': 'A' })).toHaveLength(3);
  });

  test('name the opener alone while nobody has answered', () => {
    expect(commands(PLAY, writeMemo([{ ...LEG, peer: '' }]))).toEqual(['P1 c1 /prompts/hello session A;1']);
  });

  test.each([
    [undefined, 'P1 '],
    ['3', 'P3 '],
    [10_000, 'P10000 '],
  ])('are repeated %j times', (times, start) => {
    const [first = ''] = commands(
      times === undefined ? PLAY : { ...PLAY, 'repeat-times': times },
    ) as string[];
    expect(first).toStartWith(start);
  });

  test.each([0, -1, 1.5, 10_001, 'x', ''])('are not repeated %j times', (times) => {
    expect(failed(commands({ ...PLAY, 'repeat-times': times })).reason).toContain('repeat-times');
  });

  test('need a file of the relay’s host', () => {
    expect(failed(commands({ command: 'play media', blob: 'RIFF' })).reason).toContain('"file"');
    expect(failed(commands({ command: 'play media', file: 'a b' })).reason).toContain('file');
  });
});

describe('nothing is asked', () => {
  test('to write outside the directory of the daemon', () => {
    for (const target of ['../x', 'a/../../x', '..'])
      expect(failed(commands({ command: 'start recording', 'output-destination': target }))).toMatchObject({
        kind: 'rejected',
        reason: expect.stringContaining(target),
      });
    expect(commands({ command: 'start recording', 'output-destination': 'a..b' })).toHaveLength(6);
  });

  test('with a dictionary or list where a text belongs', () => {
    // Without a prototype, as all of them: they cannot become texts.
    const dict = Object.assign(Object.create(null), { a: 1 });
    for (const value of [dict, [dict], ['x'], 5]) {
      const record = commands({ command: 'start recording', 'output-destination': value });
      expect(failed(record).reason).toContain('output-destination');
      expect(failed(commands({ command: 'play media', file: value })).reason).toContain('"file"');
    }
    for (const value of [dict, [dict], [5]]) {
      const play = commands({ command: 'play media', file: 'x', 'repeat-times': value });
      expect(failed(play).reason).toContain('repeat-times');
    }
  });

  test('for a party who is not there', () => {
    for (const command of ['play media', 'stop media']) {
      expect(failed(commands({ command, file: 'x', 'from-tag': 'nobody' }))).toMatchObject({
        kind: 'rejected',
        reason: expect.stringContaining('nobody'),
      });
    }
  });

  test.each([null, '[]', 'garbage'])('where no stream is known: %j', (memo) => {
    for (const command of ['start recording', 'stop recording', 'play media', 'stop media', 'block media'])
      expect(failed(commands({ command }, memo)).kind).toBe('rejected');
  });

  test.each(['block media', 'block DTMF', 'subscribe request', 'start forwarding', 'play DTMF'])(
    'for %s, which it does not know',
    (command) => {
      expect(failed(commands({ command }))).toMatchObject({
        kind: 'rejected',
        reason: expect.stringContaining(`"${command}"`),
      });
    },
  );
});
