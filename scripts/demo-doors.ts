/** The two doors by which a SIP proxy hands over a call, each as its own script or module does. */

import type { NgClient } from '../test/lab/ng-client.ts';
import type { SipProxy } from '../test/lab/proxy.ts';
import { audioOf, buildSdp, type Endpoint } from '../test/lab/sdp.ts';

/** A call as its proxy sees it. */
export interface Door {
  readonly name: 'http' | 'ng';
  /** The INVITE with the caller's SDP; returns where the callee is told to send. */
  invite(callId: string, way: 'out' | 'in', caller: Endpoint): Promise<Endpoint>;
  /** The 200 with the callee's SDP; returns where the caller is told to send. */
  accept(callId: string, callee: Endpoint): Promise<Endpoint>;
  bye(callId: string): Promise<void>;
}

const INVITE = { fromTag: 'caller', cseq: 1, method: 'INVITE' } as const;

/** One POST for each SIP message. */
export function httpDoor(proxy: SipProxy, setOf: (way: 'out' | 'in') => number): Door {
  return {
    name: 'http',
    invite: (callId, way, caller) =>
      proxy.audio(callId, { ...INVITE, dir: way, set: setOf(way), body: buildSdp(caller) }),
    accept: (callId, callee) =>
      proxy.audio(callId, { ...INVITE, toTag: 'callee', status: 200, body: buildSdp(callee) }),
    async bye(callId) {
      const facts = { method: 'BYE', fromTag: 'caller', toTag: 'callee', cseq: 2 };
      const { status } = await proxy.auto(callId, facts);
      if (status !== 204) throw new Error(`BYE: ${status} instead of 204`);
    },
  };
}

/** Commands of the ng protocol, as the stock rtpengine modules send them. */
export function ngDoor(client: NgClient, setOf: (way: 'out' | 'in') => number): Door {
  const ask = async (message: Parameters<NgClient['ask']>[0]) => {
    const reply = await client.ask(message);
    if (reply.result !== 'ok') throw new Error(`ng: ${JSON.stringify(reply)}`);

    return reply;
  };
  const parties = { 'from-tag': 'caller' };

  return {
    name: 'ng',
    async invite(callId, way, caller) {
      const direction = way === 'out' ? ['internal', 'external'] : ['external', 'internal'];
      const offer = { command: 'offer', 'call-id': callId, ...parties, direction, sdp: buildSdp(caller) };

      return audioOf(String((await ask({ ...offer, 'cluster-set': setOf(way) })).sdp));
    },
    async accept(callId, callee) {
      const answer = { command: 'answer', 'call-id': callId, ...parties, 'to-tag': 'callee' };

      return audioOf(String((await ask({ ...answer, sdp: buildSdp(callee) })).sdp));
    },
    async bye(callId) {
      await ask({ command: 'delete', 'call-id': callId, ...parties });
    },
  };
}
