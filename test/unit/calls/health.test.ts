/** What order and health of a node mean for the requests of calls: the truth table, and what follows from it. */

import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { AnswerFacts, OfferFacts } from '../../../src/calls/facts.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { initialHealth } from '../../../src/domain/health.ts';
import { HEALTHS, type Health, ORDERS, type Order } from '../../../src/domain/state.ts';
import type { Member } from '../../../src/fleet/member.ts';
import { Watch } from '../../../src/fleet/watch.ts';
import { settle } from '../../fakes/clock.ts';
import {
  age,
  BUDGET_MS,
  type Cluster,
  FIRST_TRY_MS,
  failed,
  innerOf,
  makeCluster,
  makeNode,
  outerOf,
  phoneSdp,
  relayed,
  shown,
  sip,
} from '../../fakes/cluster.ts';
import { fails, type Operation } from '../../fakes/driver.ts';
import { flush } from '../../fakes/store.ts';
import { makeApi } from '../http/api.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9');
const OPERATIONS: readonly Operation[] = ['offer', 'answer', 'delete', 'query', 'command'];
const BUDGET = { before: FIRST_TRY_MS, all: BUDGET_MS } as const;

function offer(changes: Partial<OfferFacts> = {}): OfferFacts {
  return {
    callId: 'c1',
    fromTag: 'A',
    sdp: CALLER,
    direction: { from: 'inner', to: 'outer' },
    isInDialog: false,
    extra: {},
    ...changes,
  };
}

function reoffer(changes: Partial<OfferFacts> = {}): OfferFacts {
  return offer({ toTag: 'B', isInDialog: true, ...changes });
}

function answer(changes: Partial<AnswerFacts> = {}): AnswerFacts {
  return { callId: 'c1', fromTag: 'A', toTag: 'B', sdp: CALLEE, isFinal: true, extra: {}, ...changes };
}

function member({ fleet }: Pick<Cluster, 'fleet'>, id: number): Member {
  const found = fleet.get(id);
  if (found === undefined) throw new Error(`there is no node ${id}`);

  return found;
}

/** Puts a node under an order, and makes us think so of it. */
function put(cluster: Cluster, id: number, order: Order, health: Health): void {
  const node = member(cluster, id);
  const admin = { order, by: 'root@edge1', reason: '', at: 1, until: null };
  const failure = cluster.fleet.order(node, { admin });
  if (failure !== undefined) throw new Error(failure.message);
  node.opinion = { ...initialHealth(cluster.clock.utc()), health, cause: 'a test says so' };
}

/** A relay process dies, so that nobody listens, or is cut off. Returns when we know. */
async function kill(cluster: Cluster, id: number, how: 'unreachable' | 'silent' = 'unreachable') {
  const reply = how === 'silent' ? ('never' as const) : fails('unreachable');
  cluster.monitor(id).all(reply);
  for (const operation of OPERATIONS) cluster.relay(id).always(operation, reply);
  while (member(cluster, id).health !== 'down') await cluster.clock.advance(50);
  cluster.trace.length = 0;
}

/** It answers again. */
function revive(cluster: Cluster, id: number): void {
  cluster.monitor(id).all(undefined);
  for (const operation of OPERATIONS) cluster.relay(id).always(operation, undefined);
}

/** A watched cluster whose relays stay the same processes, with a call on node 0. */
async function watched(options: Parameters<typeof makeCluster>[0] = {}): Promise<Cluster> {
  const cluster = makeCluster({ isWatched: true, ...options });
  for (const { id } of cluster.fleet.all()) age(cluster, id);
  await cluster.clock.advance(100);

  return cluster;
}

async function established(options: Parameters<typeof makeCluster>[0] = {}): Promise<Cluster> {
  const cluster = await watched(options);
  expect(relayed(await cluster.media.offer(offer())).nodeId).toBe(0);
  relayed(await cluster.media.answer(answer()));
  cluster.trace.length = 0;

  return cluster;
}

