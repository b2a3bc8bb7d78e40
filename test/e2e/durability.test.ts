/**
 * Promise 3, nothing acknowledged is lost: the compiled binary is killed in the middle of its work, again and again, and has
 * to know afterwards what it said before.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { NODE_KINDS } from '../../src/domain/node.ts';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { type Answer, addNodes, liveCalls, post } from '../lab/client.ts';
import { type Relay, startFake } from '../lab/fake-relays.ts';
import { sweep, temporaryFolder } from '../lab/processes.ts';
import { buildSdp, readSdp } from '../lab/sdp.ts';

const ROUNDS = 8;
/** Clients that place one call after the other. */
const CONNECTIONS = 48;
/** A round ends at some answer between these. */
const ANSWERS = { least: 50, most: 450 } as const;
const TIMEOUT_MS = 60_000;

/** What the two nodes show to inner parties. */
const NODES = [
  { id: 1, inner: '10.9.0.1' },
  { id: 2, inner: '10.9.0.2' },
] as const;

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

function serve(database: string): Promise<Appliance> {
  return startAppliance({ binary, database });
}

function offer(url: string, callId: string): Promise<Answer> {
  return post(url, '/v1/media/offer', {
    'call-id': callId,
    'from-tag': `${callId}-from`,
    direction: 'out',
    sdp: buildSdp({ address: '10.1.1.1', port: 4000 }),
  });
}

function answer(url: string, callId: string): Promise<Answer> {
  return post(url, '/v1/media/answer', {
    'call-id': callId,
    'from-tag': `${callId}-from`,
    'to-tag': `${callId}-to`,
    sdp: buildSdp({ address: '203.0.113.9', port: 5000 }),
  });
}

/** Places calls over many connections until the appliance is gone; notes the node of each that was answered 200. */
async function placeUntilDead(
  url: string,
  name: string,
  tried: Set<string>,
  acknowledged: Map<string, unknown>,
  onAnswer: () => void,
): Promise<Answer[]> {
  const others: Answer[] = [];
  const client = async (connection: number): Promise<void> => {
    for (let i = 0; ; i++) {
      const callId = `${name}-${connection}-${i}@durable`;
      tried.add(callId);
      let reply: Answer;
      try {
        reply = await offer(url, callId);
      } catch {
        return;
      }
      if (reply.status !== 200) others.push(reply);
      else {
        acknowledged.set(callId, reply.body.node);
        onAnswer();
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, (_, connection) => client(connection)));

  return others;
}

async function nodeOf(url: string, callId: string): Promise<unknown> {
  const response = await fetch(`${url}/v1/calls/${encodeURIComponent(callId)}`);
  const { node_id: node } = (await response.json()) as { node_id?: unknown };

  return response.status === 200 ? node : `status ${response.status}`;
}

/** Runs `work` on all items, some at a time. */
async function forAll<T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const rest = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = rest.next(); !next.done; next = rest.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
}

describe.each(NODE_KINDS)('after kill -9 under load: %s', (kind) => {
  let relays: Relay[] = [];
  beforeAll(async () => {
    relays = await Promise.all([startFake(kind), startFake(kind)]);
  });

  test(
    `every call that was answered 200 is known with its node, and its answer goes there (${ROUNDS} rounds)`,
    async () => {
      const database = `${temporaryFolder()}/durable.db`;
      const tried = new Set<string>();
      const acknowledged = new Map<string, unknown>();
      let appliance = await serve(database);
      await addNodes(appliance, relays);
      for (let round = 0; round < ROUNDS; round++) {
        const ofRound = new Map<string, unknown>();
        const end = ANSWERS.least + Math.floor(Math.random() * (ANSWERS.most - ANSWERS.least));
        const victim = appliance.pid;
        const others = await placeUntilDead(appliance.url, `r${round}`, tried, ofRound, () => {
          if (ofRound.size === end) process.kill(victim, 'SIGKILL');
        });
        expect(others).toEqual([]);
        expect(ofRound.size).toBeGreaterThanOrEqual(end);
        for (const [callId, node] of ofRound) acknowledged.set(callId, node);

        appliance = await serve(database);
        const { url } = appliance;
        const live = await liveCalls(appliance);
        const lost = [...acknowledged].filter(([callId, node]) => live.get(callId) !== node);
        const invented = [...live].filter(
          ([callId, node]) => !tried.has(callId) || (node !== 1 && node !== 2),
        );
        expect({ round, lost, invented }).toEqual({ round, lost: [], invented: [] });
        await forAll(ofRound, async ([callId, node]) => {
          expect([callId, await nodeOf(url, callId)]).toEqual([callId, node]);
          const reply = await answer(url, callId);
          expect([callId, reply.status, reply.body.node]).toEqual([callId, 200, node]);
          const shown = NODES.find(({ id }) => id === node)?.inner ?? '';
          expect(readSdp(String(reply.body.sdp)).streams[0]?.address).toBe(shown);
        });
      }
      const { placed, unanswered } = {
        placed: acknowledged.size,
        unanswered: tried.size - acknowledged.size,
      };
      console.log(`${ROUNDS} kills: ${placed} calls acknowledged and kept, ${unanswered} without an answer`);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'the nodes themselves, which are added while calls are placed, are all there',
    async () => {
      const database = `${temporaryFolder()}/nodes.db`;
      let appliance = await serve(database);
      const { url, pid } = appliance;
      const added: number[] = [];
      for (let id = 1; ; id++) {
        // Nobody listens there: set 7 takes no part in calls.
        const body = { id, set_id: 7, socket: `udp:127.0.0.1:${20_000 + id}`, inner_media_ip: '10.0.0.1' };
        const status = await post(url, '/v1/nodes', body).then(
          (reply) => reply.status,
          () => 0,
        );
        if (status === 0) break;
        expect(status).toBeLessThan(300);
        added.push(id);
        if (id === 25) process.kill(pid, 'SIGKILL');
      }
      appliance = await serve(database);
      const { nodes } = (await appliance.api('GET', '/v1/nodes')) as { nodes: { id: number }[] };
      const known = new Set(nodes.map(({ id }) => id));
      expect(added.filter((id) => !known.has(id))).toEqual([]);
      expect(added.length).toBeGreaterThanOrEqual(25);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});
