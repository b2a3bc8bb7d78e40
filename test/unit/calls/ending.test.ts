/** What the delete of an ng client ends: such clients name parties, and mean several things by it (ng-protocol 8). */

import { describe, expect, test } from 'bun:test';
import type { DeleteFacts } from '../../../src/calls/facts.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { type Cluster, makeCluster, phoneSdp, relayed } from '../../fakes/cluster.ts';

const WARNING = "Call-ID not found or tags didn't match";

/** A call of A with answers of these callees. */
async function answered(...callees: readonly string[]): Promise<Cluster> {
  const cluster = makeCluster();
  const facts = { callId: 'c1', fromTag: 'A', extra: {}, direction: { from: 'inner', to: 'outer' } };
  relayed(await cluster.media.offer({ ...facts, sdp: phoneSdp('10.9.9.9'), isInDialog: false }));
  for (const toTag of callees) {
    relayed(await cluster.media.answer({ ...facts, toTag, sdp: phoneSdp('203.0.113.9'), isFinal: true }));
  }

  return cluster;
}

type Parties = NonNullable<DeleteFacts['ng']>;

/** A call of A that is offered on these branches. */
async function branches(...names: readonly string[]): Promise<Cluster> {
  const cluster = makeCluster();
  const facts = { callId: 'c1', fromTag: 'A', extra: {}, direction: { from: 'inner', to: 'outer' } };
  for (const branch of names)
    relayed(await cluster.media.offer({ ...facts, branch, sdp: phoneSdp('10.9.9.9'), isInDialog: false }));

  return cluster;
}

/** @param more tags named besides those */
async function end({ ending }: Cluster, parties: Parties, branch?: string, ...more: string[]) {
  const result = await ending.delete({
    callId: 'c1',
    reason: 'delete',
    ng: parties,
    tags: [parties.fromTag ?? [], parties.leaving ?? [], ...more].flat(),
    ...(branch === undefined ? {} : { branch }),
  });
  if (result instanceof Failure) throw new Error(result.message);

  return result.reply;
}

describe('a delete by ng', () => {
  test.each(['A', 'B'])('from %p ends the call, and asks for its statistics', async (fromTag) => {
    const cluster = await answered('B');
    await end(cluster, { fromTag });
    expect(cluster.relay(0).deletes).toMatchObject([{ callId: 'c1', wantsStatistics: true }]);
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('from nobody ends the call without a further question', async () => {
    const cluster = await answered('B');
    await end(cluster, {});
    expect(cluster.relay(0).deletes).toEqual([expect.not.objectContaining({ wantsStatistics: true })]);
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('from somebody else leaves a call alone whose parties are known', async () => {
    const cluster = await answered('B');
    expect(await end(cluster, { fromTag: 'X' })).toEqual({ result: 'ok', warning: WARNING });
    expect(cluster.relay(0).deletes).toEqual([]);
    expect(cluster.calls.get('c1')).toBeDefined();
  });

  test('from a callee nobody has heard of yet ends the call', async () => {
    const cluster = await answered();
    await end(cluster, { fromTag: 'B' });
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('of one of several callees forgets him, and the node is not told', async () => {
    const cluster = await answered('B', 'C');
    expect(await end(cluster, { fromTag: 'A', leaving: 'B' })).toEqual({ result: 'ok' });
    expect(cluster.relay(0).deletes).toEqual([]);
    expect(cluster.calls.get('c1')?.legs.map(({ tag }) => tag)).toEqual(['A', 'C']);
    await end(cluster, { fromTag: 'A', leaving: 'C' });
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('of somebody nobody knows ends the call if the other party is known', async () => {
    const cluster = await answered('B');
    await end(cluster, { fromTag: 'X' }, undefined, 'A');
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('of the caller by a callee ends the call, however many callees there are', async () => {
    const cluster = await answered('B', 'C');
    await end(cluster, { fromTag: 'B', leaving: 'A' });
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test('of a branch leaves the others alone, and said again it changes nothing: the node would end all', async () => {
    const cluster = await branches('b1', 'b2', 'b3');
    await end(cluster, {}, 'b1');
    await end(cluster, {}, 'b2');
    expect(cluster.relay(0).deletes).toMatchObject([
      { branch: 'b1', fromTag: 'A' },
      { branch: 'b2', fromTag: 'A' },
    ]);
    expect(await end(cluster, {}, 'b1')).toEqual({ result: 'ok', warning: WARNING });
    expect(cluster.relay(0).deletes).toHaveLength(2);
    expect(cluster.calls.get('c1')?.legs.map(({ branch }) => branch)).toEqual(['b3']);
    await end(cluster, {}, 'b3');
    expect(cluster.calls.get('c1')).toBeUndefined();
  });

  test.each(['A', 'B'])(
    'of a branch that never was ends the call: a BYE from %p has a Via of its own',
    async (fromTag) => {
      const cluster = await branches('b1', 'b2');
      const answer = { callId: 'c1', fromTag: 'A', toTag: 'B', extra: {}, branch: 'b1', isFinal: true };
      relayed(await cluster.media.answer({ ...answer, sdp: phoneSdp('203.0.113.9') }));
      await end(cluster, { fromTag }, 'z9hG4bK-bye');
      expect(cluster.relay(0).deletes).toHaveLength(1);
      expect(cluster.relay(0).deletes[0]).not.toHaveProperty('branch');
      expect(cluster.calls.get('c1')).toBeUndefined();
    },
  );

  test('of a branch ends a call whose offers named none', async () => {
    const cluster = await answered('B');
    await end(cluster, {}, 'z9hG4bK1');
    expect(cluster.relay(0).deletes).toHaveLength(1);
    expect(cluster.relay(0).deletes[0]).not.toHaveProperty('branch');
    expect(cluster.calls.get('c1')).toBeUndefined();
  });
});

describe('a delete by HTTP', () => {
  test('of a branch whose offer no node took leaves the others ringing', async () => {
    const cluster = await branches('b1', 'b2');
    await cluster.requests.auto({
      sip: {
        callId: 'c1',
        fromTag: 'A',
        method: 'INVITE',
        cseq: '1',
        hasSdp: false,
        branch: 'b3',
        end: '503',
      },
      sdp: '',
      extra: {},
    });
    expect(cluster.relay(0).deletes).toEqual([]);
    expect(cluster.calls.get('c1')?.legs.map(({ branch }) => branch)).toEqual(['b1', 'b2']);
  });

  test.each(['b1', 'b2', 'b0', undefined])(
    'by a BYE with branch %p ends the call, whatever else rings',
    async (branch) => {
      const cluster = await branches('b1', 'b2');
      const answer = { callId: 'c1', fromTag: 'A', toTag: 'B', extra: {}, branch: 'b1', isFinal: true };
      relayed(await cluster.media.answer({ ...answer, sdp: phoneSdp('203.0.113.9') }));
      await cluster.requests.auto({
        sip: {
          callId: 'c1',
          fromTag: 'A',
          toTag: 'B',
          method: 'BYE',
          cseq: '2',
          hasSdp: false,
          ...(branch === undefined ? {} : { branch }),
        },
        sdp: '',
        extra: {},
      });
      expect(cluster.relay(0).deletes).toHaveLength(1);
      expect(cluster.relay(0).deletes[0]).not.toHaveProperty('branch');
      expect(cluster.calls.get('c1')).toBeUndefined();
    },
  );
});