describe('the truth table, on the way of a call', () => {
  const everyState = ORDERS.flatMap((order) => HEALTHS.map((health) => [order, health] as const));

  /** What a new call does: with a good second node; the same if that has no room; with a dead second node of most weight. */
  const NEW: Readonly<Record<Order, Readonly<Record<Health, string>>>> = {
    ready: {
      unknown: '1 / 1 0 / 0',
      up: '0 / 0 1 / 0',
      falling: '1 / 1 0 / 0',
      down: '1 / 1 / 0',
      rising: '1 / 1 0 / 0',
      ejected: '1 / 1 / 0',
    },
    drain: {
      unknown: '1 / 1 / 1',
      up: '1 / 1 / 0',
      falling: '1 / 1 / 0',
      down: '1 / 1 / 1',
      rising: '1 / 1 / 1',
      ejected: '1 / 1 / 1',
    },
    maint: {
      unknown: '1 / 1 / 1',
      up: '1 / 1 / 1',
      falling: '1 / 1 / 1',
      down: '1 / 1 / 1',
      rising: '1 / 1 / 1',
      ejected: '1 / 1 / 1',
    },
  };

  test.each(everyState)('a new call, node under order %s and %s', async (order, health) => {
    const seen: string[] = [];
    for (const situation of ['good', 'no room', 'panic'] as const) {
      const nodes = [makeNode(0), makeNode(1, { weight: 900 })];
      const cluster = makeCluster({ nodes });
      put(cluster, 0, order, health);
      put(cluster, 1, 'ready', situation === 'panic' ? 'down' : 'up');
      if (situation === 'no room') for (const id of [0, 1]) cluster.relay(id).next('offer', fails('refused'));
      const result = await cluster.media.offer(offer());
      expect(result instanceof Failure).toBe(situation === 'no room');
      const offers = cluster.asked();
      expect(offers.every((line) => line.endsWith(' offer'))).toBe(true);
      seen.push(offers.map((line) => line.split(' ')[0]).join(' '));
    }
    expect(seen.join(' / ')).toBe(NEW[order][health]);
  });

  /** Requests of a call that node 0 has, and what they are asked there. */
  const BOUND: readonly [string, (cluster: Cluster) => Promise<unknown>, string][] = [
    ['a re-offer', ({ media }) => media.offer(reoffer()), '0 offer'],
    ['an answer', ({ media }) => media.answer(answer()), '0 answer'],
    ['a query', ({ media }) => media.query('c1'), '0 query'],
    [
      'a command',
      ({ media }) => media.command({ command: 'play media', 'call-id': 'c1' }, offer()),
      '0 command',
    ],
  ];

  test.each(BOUND)(
    '%s goes to its node whatever the order; only to a dead one not',
    async (_, ask, asked) => {
      for (const [order, health] of everyState) {
        const cluster = makeCluster();
        relayed(await cluster.media.offer(offer()));
        relayed(await cluster.media.answer(answer()));
        cluster.trace.length = 0;
        put(cluster, 0, order, health);
        const result = await ask(cluster);
        expect([order, health, ...cluster.asked()]).toEqual([
          order,
          health,
          ...(health === 'down' ? [] : [asked]),
        ]);
        expect(result instanceof Failure ? result.code : 'ok').toBe(
          health === 'down' ? 'RTPC_RELAY_SILENT' : 'ok',
        );
        expect(cluster.calls.get('c1')).toMatchObject({ nodeId: 0, state: 'confirmed' });
      }
    },
  );

  test('a delete ends the call whatever order and health; a dead node is told when it answers again', async () => {
    for (const [order, health] of everyState) {
      const cluster = makeCluster();
      relayed(await cluster.media.offer(offer()));
      cluster.trace.length = 0;
      put(cluster, 0, order, health);
      const result = await cluster.ending.delete({ callId: 'c1', reason: 'bye' });
      const isDown = health === 'down';
      expect(result).toEqual({ reply: isDown ? undefined : { result: 'ok' } });
      expect([order, health, ...cluster.asked()]).toEqual([order, health, ...(isDown ? [] : ['0 delete'])]);
      expect(cluster.calls.getEnded('c1')?.endReason).toBe('bye');
      expect(cluster.strays.size).toBe(isDown ? 1 : 0);
    }
  });

  test('the search for a call nobody knows asks every node but dead ones', async () => {
    for (const [order, health] of everyState) {
      const cluster = makeCluster();
      cluster.relay(0).calls.add('c1');
      put(cluster, 0, order, health);
      const result = await cluster.media.offer(reoffer());
      const isDown = health === 'down';
      expect([order, health, ...cluster.asked()]).toEqual([
        order,
        health,
        ...(isDown ? ['1 query', '1 offer'] : ['0 query', '1 query', '0 offer']),
      ]);
      expect(relayed(result).nodeId).toBe(isDown ? 1 : 0);
      const deletion = makeCluster();
      put(deletion, 0, order, health);
      await deletion.ending.delete({ callId: 'x', reason: 'bye' });
      expect(deletion.asked()).toEqual(isDown ? ['1 delete'] : ['0 delete', '1 delete']);
    }
  });
});

