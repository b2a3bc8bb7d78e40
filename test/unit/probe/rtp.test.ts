import { describe, expect, test } from 'bun:test';
import { RtpStream, readRtp, Tally } from '../../../src/probe/rtp.ts';

describe('a stream of the probe', () => {
  const stream = new RtpStream(Buffer.from('0102030480050000fff0', 'hex'));
  const first = Buffer.from(stream.next(true));
  const second = Buffer.from(stream.next(false));

  test('is PCMU of 20 ms, silence, with the marker at its beginning alone', () => {
    expect(first.length).toBe(172);
    expect(first.subarray(0, 12).toString('hex')).toBe('80800005' + '0000fff0' + '01020304');
    expect(second.subarray(0, 12).toString('hex')).toBe('80000006' + '00010090' + '01020304');
    expect(new Set(first.subarray(12))).toEqual(new Set([0xff]));
  });

  test('begins at random, far from where its numbers begin anew', () => {
    const streams = Array.from({ length: 50 }, () => new RtpStream());
    expect(new Set(streams.map(({ ssrc }) => ssrc)).size).toBe(50);
    for (const { seq } of streams) expect(seq).toBeLessThan(0x8000);
  });

  test('is known by its source', () => {
    expect(readRtp(first)).toEqual({ ssrc: 0x01020304, seq: 5 });
    expect(readRtp(first.subarray(0, 11))).toBeUndefined();
    expect(readRtp(Buffer.alloc(12))).toBeUndefined();
  });
});

describe('a tally', () => {
  function tallied(...came: (readonly [seq: number, at: number])[]) {
    const tally = new Tally();
    for (let seq = 1; seq <= 4; seq++) tally.sent(seq, seq * 20);
    for (const [seq, at] of came) tally.came(seq, at);

    return tally;
  }

  test('counts what came and what did not, and half of the packets took less than its delay', () => {
    expect(tallied([1, 21], [2, 45], [4, 83]).passage).toEqual({
      sent: 4,
      received: 3,
      lossPercent: 25,
      delayMs: 3,
      reordered: 0,
      duplicates: 0,
    });
  });

  test('tells packets that came late from those that came twice', () => {
    expect(tallied([2, 41], [1, 42], [1, 43], [3, 61], [4, 81]).passage).toMatchObject({
      received: 4,
      lossPercent: 0,
      reordered: 1,
      duplicates: 1,
    });
  });

  test('passes over packets that were not counted when they were sent', () => {
    const tally = tallied([9, 99]);
    expect(tally.passage).toMatchObject({ received: 0, lossPercent: 100, delayMs: null });
    expect(tally.isWhole).toBe(false);
    expect(tallied([1, 1], [2, 2], [3, 3], [4, 4]).isWhole).toBe(true);
  });
});
