/** The relays the proxies of the documents are tested with. */

import type { NodeKind } from '../../src/domain/node.ts';
import { startFake } from './fake-relays.ts';
import { freeUdpPort } from './ports.ts';
import { type CallKeeper, callsOnReal, startReal, whyNoRelay } from './relays.ts';
import { startRtpengine } from './rtpengine.ts';

const MEDIA_PORTS = { portMin: 30_000, portMax: 30_999 } as const;

/** The relays of a lab. The scripts and the calls are the same for all of them. */
export interface Relays {
  readonly name: string;
  readonly kinds: readonly NodeKind[];
  /** Whether they only pretend: they answer, but relay no media. */
  readonly isFake: boolean;
}

export const RELAYS: readonly Relays[] = [
  { name: 'rtpengines', kinds: ['rtpengine', 'rtpengine'], isFake: false },
  { name: 'rtpproxies', kinds: ['rtpproxy', 'rtpproxy'], isFake: false },
  { name: 'one of each kind', kinds: ['rtpengine', 'rtpproxy'], isFake: false },
  { name: 'fake rtpproxies', kinds: ['rtpproxy', 'rtpproxy'], isFake: true },
];

/** What the door `rtpengine` leads to. */
export const ALONE: Relays = { name: 'an rtpengine alone', kinds: ['rtpengine'], isFake: false };

/** Why there can be no lab with such relays, or undefined. */
export function whyNoRelays({ kinds, isFake }: Relays): string | undefined {
  return isFake ? undefined : kinds.map(whyNoRelay).find((reason) => reason !== undefined);
}

export interface LabRelay extends CallKeeper {
  readonly kind: NodeKind;
  readonly socket: string;
  stop(): Promise<void>;
}

/**
 * Starts a relay on an address of the network inside.
 * @param shown address for the SDP outside, of an rtpengine that has an interface for each side; one interface if missing
 */
export async function startRelay(
  kind: NodeKind,
  isFake: boolean,
  address: string,
  shown?: string,
): Promise<LabRelay> {
  if (isFake) {
    const fake = await startFake(kind);

    return { kind, socket: fake.socket, calls: fake.calls, stop: fake.kill };
  }
  const port = await freeUdpPort(address);
  const { stop } = await (shown === undefined
    ? startReal(kind, { address, port, ...MEDIA_PORTS })
    : startRtpengine({
        ngAddress: address,
        ngPort: port,
        address: `internal/${address}`,
        extra: [`--interface=external/${address}!${shown}`],
        ...MEDIA_PORTS,
      }));
  const socket = `udp:${address}:${port}`;

  return { kind, socket, calls: () => callsOnReal(kind, socket), stop };
}
