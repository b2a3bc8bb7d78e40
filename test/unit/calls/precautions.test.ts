/** Each of these sequences ended rtpengine 10.5.3.5 when it was sent as it came. */

import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { failed, makeCluster, phoneSdp, relayed } from '../../fakes/cluster.ts';
import { anchored } from '../../fakes/driver.ts';

const DIRECTION = { from: 'inner', to: 'outer' };

function start() {
  const cluster = makeCluster();
  const { media, clock } = cluster;
  const common = { callId: 'c1', extra: {}, direction: DIRECTION, sdp: phoneSdp('10.9.9.9') };

  return {
    ...cluster,
    async offer(fromTag: string, toTag?: string, branch?: string) {
      await clock.advance(10);

      return media.offer({
        ...common,
        fromTag,
        isInDialog: toTag !== undefined,
        ...(toTag === undefined ? {} : { toTag }),
        ...(branch === undefined ? {} : { branch }),
      });
    },
    async answer(fromTag: string, toTag: string, branch?: string) {
      await clock.advance(10);

      return media.answer({
        ...common,
        fromTag,
        toTag,
        isFinal: true,
        ...(branch === undefined ? {} : { branch }),
      });
    },
    command: (message: Record<string, string>) =>
      media.command({ 'call-id': 'c1', ...message }, { ...common, fromTag: message['from-tag'] ?? '' }),
  };
}

describe('an offer without to-tag', () => {
  test('of a party whose partner was taken by a third one names who spoke last', async () => {
    const { offer, answer, relay } = start();
    relayed(await offer('C'));
    relayed(await answer('C', 'B'));
    relayed(await offer('X', 'B'));
    relayed(await offer('C'));
    expect(relay(0).offers.map(({ toTag }) => toTag)).toEqual([undefined, 'B', 'X']);
  });

  test('of one of two parties stays as it is: the relay knows the other', async () => {
    const { offer, answer, relay } = start();
    relayed(await offer('A'));
    relayed(await answer('A', 'B'));
    relayed(await offer('A'));
    expect(relay(0).offers.at(-1)).not.toHaveProperty('toTag');
  });

  test('of a further branch, or of somebody new, stays as it is', async () => {
    const { offer, answer, relay } = start();
    for (const branch of ['b1', 'b2']) {
      relayed(await offer('A', undefined, branch));
      relayed(await answer('A', `callee of ${branch}`, branch));
    }
    relayed(await offer('A', undefined, 'b3'));
    relayed(await offer('N'));
    for (const { toTag } of relay(0).offers) expect(toTag).toBeUndefined();
  });
});

test('who answered himself cannot offer without a to-tag, but goes on with one', async () => {
  const { offer, answer, relay } = start();
  relayed(await offer('C'));
  relayed(await answer('C', 'C'));
  expect(failed(await offer('C')).message).toContain('must name the other party');
  relayed(await offer('C', 'B'));
  expect(relay(0).offers).toHaveLength(2);
});

describe('subscriptions', () => {
  test('a party cannot be unsubscribed, nor subscribe', async () => {
    const { offer, command, relay } = start();
    relayed(await offer('A'));
    for (const name of ['unsubscribe', 'subscribe request']) {
      const failure = failed(await command({ command: name, 'from-tag': 'A', 'to-tag': 'A' }));
      expect(failure.code).toBe('RTPC_COMMAND_UNSUPPORTED');
    }
    expect(relay(0).commands).toEqual([]);
  });

  test('a subscriber cannot offer without a to-tag', async () => {
    const { offer, command, relay } = start();
    relayed(await offer('C'));
    relay(0).next('command', { result: 'ok', sdp: anchored('198.51.100.1') });
    const subscribe = { command: 'subscribe request', 'from-tag': 'C', 'to-tag': 'S' };
    expect(await command(subscribe)).not.toBeInstanceOf(Failure);
    expect(failed(await offer('S')).message).toContain('has subscribed');
    expect(relay(0).offers).toHaveLength(1);
  });

  test('of a listener end as ever', async () => {
    const { offer, command, relay } = start();
    relayed(await offer('C'));
    relay(0).next('command', { result: 'ok' });
    expect(await command({ command: 'unsubscribe', 'to-tag': 'S' })).not.toBeInstanceOf(Failure);
    expect(relay(0).commands).toHaveLength(1);
  });
});
