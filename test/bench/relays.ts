/** The relays of the benchmark, fake and real, of both kinds. */

import type { NodeKind, SocketAddress } from '../../src/domain/node.ts';
import type { RelayDriver } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { createRtpproxyDriver } from '../../src/relay/rtpproxy/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { leashed, own, poll } from '../lab/processes.ts';
import { whyNoRtpengine } from '../lab/rtpengine.ts';
import { startRtpproxy, whyNoRtpproxy } from '../lab/rtpproxy.ts';
import { start } from './processes.ts';

export interface Relays {
  readonly kind: NodeKind;
  /** As the tables say it. */
  readonly name: string;
  /** `HOST:PORT` of each. */
  readonly places: readonly string[];
  stop(): Promise<unknown>;
}

/** An rtpproxy does all in one thread, so there are several of them; with rtpengine the figures have always been those of one. */
const COUNT: Readonly<Record<NodeKind, number>> = { rtpengine: 1, rtpproxy: 2 };
const MEDIA_PORTS = { portMin: 20_000, portMax: 29_999 };

/** Each a process of its own. */
export async function fakeRelays(kind: NodeKind, binary: string): Promise<Relays> {
  const places = await freePlaces(kind);
  const processes = await Promise.all(
    places.map((place) =>
      start([binary, 'fake-relay', '--kind', kind, '--listen', place], new RegExp(place)),
    ),
  );
  const stop = () => Promise.all(processes.map((each) => each.stop()));

  return { kind, name: `${places.length} fake ${kind}`, places, stop };
}

/** Real ones, or why there are none. */
export async function realRelays(kind: NodeKind): Promise<Relays | string> {
  const reason = kind === 'rtpengine' ? whyNoRtpengine() : whyNoRtpproxy();
  if (reason !== undefined) return reason;
  const places = await freePlaces(kind);
  const processes = await Promise.all(
    places.map((place, index) => startReal(kind, place, `127.0.0.${11 + index}`)),
  );
  const stop = () => Promise.all(processes.map((each) => each.stop()));

  return { kind, name: `${places.length} ${kind}`, places, stop };
}

/** Our own drivers, one for each relay. */
export function driversOf({ kind, places }: Pick<Relays, 'kind' | 'places'>): readonly RelayDriver[] {
  return places.map((place) =>
    kind === 'rtpengine'
      ? createNgDriver(placeOf(place), systemClock)
      : createRtpproxyDriver({ transport: 'udp', ...placeOf(place) }, systemClock),
  );
}

async function freePlaces(kind: NodeKind): Promise<string[]> {
  const places = new Set<string>();
  while (places.size < COUNT[kind]) places.add(`127.0.0.1:${await freeUdpPort()}`);

  return [...places];
}

/** With media addresses that differ, or they would get into the way of each other. */
function startReal(kind: NodeKind, place: string, media: string): Promise<{ stop(): Promise<void> }> {
  return kind === 'rtpproxy'
    ? startRtpproxy({ socket: `udp:${place}`, listen: media, ...MEDIA_PORTS })
    : startQuiet(place, media);
}

/** An rtpengine that does not log each command, as the one for tests does; that would be measured too. It answers pings when it is ready. */
async function startQuiet(place: string, media: string): Promise<{ stop(): Promise<void> }> {
  const options = ['--config-file=none', '--foreground', '--log-stderr', '--log-level=3', '--table=-1'];
  const where = [
    `--interface=${media}`,
    `--listen-ng=${place}`,
    `--port-min=${MEDIA_PORTS.portMin}`,
    `--port-max=${MEDIA_PORTS.portMax}`,
    '--delete-delay=0',
  ];
  const child = own(
    Bun.spawn(leashed(['rtpengine', ...options, ...where]), {
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
    }),
  );
  const driver = createNgDriver(placeOf(place), systemClock);
  await poll(
    async () => ((await driver.ping(performance.now() + 100)) === 'pong' ? true : undefined),
    () => 'rtpengine does not answer',
  );
  driver.close();

  return {
    async stop() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

function placeOf(place: string): SocketAddress {
  const [host = '', port] = place.split(':');

  return { host, port: Number(port) };
}
