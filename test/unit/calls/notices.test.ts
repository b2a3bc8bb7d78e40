/** A relay says it ended a call: who is believed, and when. */

import { afterEach, describe, expect, test } from 'bun:test';
import type { Call } from '../../../src/domain/call.ts';
import { configureLog, flushLog } from '../../../src/util/log.ts';
import { type Cluster, makeCluster, makeNode } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { makeCall, makeLeg } from '../../fakes/store.ts';

const NOBODY: ReadonlySet<number> = new Set();

/** A live call of ours that node 0 has ended by itself unless told otherwise. */
function live({ calls, store, clock }: Cluster, callId: string, change: Partial<Call> = {}): Call {
  const call = makeCall(callId, {
    state: 'confirmed',
    updatedAt: clock.utc(),
    legs: [makeLeg(`${callId}-from`), makeLeg(`${callId}-to`, { side: 'outer' })],
    ...change,
  });
  calls.add(call);
  store.noteCall(call, { isNew: true });

  return call;
}

describe('a notice that names a call', () => {
  test('ends it at once, with an event, when its node does not have it any more', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1');
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(0);
    expect(call.endReason).toBe('media timeout');
    expect(cluster.asked()).toEqual(['0 query']);
    await cluster.events();
    const event = cluster.store.events.list(1000, null).find(({ kind }) => kind === 'call.timeout');
    expect(event).toMatchObject({ callId: 'c1', nodeId: 0, detail: { by: 'rtpengine' } });
    expect(cluster.notices.counters).toMatchObject({ heard: 1, ended: 1 });
  });

  test('ends nothing as long as its node has the call, whoever sent it', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1');
    cluster.relay(0).calls.add('c1');
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpengine');
    await cluster.clock.advance(5000);
    expect(call.state).toBe('confirmed');
    expect(cluster.notices.counters.refuted).toBe(1);
  });

  test('is ignored when it comes from another node than the one that has the call', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1', { nodeId: 1 });
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(5000);
    expect(call.state).toBe('confirmed');
    expect(cluster.asked()).toEqual([]);
    expect(cluster.notices.counters.misdirected).toBe(1);
  });

  test('counts when several nodes share the address it came from', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1', { nodeId: 1 });
    cluster.notices.hear({ callId: 'c1' }, new Set([0, 1]), 'rtpengine');
    await cluster.clock.advance(0);
    expect(call.state).toBe('ended');
  });

  test('of a call nobody knows is counted', async () => {
    const cluster = makeCluster();
    cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpengine');
    await cluster.clock.advance(0);
    expect(cluster.notices.counters.unknown).toBe(1);
  });

  test('waits for a request of the call that is under way', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1');
    const gate = Promise.withResolvers<{ result: string }>();
    cluster.relay(0).next('query', gate.promise);
    const query = cluster.requests.query('c1');
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(100);
    expect(call.state).toBe('confirmed');
    gate.resolve({ result: 'ok' });
    await query;
    await cluster.clock.advance(500);
    expect(call.endReason).toBe('media timeout');
  });

  test('ends nothing when its node does not answer: the usual checks find the call', async () => {
    const cluster = makeCluster();
    const call = live(cluster, 'c1');
    cluster.relay(0).always('query', fails('silent'));
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(10_000);
    expect(call.state).toBe('confirmed');
    expect(cluster.relay(0).queries.length).toBe(4);
  });

  test('many at once: 20 questions at a time', async () => {
    const cluster = makeCluster();
    const gates = Array.from({ length: 50 }, () => Promise.withResolvers<ReturnType<typeof fails>>());
    cluster.relay(0).next('query', ...gates.map(({ promise }) => promise));
    for (let i = 0; i < 50; i++) {
      live(cluster, `c${i}`);
      cluster.notices.hear({ callId: `c${i}` }, new Set([0]), 'rtpengine');
    }
    await cluster.clock.advance(0);
    expect(cluster.relay(0).queries.length).toBeWithin(1, 21);
    for (const { resolve } of gates) resolve(fails('unknown-call'));
    await cluster.clock.advance(100);
    expect(cluster.calls.size).toBe(0);
  });

  test('the call may be offered anew afterwards: it was nobody who hung up', async () => {
    const cluster = makeCluster();
    live(cluster, 'c1');
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(0);
    expect(cluster.ledger.wasHungUp('c1', 'A')).toBe(false);
  });
});

describe('a notice of an rtpproxy', () => {
  const nodes = [makeNode(0, { kind: 'rtpproxy' })];

  test('says in the event who it was', async () => {
    const cluster = makeCluster({ nodes });
    live(cluster, 'c1');
    cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpproxy');
    await cluster.clock.advance(0);
    await cluster.events();
    const event = cluster.store.events.list(1000, null).find(({ kind }) => kind === 'call.timeout');
    expect(event).toMatchObject({ callId: 'c1', nodeId: 0, detail: { by: 'rtpproxy' } });
  });

  test('about one stream ends nothing while another goes on; that about the last one ends the call', async () => {
    const cluster = makeCluster({ nodes });
    const call = live(cluster, 'c1', { sessions: 2 });
    cluster.relay(0).calls.add('c1');
    cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpproxy');
    await cluster.clock.advance(0);
    expect(call.state).toBe('confirmed');
    cluster.relay(0).calls.delete('c1');
    cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpproxy');
    await cluster.clock.advance(0);
    expect(call.endReason).toBe('media timeout');
    expect(cluster.notices.counters).toMatchObject({ refuted: 1, ended: 1 });
  });

  test('about each of many streams at once asks the node once', async () => {
    const cluster = makeCluster({ nodes });
    live(cluster, 'c1', { sessions: 3 });
    for (let n = 1; n <= 3; n++) cluster.notices.hear({ callId: 'c1' }, NOBODY, 'rtpproxy');
    await cluster.clock.advance(0);
    expect(cluster.asked()).toEqual(['0 query']);
  });
});

