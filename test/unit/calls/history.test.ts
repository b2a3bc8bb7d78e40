import { describe, expect, test } from 'bun:test';
import { History } from '../../../src/calls/history.ts';
import { beginStep } from '../../../src/calls/step.ts';
import type { NotedStep } from '../../../src/calls/step-rows.ts';
import { FakeClock } from '../../fakes/clock.ts';
import {
  type Cluster,
  failed,
  innerOf,
  makeCluster,
  makeNode,
  outerOf,
  phoneSdp,
  relayed,
  sip,
} from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';
import { fillDisk, flush, openStore } from '../../fakes/store.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9', 'IP4', 42_000);

/** The INVITE of a call, its 200 and its BYE, through the door of proxies. */
const INVITE = sip({ method: 'INVITE' }, CALLER);
const OK = sip({ method: 'INVITE', status: 200, toTag: 'B' }, CALLEE);
const BYE = sip({ method: 'BYE', toTag: 'B', cseq: '2' });

/** Rows in the table of steps. */
function rows({ open }: Pick<Cluster, 'open'>): number {
  const row = open.database.query<{ count: number }, []>('SELECT count(*) AS count FROM trace').get();

  return row?.count ?? -1;
}

function makeHistory() {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);

  return { clock, store, open, history: new History(store, clock) };
}

/** What one sees of steps at a glance. */
function glance(steps: readonly NotedStep[]) {
  return steps.map(({ operation, message, result, node, sides }) => ({
    operation,
    message,
    result,
    node,
    sides,
  }));
}

