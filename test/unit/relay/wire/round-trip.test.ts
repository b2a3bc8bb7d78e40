import { describe, expect, test } from 'bun:test';
import { MIN_WAIT_MS, RoundTrip } from '../../../../src/relay/wire/round-trip.ts';

const TICK_MS = 10;

function measured(maxMs: number, ...samples: number[]): RoundTrip {
  const roundTrip = new RoundTrip(maxMs, TICK_MS);
  for (const ms of samples) roundTrip.measured(ms);

  return roundTrip;
}

describe('wait before the first retransmission', () => {
  test('is the longest one until something was measured', () => {
    const roundTrip = new RoundTrip(150, TICK_MS);
    expect([roundTrip.waitMs, roundTrip.smoothedMs]).toEqual([150, null]);
  });

  test('is three round trips after the first measure (RFC 6298 rule 2.2)', () => {
    const roundTrip = measured(1000, 100);
    expect([roundTrip.smoothedMs, roundTrip.waitMs]).toEqual([100, 300]);
  });

  test('follows average and variation after that (RFC 6298 rule 2.3)', () => {
    const roundTrip = measured(1000, 100, 140);
    // Variation 3/4 * 50 + 1/4 * 40 = 47.5, average 7/8 * 100 + 1/8 * 140 = 105.
    expect([roundTrip.smoothedMs, roundTrip.waitMs]).toEqual([105, 295]);
  });

  test('leaves one tick of the timer even where nothing varies', () => {
    expect(measured(1000, ...Array<number>(200).fill(80)).waitMs).toBeCloseTo(90, 3);
  });

  test('is never shorter than the least and never longer than the longest', () => {
    expect(measured(150, 0.2, 0.3).waitMs).toBe(MIN_WAIT_MS);
    expect(measured(150, 400).waitMs).toBe(150);
    expect(measured(30, 0.2, 400).waitMs).toBe(30);
  });

  test('doubles when it proves too short, up to the longest, until the next measure', () => {
    const roundTrip = measured(150, 0.2);
    const waits = [1, 2, 3].map(() => {
      roundTrip.tooShort();
      return roundTrip.waitMs;
    });
    expect(waits).toEqual([100, 150, 150]);
    roundTrip.measured(0.2);
    expect(roundTrip.waitMs).toBe(MIN_WAIT_MS);
  });
});