describe('a request of a call whose node is dead', () => {
  test.each([
    ['re-offer', ({ media }: Cluster) => media.offer(reoffer())],
    ['answer', ({ media }: Cluster) => media.answer(answer())],
  ])('(%s) fails at once, names node, time and cause, and has the node checked', async (_, ask) => {
    const cluster = await established();
    await kill(cluster, 0);
    await cluster.clock.advance(700);
    const since = member(cluster, 0).opinion.since;
    const pings = cluster.monitor(0).count('ping');
    const { now } = cluster.clock;
    const failure = failed(await ask(cluster));
    expect(cluster.clock.now).toBe(now);
    expect(failure.code).toBe('RTPC_RELAY_SILENT');
    expect(failure.message).toBe(
      `node 0 (udp:127.0.0.1:7890), which has the call, is down since ${new Date(since).toISOString()}: the relay says unreachable`,
    );
    expect(cluster.asked()).toEqual([]);
    expect(cluster.monitor(0).count('ping')).toBe(pings + 1);
    expect(cluster.calls.get('c1')).toMatchObject({ nodeId: 0, state: 'confirmed' });
  });

  test('goes on when the node answers again: the check it asked for is the first', async () => {
    const cluster = await established();
    await kill(cluster, 0);
    await cluster.clock.advance(700);
    revive(cluster, 0);
    failed(await cluster.media.offer(reoffer()));
    await settle();
    expect(member(cluster, 0).health).toBe('rising');
    expect(shown(await cluster.media.offer(reoffer()))).toBe(outerOf(0));
  });

  test('a silent node keeps a party waiting until it is known to be dead, and nobody after that', async () => {
    const cluster = await established();
    cluster.monitor(0).all('never');
    for (const operation of OPERATIONS) cluster.relay(0).always(operation, 'never');
    const started = cluster.clock.now;
    let waited = 0;
    const first = cluster.media.offer(reoffer()).then((result) => {
      waited = cluster.clock.now - started;

      return result;
    });
    await cluster.clock.advance(3500);
    expect(failed(await first).code).toBe('RTPC_RELAY_SILENT');
    expect(waited).toBe(BUDGET.all);
    expect(member(cluster, 0).health).toBe('down');
    const { now } = cluster.clock;
    expect(failed(await cluster.media.offer(reoffer())).message).toContain('3 checks without reply');
    expect(cluster.clock.now).toBe(now);
  });

  test('a delete returns at once, and the node is told within a second of being back', async () => {
    const cluster = await established();
    await kill(cluster, 0, 'silent');
    const { now } = cluster.clock;
    expect(await cluster.ending.delete({ callId: 'c1', reason: 'bye' })).toEqual({ reply: undefined });
    expect(cluster.clock.now).toBe(now);
    expect(cluster.calls.getEnded('c1')?.endReason).toBe('bye');
    await cluster.clock.advance(20_000);
    expect(cluster.asked()).toEqual([]);
    expect(cluster.strays.size).toBe(1);
    expect(cluster.relay(0).calls.has('c1')).toBe(true);
    revive(cluster, 0);
    while (member(cluster, 0).health !== 'rising') await cluster.clock.advance(50);
    await cluster.clock.advance(1000);
    expect(cluster.relay(0).calls.has('c1')).toBe(false);
    expect(cluster.strays.size).toBe(0);
  });

  test('a delete for a dead node is not forgotten by a restart of our program', async () => {
    const cluster = await established();
    await kill(cluster, 0);
    await cluster.ending.delete({ callId: 'c1', reason: 'bye' });
    await flush(cluster.store);
    expect(cluster.store.loadStrays()).toMatchObject([{ nodeId: 0, callId: 'c1' }]);
  });
});