describe('a notice that names a tag', () => {
  test.each(['c7-from', 'c7-to'])('ends the call of the tag, be it %s', async (tag) => {
    const cluster = makeCluster();
    for (let i = 0; i < 20; i++) live(cluster, `c${i}`);
    cluster.notices.hear({ tag }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(0);
    expect(cluster.calls.getEnded('c7')?.endReason).toBe('media timeout');
    expect(cluster.calls.size).toBe(19);
    expect(cluster.relay(0).queries.length).toBe(1);
  });

  test('both of one call end it once', async () => {
    const cluster = makeCluster();
    live(cluster, 'c1');
    for (const tag of ['c1-from', 'c1-to']) cluster.notices.hear({ tag }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(0);
    const kinds = (await cluster.events()).filter((kind) => kind === 'call.timeout');
    expect(kinds.length).toBe(1);
  });

  test('leaves a call on another node alone that has the same tag', async () => {
    const cluster = makeCluster();
    const legs = [makeLeg('same')];
    const [here, there] = [live(cluster, 'here', { legs }), live(cluster, 'there', { legs, nodeId: 1 })];
    cluster.notices.hear({ tag: 'same' }, new Set([0]), 'rtpengine');
    await cluster.clock.advance(0);
    expect([here.state, there.state]).toEqual(['ended', 'confirmed']);
    expect(cluster.notices.counters.misdirected).toBe(0);
  });

  test('asks for each call that has the tag, and ends the one that is gone', async () => {
    const cluster = makeCluster();
    const legs = [makeLeg('same')];
    const [gone, lives] = [live(cluster, 'gone', { legs }), live(cluster, 'lives', { legs })];
    cluster.relay(0).calls.add('lives');
    cluster.notices.hear({ tag: 'same' }, NOBODY, 'rtpengine');
    await cluster.clock.advance(0);
    expect([gone.state, lives.state]).toEqual(['ended', 'confirmed']);
  });

  test('beyond 10,000 that wait they are dropped and counted', () => {
    const cluster = makeCluster();
    for (let i = 0; i <= 10_001; i++) cluster.notices.hear({ tag: `t${i}` }, NOBODY, 'rtpengine');
    expect(cluster.notices.counters.dropped).toBeGreaterThan(0);
  });
});

describe('complaints in the log', () => {
  afterEach(() => configureLog({ level: 'error', format: 'json', write: (_text, taken) => taken() }));

  /** From now on, the lines of one event, as objects. */
  function listen(event: string): () => Promise<Record<string, unknown>[]> {
    let written = '';
    configureLog({
      level: 'warning',
      format: 'json',
      write: (text, taken) => {
        written += text;
        taken();
      },
    });

    return async () => {
      await flushLog();

      return written
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
        .filter((line) => line.event === event);
    };
  }

  test('10,000 notices from the wrong node make one line a minute, which counts them', async () => {
    const cluster = makeCluster();
    live(cluster, 'c1', { nodeId: 1 });
    const linesOf = listen('notice.misdirected');
    const forge = (): void => cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    for (let i = 0; i < 10_000; i++) forge();
    expect(await linesOf()).toMatchObject([{ call_id: 'c1', node: 1, senders: [0], misdirected: 1 }]);
    await cluster.clock.advance(59_999);
    forge();
    expect(await linesOf()).toHaveLength(1);
    await cluster.clock.advance(1);
    forge();
    expect((await linesOf())[1]).toMatchObject({ heard: 10_002, misdirected: 10_002, refuted: 0 });
    expect(await linesOf()).toHaveLength(2);
  });

  test('10,000 notices of calls that live make one line, whatever the calls', async () => {
    const cluster = makeCluster({ maxCalls: 10_000 });
    const linesOf = listen('notice.refuted');
    for (let i = 0; i < 10_000; i++) {
      cluster.calls.add(makeCall(`c${i}`, { state: 'confirmed', updatedAt: cluster.clock.utc() }));
      cluster.relay(0).calls.add(`c${i}`);
      cluster.notices.hear({ callId: `c${i}` }, NOBODY, 'rtpengine');
    }
    while (cluster.notices.counters.refuted < 10_000) await cluster.clock.advance(1);
    expect(await linesOf()).toMatchObject([{ node: 0, finding: 'kept', heard: 10_000, refuted: 1 }]);
  });

  test('of one kind do not hush those of another', async () => {
    const cluster = makeCluster();
    live(cluster, 'c1', { nodeId: 1 });
    cluster.relay(1).calls.add('c1');
    const linesOf = listen('notice.refuted');
    cluster.notices.hear({ callId: 'c1' }, new Set([0]), 'rtpengine');
    cluster.notices.hear({ callId: 'c1' }, new Set([1]), 'rtpengine');
    await cluster.clock.advance(100);
    expect(await linesOf()).toMatchObject([{ call_id: 'c1', misdirected: 1, refuted: 1 }]);
  });

  test('are none about one stream of an rtpproxy: the others may go on', async () => {
    const cluster = makeCluster({ nodes: [makeNode(0, { kind: 'rtpproxy' })] });
    const linesOf = listen('notice.refuted');
    for (const sessions of [2, 1]) {
      live(cluster, `c${sessions}`, { sessions });
      cluster.relay(0).calls.add(`c${sessions}`);
      cluster.notices.hear({ callId: `c${sessions}` }, NOBODY, 'rtpproxy');
      await cluster.clock.advance(100);
    }
    expect(await linesOf()).toMatchObject([{ call_id: 'c1', refuted: 2 }]);
  });
});
