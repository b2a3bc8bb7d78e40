import { describe, expect, test } from 'bun:test';
import { CHECK_RETRANSMIT_MS, isCanary, newCanary } from '../../../src/relay/checks.ts';
import { wordDefect } from '../../../src/relay/rtpproxy/commands.ts';

describe('a canary', () => {
  test('has a Call-ID of its own, known for what it is', () => {
    const names = Array.from({ length: 1000 }, newCanary);
    expect(new Set(names).size).toBe(1000);
    for (const name of names) {
      expect(isCanary(name)).toBe(true);
      expect(name).toMatch(/^rtp-cluster-canary-[0-9a-f]{16}$/);
      expect(wordDefect('call-id', name)).toBeUndefined();
    }
  });

  test.each(['', 'c1@192.0.2.1', 'rtp-cluster', 'x-rtp-cluster-canary-0', 'RTP-CLUSTER-CANARY-0'])(
    'is not any other call: %j',
    (callId) => {
      expect(isCanary(callId)).toBe(false);
    },
  );
});

test('a check is sent often enough within its time for a path that loses every third datagram', () => {
  const sends = Math.floor(500 / CHECK_RETRANSMIT_MS);
  const lost = (1 - 0.7 * 0.7) ** sends;
  expect(lost).toBeLessThan(0.01);
});