describe('a call that only its caller has anything of', () => {
  test('moves from a dead node to another, and the first is told to delete when it is back', async () => {
    const cluster = await watched();
    relayed(await cluster.media.offer(offer()));
    await kill(cluster, 0);
    const { now } = cluster.clock;
    expect(shown(await cluster.media.offer(offer()))).toBe(outerOf(1));
    expect(cluster.clock.now).toBe(now);
    expect(cluster.asked()).toEqual(['1 offer']);
    expect(cluster.calls.get('c1')).toMatchObject({ nodeId: 1, state: 'early' });
    expect([cluster.calls.countOn(0), cluster.calls.countOn(1)]).toEqual([0, 1]);
    revive(cluster, 0);
    await cluster.clock.advance(5000);
    expect(cluster.asked()).toEqual(['1 offer', '0 delete']);
    expect([cluster.relay(0).calls.has('c1'), cluster.relay(1).calls.has('c1')]).toEqual([false, true]);
  });

  test('stays where it is if there is nowhere to go: the caller may try again', async () => {
    const cluster = await watched({ nodes: [makeNode(0)] });
    relayed(await cluster.media.offer(offer()));
    await kill(cluster, 0);
    expect(failed(await cluster.media.offer(offer())).code).toBe('RTPC_RELAY_SILENT');
    expect(cluster.calls.get('c1')).toMatchObject({ nodeId: 0, state: 'early' });
    revive(cluster, 0);
    await cluster.clock.advance(5000);
    expect(shown(await cluster.media.offer(offer()))).toBe(outerOf(0));
    expect(cluster.strays.size).toBe(0);
  });

  test('does not move once the callee has answered', async () => {
    const cluster = await established();
    await kill(cluster, 0);
    expect(failed(await cluster.media.offer(offer())).code).toBe('RTPC_RELAY_SILENT');
    expect(cluster.asked()).toEqual([]);
  });

  test('moves too when its node is found dead while it keeps the call waiting', async () => {
    const cluster = makeCluster();
    relayed(await cluster.media.offer(offer()));
    cluster.trace.length = 0;
    put(cluster, 0, 'ready', 'falling');
    cluster.relay(0).next('offer', 'never');
    const result = cluster.media.offer(offer());
    await cluster.clock.advance(FIRST_TRY_MS - 100);
    put(cluster, 0, 'ready', 'down');
    await cluster.clock.advance(BUDGET_MS);
    expect(shown(await result)).toBe(outerOf(1));
  });
});

