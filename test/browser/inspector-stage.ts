/** Calls through a real rtpengine for the tests of the inspector: two phones, and an appliance between. */

import { type Appliance, settled } from '../lab/appliance.ts';
import { startDashboard } from '../lab/browser.ts';
import { Phone } from '../lab/phone.ts';
import { freeUdpPort, loopbackNetwork } from '../lab/ports.ts';
import { type Rtpengine, startRtpengine } from '../lab/rtpengine.ts';
import { audioOf, buildSdp } from '../lab/sdp.ts';

/** Frames a second of a phone that talks. */
const FRAMES_PER_S = 50;

export interface Stage {
  readonly appliance: Appliance;
  /** Of the relay, as each side sees it. */
  readonly inner: string;
  readonly outer: string;
  /** Where it is asked. */
  readonly socket: string;
  /** Addresses of this stage's own network. */
  readonly host: (number: number) => string;
  /** Adds a node that calls go to before the first; returns what ends its relay, so that the next request finds out. */
  addNode(id: number): Promise<() => Promise<void>>;
  /** Begins a call from inside to outside; both parties know where to send to. */
  call(callId: string): Promise<StagedCall>;
  stop(): Promise<void>;
}

export interface StagedCall {
  readonly caller: Phone;
  readonly callee: Phone;
  /** The phone talks until the function is called that comes back. */
  talk(phone: Phone): () => Promise<void>;
  hangUp(): Promise<void>;
}

/** @param withNode whether the relay is a node already */
export async function startStage(withNode = true): Promise<Stage> {
  const host = loopbackNetwork();
  const [inner, outer] = [host(2), host(3)];
  const relays: Rtpengine[] = [];
  let portMin = 32_000 + 400 * Math.floor(Math.random() * 50);
  const startRelay = async (): Promise<{ readonly socket: string; readonly process: Rtpengine }> => {
    const ngPort = await freeUdpPort();
    const process = await startRtpengine({
      ngPort,
      address: `inner/${inner}`,
      portMin,
      portMax: portMin + 199,
      extra: [`--interface=outer/${outer}`],
    });
    portMin += 200;
    relays.push(process);

    return { socket: `udp:127.0.0.1:${ngPort}`, process };
  };
  const { socket } = await startRelay();
  const appliance = await startDashboard();
  const phones: Phone[] = [];
  const addNode = async (id: number, node: object): Promise<void> => {
    const media_addresses = [
      { side: 'inner', address: inner, interface: 'inner' },
      { side: 'outer', address: outer, interface: 'outer' },
    ];
    await appliance.api('POST', '/v1/nodes', { id, impose_mode: 'interface', media_addresses, ...node });
    await settled(appliance, id);
  };
  if (withNode) await addNode(1, { socket, priority: 1 });

  return {
    appliance,
    inner,
    outer,
    socket,
    host,
    async addNode(id) {
      const { socket: own, process } = await startRelay();
      await addNode(id, { socket: own });

      return () => process.stop();
    },
    async call(callId) {
      const caller = await Phone.open({ call: callId, side: 'inner', partner: 'outer', address: host(10) });
      const callee = await Phone.open({ call: callId, side: 'outer', partner: 'inner', address: host(20) });
      phones.push(caller, callee);
      const tell = async (message: object): Promise<{ sdp: string }> => {
        const body = { 'call-id': callId, 'from-tag': 'caller-tag', ...message };

        return (await appliance.api('POST', '/v1/media/auto', body)) as { sdp: string };
      };
      const invite = { method: 'INVITE', cseq: '1', dir: 'out' };
      const offer = await tell({ ...invite, sdp: buildSdp(caller.local) });
      callee.pointAt(audioOf(offer.sdp));
      const answer = await tell({
        ...invite,
        status: '200',
        'to-tag': 'callee-tag',
        sdp: buildSdp(callee.local),
      });
      caller.pointAt(audioOf(answer.sdp));

      return {
        caller,
        callee,
        talk(phone) {
          let isOver = false;
          const over = (async () => {
            while (!isOver) await phone.talk(FRAMES_PER_S / 5);
          })();

          return async () => {
            isOver = true;
            await over;
          };
        },
        async hangUp() {
          await tell({ method: 'BYE', cseq: '2', 'to-tag': 'callee-tag' });
        },
      };
    },
    async stop() {
      for (const phone of phones) phone.close();
      await appliance.stop();
      for (const relay of relays) await relay.stop();
    },
  };
}
