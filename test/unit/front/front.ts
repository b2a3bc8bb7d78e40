/** The ng commands with the use cases behind them, and fakes around. */

import type { Sides } from '../../../src/domain/side.ts';
import { NgCommands } from '../../../src/front/commands.ts';
import type { NgDict } from '../../../src/relay/driver.ts';
import { type ClusterOptions, makeCluster, phoneSdp } from '../../fakes/cluster.ts';

/** With the aliases that sides have by default, and one of a side of its own. */
export const SIDES: Sides = {
  names: ['inner', 'outer', 'mpls'],
  aliases: new Map([
    ...['priv', 'private', 'internal', 'inside'].map((alias) => [alias, 'inner'] as const),
    ...['pub', 'public', 'external', 'outside'].map((alias) => [alias, 'outer'] as const),
    ['vpn', 'mpls'],
  ]),
};

export const CALLER = phoneSdp('10.9.9.9');
export const CALLEE = phoneSdp('203.0.113.9');

export const OFFER: NgDict = {
  command: 'offer',
  'call-id': 'c1',
  'from-tag': 'A',
  sdp: CALLER,
  direction: ['priv', 'pub'],
};
export const ANSWER: NgDict = {
  command: 'answer',
  'call-id': 'c1',
  'from-tag': 'A',
  'to-tag': 'B',
  sdp: CALLEE,
};

export function makeFront(options: ClusterOptions = {}) {
  const cluster = makeCluster(options);
  const commands = new NgCommands({ ...cluster, sides: SIDES });

  return {
    ...cluster,
    commands,
    ask: (message: NgDict, setId = 0): Promise<NgDict> => commands.handle(message, setId),
  };
}

export type Front = ReturnType<typeof makeFront>;

/** A front with a call between A and B that stands. */
export async function established(options: ClusterOptions = {}): Promise<Front> {
  const front = makeFront(options);
  for (const message of [OFFER, ANSWER]) {
    const reply = await front.ask(message);
    if (reply.result !== 'ok') throw new Error(JSON.stringify(reply));
  }
  front.trace.length = 0;

  return front;
}

/** The address in the `c=` line of a reply. */
export function shownIn(reply: NgDict): string {
  return /^c=IN IP[46] (\S+)/m.exec(String(reply.sdp))?.[1] ?? JSON.stringify(reply);
}