describe('a new call', () => {
  test('whose first node is silent goes to the second after the first try, and the first is suspect', async () => {
    const cluster = await watched();
    cluster.monitor(0).all('never');
    for (const operation of OPERATIONS) cluster.relay(0).always(operation, 'never');
    const result = cluster.media.offer(offer());
    await cluster.clock.advance(FIRST_TRY_MS);
    expect(shown(await result)).toBe(outerOf(1));
    expect(cluster.asked()).toEqual(['0 offer', '0 delete', '1 offer']);
    expect(member(cluster, 0).health).not.toBe('down');
    cluster.trace.length = 0;
    relayed(await cluster.media.offer(offer({ callId: 'c2' })));
    expect(cluster.asked()).toContain('1 offer');
    expect(cluster.asked()).not.toContain('0 offer');
  });

  test('refused for lack of room: the node comes after the others for a second, and stays up', async () => {
    const cluster = await watched();
    cluster.relay(0).next('offer', fails('refused'));
    expect(shown(await cluster.media.offer(offer()))).toBe(outerOf(1));
    expect(shown(await cluster.media.offer(offer({ callId: 'c2' })))).toBe(outerOf(1));
    expect(member(cluster, 0).health).toBe('up');
    await cluster.clock.advance(1000);
    expect(shown(await cluster.media.offer(offer({ callId: 'c3' })))).toBe(outerOf(0));
  });

  test('in panic tries dead nodes at last, but waits for one of them only', async () => {
    const cluster = await watched({ nodes: [0, 1, 2].map((id) => makeNode(id)) });
    for (const id of [0, 1, 2]) await kill(cluster, id, 'silent');
    const start = cluster.clock.now;
    const result = cluster.media.offer(offer());
    await cluster.clock.advance(FIRST_TRY_MS);
    expect(failed(await result).code).toBe('RTPC_RELAY_SILENT');
    expect(cluster.clock.now - start).toBe(BUDGET.before);
    expect(cluster.asked()).toEqual(['0 offer']);
  });

  test('in panic passes by dead nodes that say at once that nobody listens, until one takes it', async () => {
    const cluster = await watched({ nodes: [0, 1, 2].map((id) => makeNode(id)) });
    for (const id of [0, 1, 2]) await kill(cluster, id);
    cluster.relay(2).always('offer', undefined);
    expect(shown(await cluster.media.offer(offer()))).toBe(outerOf(2));
    expect(cluster.asked()).toEqual(['0 offer', '1 offer', '2 offer']);
  });

  test('waits for a silent node that is found dead meanwhile, and then for the next: it did not know', async () => {
    const cluster = makeCluster();
    for (const id of [0, 1]) put(cluster, id, 'ready', 'falling');
    cluster.relay(0).next('offer', 'never');
    const result = cluster.media.offer(offer());
    await cluster.clock.advance(FIRST_TRY_MS - 100);
    put(cluster, 0, 'ready', 'down');
    await cluster.clock.advance(BUDGET_MS);
    expect(shown(await result)).toBe(outerOf(1));
  });

  test('no node may have fails with each node and its figure, and what to do', async () => {
    const nodes = [
      makeNode(0, { capacity: 1 }),
      makeNode(1, { weight: 0 }),
      makeNode(2, { tags: ['gpu'] }),
      makeNode(3),
      makeNode(4),
      makeNode(5),
    ];
    const cluster = makeCluster({ nodes });
    relayed(await cluster.media.offer(offer()));
    put(cluster, 3, 'maint', 'up');
    put(cluster, 4, 'ready', 'down');
    put(cluster, 2, 'drain', 'up');
    put(cluster, 5, 'ready', 'ejected');
    put(cluster, 1, 'maint', 'up');
    put(cluster, 0, 'ready', 'up');
    const failure = failed(await cluster.media.offer(offer({ callId: 'c2', require: ['x'] })));
    expect(failure.code).toBe('RTPC_NO_NODE');
    expect(failure.message).toBe(
      'no node of set 0 can take the call (node 0: lacks tag x; node 1: weight 0; node 2: drain; node 3: maint and 2 more); see "rtp-cluster node list"',
    );
  });
});

describe('a node that has restarted', () => {
  /** A call on node 0, whose relay restarts; returns when we know. */
  async function afterRestart(): Promise<Cluster> {
    const cluster = await established();
    await cluster.clock.advance(5000);
    age(cluster, 0, 0);
    const { watch } = cluster;
    if (watch instanceof Watch) watch.onRestart = () => undefined;
    while (member(cluster, 0).restartedAt === null) await cluster.clock.advance(100);
    cluster.trace.length = 0;

    return cluster;
  }

  test('is asked whether it knows the call before it gets a re-offer; if not, the call is lost and over', async () => {
    const cluster = await afterRestart();
    cluster.relay(0).calls.clear();
    const failure = failed(await cluster.media.offer(reoffer()));
    expect(failure.code).toBe('RTPC_CALL_LOST');
    expect(failure.message).toContain('node 0 does not know call c1 any more');
    expect(cluster.asked()).toEqual(['0 query']);
    expect(cluster.calls.get('c1')).toBeUndefined();
    expect(cluster.calls.getEnded('c1')?.endReason).toBe('lost');
    expect(await cluster.events()).toContain('call.lost');
  });

  test('that knows the call goes on with it, and is not asked a second time', async () => {
    const cluster = await afterRestart();
    await cluster.clock.advance(10);
    expect(shown(await cluster.media.offer(reoffer()))).toBe(outerOf(0));
    expect(cluster.asked()).toEqual(['0 query', '0 offer']);
    relayed(await cluster.media.answer(answer()));
    expect(shown(await cluster.media.offer(reoffer()))).toBe(outerOf(0));
    expect(cluster.asked()).toEqual(['0 query', '0 offer', '0 answer', '0 offer']);
  });

  test('gets new calls without being asked for them', async () => {
    const cluster = await afterRestart();
    await cluster.clock.advance(10);
    relayed(await cluster.media.offer(offer({ callId: 'c2' })));
    relayed(await cluster.media.offer(offer({ callId: 'c2' })));
    expect(cluster.asked()).toEqual(['0 offer', '0 offer']);
  });
});

