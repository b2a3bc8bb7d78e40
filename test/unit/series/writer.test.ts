import { describe, expect, test } from 'bun:test';
import { SampleWriter } from '../../../src/series/writer.ts';
import type { SampleRow } from '../../../src/store/sample-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';

const rows = (count: number, at = 1): SampleRow[] =>
  Array.from({ length: count }, (_, nodeId) => ({ nodeId, at, values: [] }));

function makeWriter() {
  const clock = new FakeClock();
  const disk = { works: true, slices: [] as number[] };
  const writeSamples = (slice: readonly SampleRow[]): boolean => {
    disk.slices.push(slice.length);

    return disk.works;
  };

  return { clock, disk, writer: new SampleWriter({ writeSamples }, clock) };
}

describe('samples on their way to the disk', () => {
  test('go 50 at a time, ten times a second, and no timer runs without any', async () => {
    const { clock, disk, writer } = makeWriter();
    expect(clock.timers).toBe(0);
    writer.add(rows(120));
    await clock.advance(99);
    expect(disk.slices).toEqual([]);
    await clock.advance(201);
    expect([disk.slices, writer.size, clock.timers]).toEqual([[50, 50, 20], 0, 0]);
    expect(writer.counters).toEqual({ written: 120, dropped: 0 });
  });

  test('that the disk does not take are dropped, and the next ones are tried', async () => {
    const { clock, disk, writer } = makeWriter();
    disk.works = false;
    writer.add(rows(60));
    await clock.advance(100);
    disk.works = true;
    await clock.advance(100);
    expect(writer.counters).toEqual({ written: 10, dropped: 50 });
  });

  test('wait in a bounded number', async () => {
    const { clock, writer } = makeWriter();
    writer.add(rows(15_000));
    writer.add(rows(15_000));
    expect([writer.size, writer.counters.dropped]).toEqual([20_000, 10_000]);
    await clock.advance(40_000);
    expect(writer.counters).toEqual({ written: 20_000, dropped: 10_000 });
  });

  test('are all written at a stop', () => {
    const { clock, disk, writer } = makeWriter();
    writer.add(rows(120));
    writer.stop();
    expect([disk.slices, writer.size, clock.timers]).toEqual([[120], 0, 0]);
    writer.stop();
    expect(disk.slices).toEqual([120]);
  });
});