describe('what is noted of a call', () => {
  test('is a step for each request, with the SIP message behind it', async () => {
    const cluster = makeCluster();
    for (const request of [INVITE, OK, BYE]) await cluster.requests.auto(request);
    expect(glance(cluster.history.of('c1').steps)).toEqual([
      { operation: 'offer', message: 'INVITE', result: 'ok', node: 0, sides: 'inner>outer' },
      { operation: 'answer', message: '200 INVITE', result: 'ok', node: 0, sides: 'outer>inner' },
      { operation: 'delete', message: 'BYE', result: 'ok', node: 0, sides: null },
    ]);
  });

  test('is a step too for an INVITE without SDP, which no node sees', async () => {
    const cluster = makeCluster();
    await cluster.requests.auto(sip({ method: 'INVITE' }));
    expect(glance(cluster.history.of('c1').steps)).toEqual([
      { operation: 'announce', message: 'INVITE', result: 'ok', node: null, sides: null },
    ]);
    expect(cluster.asked()).toEqual([]);
  });

  test.each([
    ['INVITE', INVITE],
    ['183 INVITE', sip({ method: 'INVITE', status: 183, toTag: 'C' }, CALLEE)],
  ])('is a step too for a late %s, and says why it was refused', async (message, request) => {
    const cluster = makeCluster();
    for (const before of [INVITE, OK, BYE]) await cluster.requests.auto(before);
    const late = failed(await cluster.requests.auto(request));
    expect(cluster.history.of('c1').steps.slice(3)).toMatchObject([
      { operation: 'offer', message, result: 'RTPC_CALL_UNKNOWN', reason: late.message, tries: [] },
    ]);
  });

  test('names the operation alone where the client named it', async () => {
    const { requests, history } = makeCluster();
    const facts = { callId: 'c1', fromTag: 'A', sdp: CALLER, isInDialog: false, extra: {} };
    await requests.offer({ ...facts, direction: { from: 'inner', to: 'outer' } });
    await requests.query('c1');
    await requests.command({ command: 'play media', 'call-id': 'c1' }, facts);
    await requests.delete({ callId: 'c1', reason: 'bye' });
    expect(history.of('c1').steps.map(({ operation, message }) => [operation, message])).toEqual([
      ['offer', null],
      ['query', null],
      ['play media', null],
      ['delete', null],
    ]);
  });

  test('says why the call went where it went: the nodes considered and left out, with their figures', async () => {
    const nodes = [makeNode(0, { weight: 0 }), makeNode(1, { tags: ['gpu'] }), makeNode(2)];
    const { requests, history } = makeCluster({ nodes });
    await requests.auto(sip({ method: 'INVITE' }, CALLER, { require: ['gpu'] }));
    expect(history.of('c1').steps[0]?.decision).toEqual({
      policy: 'hash',
      isPanic: false,
      candidates: [{ id: 1, rank: 'first', priority: 1, weight: 100, sessions: 0, portsFree: null }],
      filtered: [
        { id: 0, rule: 'weight', figure: 'weight 0' },
        { id: 2, rule: 'tags', figure: 'lacks tag gpu' },
      ],
      candidateCount: 1,
      filteredCount: 2,
    });
  });

  test('has nothing of a decision where nothing was placed', async () => {
    const { requests, history } = makeCluster();
    for (const request of [INVITE, OK, BYE]) await requests.auto(request);
    const steps = history.of('c1').steps;
    expect(steps.map(({ decision }) => decision !== null)).toEqual([true, false, false]);
    expect(steps.map(({ tries }) => tries.length)).toEqual([1, 0, 0]);
  });

  test('lists every try with its kind, the words of the relay and its time', async () => {
    const cluster = makeCluster({ nodes: [0, 1, 2].map((id) => makeNode(id)) });
    cluster.relay(0).next('offer', 'never');
    cluster.relay(1).next('offer', fails('refused'));
    const result = cluster.requests.auto(INVITE);
    await cluster.clock.advance(300);
    relayed(await result);
    const [step] = cluster.history.of('c1').steps;
    expect(step?.tries).toEqual([
      { node: 0, result: 'silent', reason: 'the relay says silent', took_ms: 300 },
      { node: 1, result: 'refused', reason: 'the relay says refused', took_ms: 0 },
      { node: 2, result: 'ok', reason: '', took_ms: 0 },
    ]);
    expect(step).toMatchObject({ result: 'ok', reason: '', node: 2, took_ms: 300 });
    expect(step?.at).toBe(cluster.clock.utc() - 300);
  });

  test('shows where media was sent before and after, for both parties', async () => {
    const { requests, history } = makeCluster();
    for (const request of [INVITE, OK]) await requests.auto(request);
    expect(history.of('c1').steps.map(({ received, returned }) => [received, returned])).toEqual([
      [['audio 10.9.9.9:41000'], [`audio ${outerOf(0)}:30000`]],
      [['audio 203.0.113.9:42000'], [`audio ${innerOf(0)}:30000`]],
    ]);
  });

  test('keeps both SDP of a request, and who sent the one', async () => {
    const { requests, history } = makeCluster();
    for (const request of [INVITE, OK, BYE]) await requests.auto(request);
    expect(
      history.of('c1').steps.map(({ tag, sdp_received, sdp_returned }) => [tag, sdp_received, sdp_returned]),
    ).toEqual([
      ['A', CALLER, anchored(outerOf(0))],
      ['B', CALLEE, anchored(innerOf(0))],
      [null, null, null],
    ]);
  });

  test('keeps the SDP that came in where nothing left: refused, of a dead call, without sense', async () => {
    const cluster = makeCluster();
    const { requests, history, relay } = cluster;
    await requests.auto(INVITE);
    relay(0).next('answer', fails('rejected'));
    failed(await requests.auto(OK));
    await requests.auto(BYE);
    failed(await requests.auto(sip({ method: 'INVITE', status: 200, toTag: 'B', cseq: '1' }, CALLEE)));
    failed(await requests.auto(sip({ method: 'INVITE', callId: 'c2' }, 'v=0\r\nm=audio 1 RTP/AVP 8\r\n')));
    const seen = [...history.of('c1').steps, ...history.of('c2').steps].filter(
      ({ result }) => result !== 'ok',
    );
    expect(
      seen.map(({ result, tag, sdp_received, sdp_returned }) => [result, tag, sdp_received, sdp_returned]),
    ).toEqual([
      ['RTPC_RELAY_REFUSED', 'B', CALLEE, null],
      ['RTPC_CALL_UNKNOWN', 'B', CALLEE, null],
      ['RTPC_BAD_SDP', 'A', 'v=0\r\nm=audio 1 RTP/AVP 8\r\n', null],
    ]);
  });

  test('names the door', async () => {
    const { requests, history } = makeCluster();
    const facts = { callId: 'c1', fromTag: 'A', sdp: CALLER, isInDialog: false, extra: {} };
    await requests.offer({ ...facts, direction: { from: 'inner', to: 'outer' }, door: 'ng' });
    await requests.auto(BYE);
    expect(history.of('c1').steps.map(({ operation, door }) => [operation, door])).toEqual([
      ['offer', 'ng'],
      ['delete', 'http'],
    ]);
  });

  test('says why a request failed, of a call no node took as well', async () => {
    const { requests, history, relay } = makeCluster();
    for (const id of [0, 1]) relay(id).always('offer', fails('refused'));
    const failure = failed(await requests.auto(INVITE));
    expect(history.of('c1').steps).toMatchObject([
      {
        operation: 'offer',
        message: 'INVITE',
        result: 'RTPC_NO_NODE',
        reason: failure.message,
        node: null,
        tries: [
          { node: 0, result: 'refused' },
          { node: 1, result: 'refused' },
        ],
        sdp_received: CALLER,
        sdp_returned: null,
        received: ['audio 10.9.9.9:41000'],
        returned: [],
      },
    ]);
  });

  test('names the node of a call that is lost by the very request', async () => {
    const { requests, history, relay } = makeCluster();
    await requests.auto(INVITE);
    relay(0).next('answer', fails('unknown-call'));
    failed(await requests.auto(OK));
    expect(glance(history.of('c1').steps).at(-1)).toEqual({
      operation: 'answer',
      message: '200 INVITE',
      result: 'RTPC_CALL_LOST',
      node: 0,
      sides: 'outer>inner',
    });
  });

  test('does not count a retransmission: nothing was done for it', async () => {
    const { requests, history } = makeCluster();
    await requests.auto(INVITE);
    await requests.auto(INVITE);
    expect(history.of('c1').steps.length).toBe(1);
  });

  test('of one call has nothing of another', async () => {
    const { requests, history } = makeCluster();
    await requests.auto(INVITE);
    await requests.auto(sip({ method: 'INVITE', callId: 'c2' }, CALLER));
    expect([history.of('c1').steps.length, history.of('c2').steps.length, history.of('c').steps]).toEqual([
      1,
      1,
      [],
    ]);
  });
});