describe('tags a call wants', () => {
  const nodes = [makeNode(0), makeNode(1, { tags: ['gpu'] }), makeNode(2, { tags: ['gpu', 'paris'] })];

  test.each([
    ['&require=gpu', 1],
    ['&require=GPU,paris', 2],
    ['&prefer=paris', 2],
    ['&require=gpu&prefer=paris', 2],
    ['&prefer=nowhere', 0],
    ['', 0],
  ])('said in the query "%s" lead to node %p, by offer and by auto', async (words, id) => {
    const api = makeApi({ nodes });
    const json = { accept: 'application/json' };
    const byOffer = await api.post(`/v1/media/offer?call-id=a&from-tag=A&dir=out${words}`, CALLER, json);
    expect(await byOffer.json()).toMatchObject({ result: 'ok', node: id });
    const byAuto = await api.post(
      `/v1/media/auto?call-id=b&from-tag=A&method=INVITE&cseq=1&dir=out${words}`,
      CALLER,
      json,
    );
    expect(await byAuto.json()).toMatchObject({ result: 'ok', node: id });
  });

  test.each([
    [{ require: ['gpu'] }, 1],
    [{ require: 'gpu,paris' }, 2],
    [{ prefer: ['Paris'] }, 2],
    [{ require: [], prefer: '' }, 0],
  ])('said in JSON as %p lead to node %p, and no relay sees them', async (words, id) => {
    const api = makeApi({ nodes });
    const body = { 'call-id': 'a', 'from-tag': 'A', direction: ['inner', 'outer'], sdp: CALLER, ...words };
    const response = await api.send('POST', '/v1/media/offer', body);
    expect(await response.json()).toMatchObject({ result: 'ok', node: id });
    expect(Object.keys(api.relay(id).offers[0]?.extra ?? { missing: true })).toEqual([]);
  });

  test('that no node has are 503 with the tag; bad ones 400', async () => {
    const api = makeApi({ nodes });
    const path = '/v1/media/offer?call-id=a&from-tag=A&dir=out';
    const none = await api.post(`${path}&require=tpu`, CALLER);
    expect(none.status).toBe(503);
    expect(await none.text()).toContain('node 0: lacks tag tpu; node 1: lacks tag tpu');
    const bad = await api.post(`${path}&prefer=a%2Fb`, CALLER);
    expect(bad.status).toBe(400);
    expect(await bad.text()).toContain('prefer: ');
    expect(api.asked()).toEqual([]);
  });

  test('count for new calls only: a running one stays where it is', async () => {
    const cluster = makeCluster({ nodes });
    const more = { require: ['gpu'] };
    relayed(await cluster.requests.auto(sip({ method: 'INVITE' }, CALLER)));
    const again = await cluster.requests.auto(sip({ method: 'INVITE', toTag: 'B', cseq: '2' }, CALLER, more));
    expect(relayed(again).nodeId).toBe(0);
  });

  test('hold for the next node too, when the first is silent', async () => {
    const cluster = makeCluster({ nodes });
    cluster.relay(1).next('offer', 'never');
    const result = cluster.media.offer(offer({ require: ['gpu'] }));
    await cluster.clock.advance(FIRST_TRY_MS);
    expect(relayed(await result).nodeId).toBe(2);
    expect(cluster.asked()).not.toContain('0 offer');
  });
});

