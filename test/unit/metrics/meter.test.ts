import { describe, expect, test } from 'bun:test';
import { beginStep, type Step, type Try } from '../../../src/calls/step.ts';
import { Meter, OPERATIONS } from '../../../src/metrics/meter.ts';
import type { Decision } from '../../../src/placement/choose.ts';
import { failed, innerOf, makeCluster, phoneSdp, relayed, sip } from '../../fakes/cluster.ts';

const DECISION: Decision = {
  policy: 'least-load',
  isPanic: false,
  candidates: [],
  filtered: [],
  candidateCount: 1,
  filteredCount: 0,
};

function step(changes: Partial<Step> & { operation?: string; door?: 'http' | 'ng' } = {}): Step {
  const { operation = 'offer', door = 'http', ...rest } = changes;

  return Object.assign(beginStep(0, operation, null, door), { took_ms: 3 }, rest);
}

function attempt(node: number, result: Try['result']): Try {
  return { node, result, reason: '', took_ms: 1 };
}

describe('requests', () => {
  test('are counted by door, operation and outcome', () => {
    const meter = new Meter();
    meter.step(step(), null);
    meter.step(step(), null);
    meter.step(step({ door: 'ng' }), null);
    meter.step(step({ operation: 'delete', result: 'RTPC_CALL_UNKNOWN' }), null);
    expect(meter.outcomes()).toEqual([
      { labels: { door: 'http', operation: 'offer', outcome: 'ok' }, count: 2 },
      { labels: { door: 'ng', operation: 'offer', outcome: 'ok' }, count: 1 },
      { labels: { door: 'http', operation: 'delete', outcome: 'RTPC_CALL_UNKNOWN' }, count: 1 },
    ]);
    expect(meter.requests).toBe(4);
  });

  test('have failed if the cluster or a relay is to blame, not if the client asked for nonsense', () => {
    const meter = new Meter();
    for (const result of ['ok', 'RTPC_BAD_SDP', 'RTPC_CALL_UNKNOWN', 'RTPC_CALL_ANCHORED'] as const)
      meter.step(step({ result }), null);
    expect(meter.failed).toBe(0);
    for (const result of ['RTPC_NO_NODE', 'RTPC_RELAY_SILENT', 'RTPC_CALL_LOST', 'RTPC_BUSY'] as const)
      meter.step(step({ result }), null);
    expect(meter.failed).toBe(4);
  });

  test('whose operation nobody knows are all one', () => {
    const meter = new Meter();
    for (let index = 0; index < 1000; index++)
      meter.step(step({ operation: `x"}\n${index}`, door: 'ng' }), null);
    meter.step(step({ operation: '__proto__' }), null);
    expect(meter.outcomes().map(({ labels, count }) => [labels.operation, count])).toEqual([
      ['other', 1],
      ['other', 1000],
    ]);
    expect(meter.times().map(([operation]) => operation)).toEqual(['other']);
    expect(OPERATIONS).toContain('other');
  });

  test('leave their time in the bucket of their operation, and in those of all', () => {
    const meter = new Meter();
    meter.step(step({ took_ms: 3 }), null);
    meter.step(step({ took_ms: 3, operation: 'answer' }), null);
    meter.step(step({ took_ms: 60_000 }), null);
    const at = meter.bounds.indexOf(0.005);
    expect(meter.buckets[at]).toBe(2);
    expect(meter.buckets.at(-1)).toBe(1);
    const [[name, offers] = []] = meter.times();
    expect([name, offers?.total, offers?.sum]).toEqual(['offer', 2, 60.003]);
  });
});

describe('placements', () => {
  test('are offers that a node took which did not have the call', () => {
    const meter = new Meter();
    const placed = { decision: DECISION, node: 3 };
    meter.step(step({ ...placed }), null);
    meter.step(step({ ...placed, decision: { ...DECISION, policy: 'hash', isPanic: true } }), 1);
    // It stayed, or nobody took it, or there was nothing to decide.
    meter.step(step({ ...placed }), 3);
    meter.step(step({ ...placed, node: null, result: 'RTPC_NO_NODE' }), null);
    meter.step(step({ ...placed, node: 4, result: 'RTPC_RELAY_SILENT' }), null);
    meter.step(step({ node: 3 }), null);
    expect([meter.placed, meter.placedOn(3), meter.placedOn(4)]).toEqual([2, 2, 0]);
    expect(meter.placementsOn(3)).toEqual([
      { labels: 'hash', count: 1 },
      { labels: 'least-load', count: 1 },
    ]);
    expect(meter.counters.panicPlacements).toBe(1);
  });

  test('are remembered of so many nodes: fleets come and go', () => {
    const meter = new Meter();
    for (let node = 0; node <= 10_000; node++) meter.step(step({ decision: DECISION, node }), null);
    expect([meter.placedOn(0), meter.placedOn(1), meter.placedOn(10_000)]).toEqual([0, 1, 1]);
    expect(meter.placed).toBe(10_001);
  });
});

test('tries beyond the first are retries, each by what came of it', () => {
  const meter = new Meter();
  meter.step(step({ tries: [attempt(0, 'ok')] }), null);
  meter.step(step({ tries: [attempt(0, 'silent'), attempt(1, 'refused'), attempt(2, 'ok')] }), null);
  expect(Object.fromEntries(meter.tries())).toEqual({ ok: 2, silent: 1, refused: 1 });
  expect(Object.fromEntries(meter.retries())).toEqual({ refused: 1, ok: 1 });
  expect(meter.counters.retriedOffers).toBe(1);
});

describe('in the cluster', () => {
  test('a call leaves an offer, an answer and a delete, and one placement', async () => {
    const { requests, meter } = makeCluster();
    const offer = await requests.auto(sip({ method: 'INVITE' }, phoneSdp('10.9.9.9')));
    expect(relayed(offer).sdp).not.toContain(innerOf(0));
    await requests.auto(sip({ method: 'INVITE', status: 200, toTag: 'B', cseq: '1' }, phoneSdp('192.0.2.7')));
    await requests.auto(sip({ method: 'BYE', toTag: 'B', cseq: '2' }));
    expect(meter.outcomes().map(({ labels, count }) => [labels.operation, labels.outcome, count])).toEqual([
      ['offer', 'ok', 1],
      ['answer', 'ok', 1],
      ['delete', 'ok', 1],
    ]);
    expect([meter.placed, meter.placedOn(0)]).toEqual([1, 1]);
  });

  test('an offer that no node takes is a failed request and no placement', async () => {
    const { requests, meter } = makeCluster({ nodes: [] });
    failed(await requests.auto(sip({ method: 'INVITE' }, phoneSdp('10.9.9.9'))));
    expect([meter.requests, meter.failed, meter.placed]).toEqual([1, 1, 0]);
  });
});