describe('writing', () => {
  test('happens 2 s after the first step, in one row for all steps until then', async () => {
    const cluster = makeCluster();
    await cluster.requests.auto(INVITE);
    await cluster.clock.advance(1000);
    await cluster.requests.auto(OK);
    const before = cluster.history.of('c1').steps;
    await cluster.clock.advance(990);
    expect(rows(cluster)).toBe(0);
    await cluster.clock.advance(300);
    expect(rows(cluster)).toBe(1);
    expect(cluster.history.of('c1').steps).toEqual(before);
    await cluster.requests.auto(BYE);
    expect(cluster.history.of('c1').steps.map(({ message }) => message)).toEqual([
      'INVITE',
      '200 INVITE',
      'BYE',
    ]);
    await cluster.clock.advance(2500);
    expect(rows(cluster)).toBe(2);
    expect(cluster.history.of('c1').steps.map(({ message }) => message)).toEqual([
      'INVITE',
      '200 INVITE',
      'BYE',
    ]);
    expect(cluster.history.counters).toEqual({ rows: 2, droppedSteps: 0, cutSdp: 0, damagedRows: 0 });
  });

  test('keeps every step whole: what is read back is what was noted', async () => {
    const cluster = makeCluster({ nodes: [makeNode(0, { weight: 0 }), makeNode(1)] });
    cluster.relay(1).next('offer', fails('garbled'));
    failed(await cluster.requests.auto(INVITE));
    await cluster.requests.auto(sip({ method: 'INVITE', cseq: '2' }, CALLER));
    const before = cluster.history.of('c1').steps;
    expect(before.length).toBe(2);
    await cluster.clock.advance(3000);
    expect(cluster.store.stepsOf('c1').rows.length).toBe(1);
    expect(new History(cluster.store, cluster.clock).of('c1').steps).toEqual(before);
  });

  test('of a call with more text than is read: the first request and the newest ones, and it says so', async () => {
    const { clock, history } = makeHistory();
    const sdp = `v=0\r\n${'a=x\r\n'.repeat(3270)}`;
    for (let i = 0; i < 300; i++) {
      history.add('c1', { ...beginStep(i, 'offer'), sdp_received: sdp });
      await clock.advance(3000);
    }
    const { steps, isPartial } = history.of('c1');
    expect(isPartial).toBe(true);
    const ats = steps.map(({ at }) => at);
    expect([ats[0], ats.at(-1)]).toEqual([0, 299]);
    expect(ats.slice(1)).toEqual(Array.from({ length: ats.length - 1 }, (_, i) => 301 - ats.length + i));
    expect(steps.length).toBeLessThan(256);
    history.add('c2', beginStep(0, 'offer'));
    expect(history.of('c2').isPartial).toBe(false);
    await clock.advance(3000);
    expect(history.of('c2')).toMatchObject({ steps: [{ operation: 'offer' }], isPartial: false });
  });

  test('happens at once when it stops, however much waits, and no timer is left', async () => {
    const { clock, store, open, history } = makeHistory();
    for (let i = 0; i < 1234; i++) history.add(`c${i}`, beginStep(clock.utc(), 'offer'));
    expect(clock.timers).toBe(1);
    history.stop();
    await flush(store);
    expect(rows({ open })).toBe(1234);
    expect(clock.timers).toBe(0);
  });

  test('takes a hundred calls at a time, oldest first', async () => {
    const { clock, store, open, history } = makeHistory();
    for (let i = 0; i < 250; i++) history.add(`c${i}`, beginStep(clock.utc(), 'offer'));
    await clock.advance(2000);
    await flush(store);
    expect(rows({ open })).toBe(100);
    expect([store.stepsOf('c99').rows.length, store.stepsOf('c100').rows.length]).toEqual([1, 0]);
    await clock.advance(500);
    await flush(store);
    expect(rows({ open })).toBe(250);
  });
});