describe('whatever happens to three nodes', () => {
  type Happening =
    | {
        readonly do: 'relay';
        readonly node: number;
        readonly how: 'good' | 'silent' | 'unreachable' | 'refused' | 'restart';
      }
    | { readonly do: 'order'; readonly node: number; readonly order: Order }
    | { readonly do: 'wait'; readonly ms: number }
    | {
        readonly do: 'call';
        readonly call: number;
        readonly what: 'offer' | 'answer' | 'reoffer' | 'delete';
      };
  const node = fc.integer({ min: 0, max: 2 });
  const happening: fc.Arbitrary<Happening> = fc.oneof(
    {
      weight: 3,
      arbitrary: fc.record({
        do: fc.constant('relay' as const),
        node,
        how: fc.constantFrom('good', 'silent', 'unreachable', 'refused', 'restart'),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('order' as const), node, order: fc.constantFrom(...ORDERS) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 4000 }) }),
    },
    {
      weight: 8,
      arbitrary: fc.record({
        do: fc.constant('call' as const),
        call: fc.integer({ min: 0, max: 3 }),
        what: fc.constantFrom('offer', 'answer', 'reoffer', 'delete'),
      }),
    },
  );

  function set(cluster: Cluster, id: number, how: Extract<Happening, { do: 'relay' }>['how']): void {
    if (how === 'restart') {
      age(cluster, id, 0);
      cluster.relay(id).calls.clear();

      return;
    }
    const checks = {
      good: undefined,
      refused: undefined,
      silent: 'never' as const,
      unreachable: fails('unreachable'),
    };
    cluster.monitor(id).all(checks[how]);
    for (const operation of OPERATIONS) cluster.relay(id).always(operation, checks[how]);
    if (how === 'refused') cluster.relay(id).always('offer', fails('refused'));
  }

  test('no request is left without a word, calls keep to their nodes, and a node in maintenance gets no new call', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(happening, { minLength: 5, maxLength: 40 }), async (happenings) => {
        const cluster = await watched({ nodes: [0, 1, 2].map((id) => makeNode(id)) });
        const { clock, ending, media, calls, relay } = cluster;
        for (const happening of happenings) {
          if (happening.do === 'relay') set(cluster, happening.node, happening.how);
          else if (happening.do === 'order')
            put(cluster, happening.node, happening.order, member(cluster, happening.node).health);
          else if (happening.do === 'wait') await clock.advance(happening.ms);
          else {
            const callId = `call-${happening.call}`;
            const before = calls.get(callId);
            const owner = before?.nodeId ?? null;
            const isConfirmed = before?.state === 'confirmed';
            cluster.trace.length = 0;
            const offers = [0, 1, 2].map((id) => relay(id).offers.length);
            let result: unknown = 'none';
            const asking = {
              offer: () => media.offer(offer({ callId })),
              answer: () => media.answer(answer({ callId })),
              reoffer: () => media.offer(reoffer({ callId })),
              delete: () => ending.delete({ callId, reason: 'bye' }),
            }[happening.what]();
            void asking.then((answered) => {
              result = answered;
            });
            await clock.advance(BUDGET_MS + 300);
            expect(result).not.toBe('none');
            for (const id of [0, 1, 2]) {
              const fresh = relay(id)
                .offers.slice(offers[id])
                .filter(({ isNew }) => isNew);
              if (member(cluster, id).order === 'maint') expect(fresh).toEqual([]);
            }
            const own = cluster.trace.filter(
              (asked) => asked.callId === callId && asked.operation !== 'delete',
            );
            if (
              owner !== null &&
              (isConfirmed || happening.what === 'reoffer' || happening.what === 'answer')
            )
              expect(own.filter((asked) => asked.node !== owner)).toEqual([]);
            if (result !== null && typeof result === 'object' && 'sdp' in result) {
              const call = calls.get(callId);
              expect(call?.nodeId).toBe('nodeId' in result ? Number(result.nodeId) : -1);
              const at = call?.nodeId ?? -1;
              expect([innerOf(at), outerOf(at)]).toContain(
                /^c=IN IP4 (\S+)/m.exec(String(result.sdp))?.[1] ?? '',
              );
            }
          }
        }
        const live = [...calls.values()];
        for (const id of [0, 1, 2])
          expect(calls.countOn(id)).toBe(live.filter((call) => call.nodeId === id).length);
        expect(cluster.store.counters.failedCommits).toBe(0);
      }),
      { numRuns: 60 },
    );
  }, 60_000);
});
