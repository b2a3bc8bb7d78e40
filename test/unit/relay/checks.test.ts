import { describe, expect, test } from 'bun:test';
import {
  CHECK_RETRANSMIT_MS,
  isLeftBehind,
  isTestCall,
  newCanary,
  newProbe,
} from '../../../src/relay/checks.ts';
import { wordDefect } from '../../../src/relay/rtpproxy/commands.ts';

describe('a canary', () => {
  test('has a Call-ID of its own, known for what it is', () => {
    const names = Array.from({ length: 1000 }, newCanary);
    expect(new Set(names).size).toBe(1000);
    for (const name of names) {
      expect(isTestCall(name)).toBe(true);
      expect(name).toMatch(/^rtp-cluster-canary-[0-9a-f]{16}$/);
      expect(wordDefect('call-id', name)).toBeUndefined();
    }
  });

  test.each(['', 'c1@192.0.2.1', 'rtp-cluster', 'x-rtp-cluster-canary-0', 'RTP-CLUSTER-CANARY-0'])(
    'is not any other call: %j',
    (callId) => {
      expect(isTestCall(callId)).toBe(false);
    },
  );
});

describe('a probe', () => {
  const now = 1_800_000_000_000;

  test('has a Call-ID of its own, known for what it is', () => {
    const names = Array.from({ length: 1000 }, () => newProbe(now));
    expect(new Set(names).size).toBe(1000);
    for (const name of names) {
      expect(isTestCall(name)).toBe(true);
      expect(name).toMatch(/^rtp-cluster-probe-1800000000-[0-9a-f]{16}$/);
      expect(wordDefect('call-id', name)).toBeUndefined();
    }
  });

  test('is left behind after a minute, whatever became of the clock; a canary at once', () => {
    const name = newProbe(now);
    for (const then of [now, now + 60_000, now - 60_000]) expect(isLeftBehind(name, then)).toBe(false);
    for (const then of [now + 61_000, now - 61_000]) expect(isLeftBehind(name, then)).toBe(true);
    expect(isLeftBehind('rtp-cluster-probe-of-somebody', now)).toBe(true);
    expect(isLeftBehind(newCanary(), now)).toBe(true);
  });
});

test('a check is sent often enough within its time for a path that loses every third datagram', () => {
  const sends = Math.floor(500 / CHECK_RETRANSMIT_MS);
  const lost = (1 - 0.7 * 0.7) ** sends;
  expect(lost).toBeLessThan(0.01);
});
