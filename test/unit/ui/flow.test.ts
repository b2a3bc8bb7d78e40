import { describe, expect, test } from 'bun:test';
import { partiesOf } from '../../../src/ui/page/calls/flow.ts';
import type { StatisticsResource, StreamResource } from '../../../src/ui/page/calls/resources.ts';
import { START, streamOf } from './explained.ts';

const reading = (at: number, ...streams: StreamResource[]): StatisticsResource => ({
  call_id: 'c1',
  node_id: 1,
  kind: 'rtpengine',
  at: START + at,
  final: false,
  streams,
  findings: [],
});
const statesOf = (now: StatisticsResource, before?: StatisticsResource) =>
  partiesOf(now, before, 'a', []).map(({ tag, state, packetsPerS }) => [tag, state, packetsPerS]);

describe('the flow of media', () => {
  test('has a rate from two readings', () => {
    const before = reading(0, streamOf('a', 100), streamOf('b', 0));
    const now = reading(2000, streamOf('a', 200), streamOf('b', 0));
    expect(statesOf(now, before)).toEqual([
      ['a', 'flowing', 50],
      ['b', 'none', 0],
    ]);
  });

  test('of a party whose packets stay the same has stopped', () => {
    const before = reading(0, streamOf('a', 100));
    expect(statesOf(reading(2000, streamOf('a', 100)), before)).toEqual([['a', 'stopped', 0]]);
  });

  test('has no rate after one reading, but packets or none', () => {
    expect(statesOf(reading(0, streamOf('a', 7), streamOf('b', 0), streamOf('c', null)))).toEqual([
      ['a', 'counted', null],
      ['b', 'none', null],
      ['c', 'unknown', null],
    ]);
  });

  test('has no rate between readings of nearly the same moment, nor when the relay counts anew', () => {
    expect(statesOf(reading(50, streamOf('a', 100)), reading(0, streamOf('a', 90)))).toEqual([
      ['a', 'counted', null],
    ]);
    expect(statesOf(reading(2000, streamOf('a', 5)), reading(0, streamOf('a', 90)))).toEqual([
      ['a', 'counted', null],
    ]);
  });

  test('puts the caller first, and takes the best of the streams of a party', () => {
    const before = reading(0, streamOf('b', 10), streamOf('a', 10), streamOf('a', 0, { index: 2 }));
    const now = reading(1000, streamOf('b', 10), streamOf('a', 60), streamOf('a', 0, { index: 2 }));
    const [first, second] = partiesOf(now, before, 'a', []);
    expect([first?.isCaller, first?.state, first?.packets, first?.streams.length]).toEqual([
      true,
      'flowing',
      60,
      2,
    ]);
    expect([second?.tag, second?.state]).toEqual(['b', 'stopped']);
  });

  test('is not due while a stream is on hold, nor from a branch that another one was taken for', () => {
    const leg = { tag: 'b', branch: '', side: 'outer', reader_side: 'inner', family: 'IP4', confirmed: true };
    const held = { code: 'held', level: 'info', tag: null, side: null, index: 1, text: '' } as const;
    const now = reading(
      0,
      streamOf('a', 0),
      streamOf('b', 0),
      streamOf('c', 0),
      streamOf('b', 0, { index: 2 }),
    );
    const dueOf = (reading: StatisticsResource, legs: readonly (typeof leg)[]) =>
      partiesOf(reading, undefined, 'a', legs).map(({ tag, isDue }) => [tag, isDue]);
    expect(dueOf(now, [])).toEqual([
      ['a', true],
      ['b', true],
      ['c', true],
    ]);
    expect(dueOf(now, [leg])).toEqual([
      ['a', true],
      ['b', true],
      ['c', false],
    ]);
    expect(dueOf({ ...now, findings: [held] }, [leg])).toEqual([
      ['a', false],
      ['b', true],
      ['c', false],
    ]);
  });

  test('knows the side of a party from the call if the relay does not tell', () => {
    const leg = { tag: 'a', branch: '', side: 'inner', reader_side: 'outer', family: 'IP4', confirmed: true };
    expect(partiesOf(reading(0, streamOf('a', 1)), undefined, 'a', [leg])[0]?.side).toBe('inner');
  });
});