describe('bounds', () => {
  test('64 steps of a call wait; further ones are dropped and counted, and later ones are noted again', async () => {
    const { clock, history } = makeHistory();
    for (let i = 0; i < 70; i++) history.add('c1', { ...beginStep(clock.utc(), 'offer'), took_ms: i });
    expect(history.of('c1').steps.map(({ took_ms }) => took_ms)).toEqual(
      Array.from({ length: 64 }, (_, i) => i),
    );
    expect(history.counters.droppedSteps).toBe(6);
    await clock.advance(2500);
    history.add('c1', { ...beginStep(clock.utc(), 'delete'), took_ms: 99 });
    expect(history.of('c1').steps.map(({ took_ms }) => took_ms)).toEqual([
      ...Array.from({ length: 64 }, (_, i) => i),
      99,
    ]);
  });

  test('an SDP longer than 16 KiB is cut after a whole line, and said to be; a shorter one is whole', () => {
    const { clock, history } = makeHistory();
    const line = 'a=candidate:1 1 UDP 2130706431 192.0.2.1 5000 typ host\r\n';
    const long = line.repeat(400);
    history.add('c1', { ...beginStep(clock.utc(), 'offer'), sdp_received: long, sdp_returned: CALLER });
    history.add('c1', { ...beginStep(clock.utc(), 'offer'), sdp_received: 'x'.repeat(20_000) });
    history.add('c1', { ...beginStep(clock.utc(), 'offer'), sdp_received: 'x'.repeat(16_384) });
    const [cut, noLine, whole] = history.of('c1').steps;
    expect(cut).toMatchObject({ sdp_received: line.repeat(292), sdp_returned: CALLER, is_sdp_cut: true });
    expect([noLine?.sdp_received?.length, noLine?.is_sdp_cut]).toEqual([16_384, true]);
    expect([whole?.sdp_received?.length, whole?.is_sdp_cut]).toEqual([16_384, false]);
    expect(history.counters.cutSdp).toBe(2);
  });

  test('128 KiB of SDP of one call wait; further steps are noted without, until those are written', async () => {
    const { clock, history } = makeHistory();
    const step = () => ({ ...beginStep(clock.utc(), 'offer'), sdp_received: 'x'.repeat(16_384) });
    for (let i = 0; i < 10; i++) history.add('c1', step());
    const kept = () =>
      history.of('c1').steps.map(({ sdp_received, is_sdp_cut }) => [sdp_received !== null, is_sdp_cut]);
    expect(kept()).toEqual([...Array(8).fill([true, false]), ...Array(2).fill([false, true])]);
    history.add('c2', step());
    expect(history.of('c2').steps[0]?.is_sdp_cut).toBe(false);
    await clock.advance(2500);
    history.add('c1', step());
    expect(kept().at(-1)).toEqual([true, false]);
    expect(history.counters.cutSdp).toBe(2);
  });

  test('64 MiB of SDP of all calls wait; more are noted without, and the room comes back', async () => {
    const { clock, history } = makeHistory();
    const sdp = 'x'.repeat(16_384);
    const add = (callId: string): void =>
      history.add(callId, { ...beginStep(clock.utc(), 'offer'), sdp_received: sdp });
    for (let i = 0; i < 4097; i++) add(`c${i}`);
    expect([history.of('c4095').steps, history.of('c4096').steps].map(([step]) => step?.is_sdp_cut)).toEqual([
      false,
      true,
    ]);
    await clock.advance(60_000);
    add('later');
    expect(history.of('later').steps[0]?.is_sdp_cut).toBe(false);
    expect(history.of('c0').steps[0]?.sdp_received).toBe(sdp);
  });

  test('half a MiB of SDP is written at a time, so that calls do not wait for it', async () => {
    const { clock, store, open, history } = makeHistory();
    for (let i = 0; i < 80; i++)
      history.add(`c${i}`, { ...beginStep(clock.utc(), 'offer'), sdp_received: 'x'.repeat(16_384) });
    await clock.advance(2000);
    await flush(store);
    expect(rows({ open })).toBe(32);
    await clock.advance(100);
    await flush(store);
    expect(rows({ open })).toBe(80);
  });

  test('a damaged row is left out and counted; what is not is told', async () => {
    const cluster = makeCluster();
    for (const request of [INVITE, OK]) await cluster.requests.auto(request);
    await cluster.clock.advance(3000);
    await cluster.requests.auto(BYE);
    await cluster.clock.advance(3000);
    expect(rows(cluster)).toBe(2);
    cluster.open.database.run(
      "UPDATE trace SET steps = x'28b52ffd00' WHERE id = (SELECT min(id) FROM trace)",
    );
    expect(cluster.history.of('c1').steps.map(({ message }) => message)).toEqual(['BYE']);
    expect(cluster.history.counters.damagedRows).toBe(1);
  });

  test('20,000 calls wait; one more has the oldest written at once, and nothing is lost', async () => {
    const { clock, store, open, history } = makeHistory();
    for (let i = 0; i < 20_000; i++) history.add(`c${i}`, beginStep(clock.utc(), 'offer'));
    await flush(store);
    expect(rows({ open })).toBe(0);
    history.add('one-more', beginStep(clock.utc(), 'offer'));
    await flush(store);
    expect(rows({ open })).toBe(100);
    expect(store.stepsOf('c0').rows.length).toBe(1);
    expect(history.of('one-more').steps.length).toBe(1);
    history.stop();
    await flush(store);
    expect(rows({ open })).toBe(20_001);
  });

  test('while the disk fails, steps are dropped and counted; calls go on, and later steps are kept again', async () => {
    const cluster = makeCluster();
    const { clock, store, history, requests } = cluster;
    const makeRoom = fillDisk(cluster.open);
    for (let i = 0; i < 50; i++)
      relayed(await requests.auto(sip({ method: 'INVITE', callId: `full-${i}` }, CALLER)));
    await clock.advance(5000);
    expect(store.trouble).toBeDefined();
    expect(store.counters.droppedSteps).toBeGreaterThan(0);
    expect(history.of('full-0').steps).toEqual([]);
    makeRoom();
    await clock.advance(2000);
    expect(store.trouble).toBeUndefined();
    relayed(await requests.auto(INVITE));
    await clock.advance(3000);
    expect(history.of('c1').steps.map(({ message }) => message)).toEqual(['INVITE']);
    expect(rows(cluster)).toBe(1);
  });
});
