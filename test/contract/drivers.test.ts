/**
 * The relay drivers against their relays, real and fake. Real ones are skipped where there are none: `rtpengine` on the path,
 * which RTPC_REQUIRE_ALL=1 demands, and an rtpproxy named by RTPPROXY_BIN.
 */

import { afterAll, describe } from 'bun:test';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ControlSocket, parseSocket } from '../../src/domain/node.ts';
import type { RelayDriver, RelayMonitor } from '../../src/relay/driver.ts';
import type { FakeServer } from '../../src/relay/fake/server.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { FakeNode } from '../../src/relay/ng/fake-node.ts';
import { createNgMonitor } from '../../src/relay/ng/monitor.ts';
import { createRtpproxyDriver } from '../../src/relay/rtpproxy/driver.ts';
import { FakeRtpproxy } from '../../src/relay/rtpproxy/fake-node.ts';
import { createRtpproxyMonitor } from '../../src/relay/rtpproxy/monitor.ts';
import { systemClock } from '../../src/util/clock.ts';
import { freeze, thaw } from '../lab/freeze.ts';
import { freeSipPort, freeUdpPort, loopbackNetwork } from '../lab/ports.ts';
import { sweep, temporaryFolder } from '../lab/processes.ts';
import { startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';
import { startRtpproxy, whyNoRtpproxy } from '../lab/rtpproxy.ts';
import { describeDriver, describeTransport } from '../suites/driver.ts';
import type { Relay, Stage, StageOptions } from '../suites/stage.ts';

const whyNo = { rtpengine: whyNoRtpengine(), rtpproxy: whyNoRtpproxy() };
for (const [kind, reason] of Object.entries(whyNo))
  if (reason !== undefined) console.warn(`SKIP test/contract/drivers, real ${kind}: ${reason}`);

afterAll(sweep);

type Kind = Omit<Stage, 'start' | 'hasMedia' | 'canRevive'>;
const NG: Kind = { renewsCalls: false, sessions: 'calls', listsCalls: true, overfull: 'refused' };
const RTPPROXY: Kind = { renewsCalls: true, sessions: 'streams', listsCalls: false, overfull: 'rejected' };

interface Clients {
  readonly driver: RelayDriver;
  readonly monitor: RelayMonitor;
}

/** A range of media ports of one's own: rtpengine takes four for a call, and the end of the range is one of them. */
function portRange(count: number): { portMin: number; portMax: number } {
  const portMin = 34_000 + 128 * Math.floor(Math.random() * 200);

  return { portMin, portMax: portMin + count - 1 };
}

/** A fake relay in this process. */
function ofFake(node: FakeServer, { driver, monitor }: Clients): Relay {
  return {
    driver,
    monitor,
    get isUp() {
      return node.isAlive;
    },
    async kill() {
      node.die();
      node.restart();
      // Clients with a connection hear of it.
      await Bun.sleep(5);
    },
    revive: () => node.revive(),
    freeze: async () => node.hang(),
    thaw: () => node.resume(),
    async end() {
      driver.close();
      monitor.close();
      node.stop();
    },
  };
}

interface Daemon {
  readonly pid: number;
  stop(): Promise<void>;
}

/** A relay that is a process. */
async function ofDaemon(launch: () => Promise<Daemon>, { driver, monitor }: Clients): Promise<Relay> {
  let daemon: Daemon | undefined = await launch();
  const kill = async (): Promise<void> => {
    await daemon?.stop();
    daemon = undefined;
  };

  return {
    driver,
    monitor,
    get isUp() {
      return daemon !== undefined;
    },
    kill,
    async revive() {
      daemon = await launch();
    },
    async freeze() {
      if (daemon !== undefined) await freeze(daemon.pid);
    },
    thaw() {
      if (daemon !== undefined) thaw(daemon.pid);
    },
    async end() {
      driver.close();
      monitor.close();
      await kill();
    },
  };
}

function ngClients(port: number): Clients {
  const at = { host: '127.0.0.1', port };

  return {
    driver: createNgDriver(at, systemClock),
    monitor: createNgMonitor(at, systemClock, { httpPort: null }),
  };
}

function rtpproxyClients(socket: ControlSocket): Clients {
  return {
    driver: createRtpproxyDriver(socket, systemClock),
    monitor: createRtpproxyMonitor(socket, systemClock),
  };
}

describeDriver('a fake rtpengine', {
  ...NG,
  hasMedia: false,
  canRevive: true,
  async start({ isScarce = false }: StageOptions = {}) {
    const node = await FakeNode.start({ ...portRange(isScarce ? 4 : 100), address6: '::1' });

    return ofFake(node, ngClients(node.address.port));
  },
});

describe.skipIf(whyNo.rtpengine !== undefined)('real', () => {
  describeDriver('rtpengine', {
    ...NG,
    hasMedia: true,
    canRevive: true,
    async start({ isScarce = false }: StageOptions = {}) {
      const ngPort = await freeUdpPort();
      const settings = { ngPort, address: '127.0.0.1', ...portRange(isScarce ? 4 : 100) };

      return ofDaemon(() => startRtpengine({ ...settings, extra: ['--interface=::1'] }), ngClients(ngPort));
    },
    prompt: () => ({ blob: wave().toString('latin1') }),
  });
});

const TRANSPORTS = ['udp', 'unix', 'cunix', 'tcp'] as const;
type Transport = (typeof TRANSPORTS)[number];

/** A control socket that is free. */
async function freeSocket(transport: Transport): Promise<string> {
  if (transport === 'udp') return `udp:127.0.0.1:${await freeUdpPort()}`;
  // At an address of its own: what a test before has closed stays taken for rtpproxy.
  const host = loopbackNetwork()(1);
  if (transport === 'tcp') return `tcp:${host}:${await freeSipPort(host)}`;

  return `${transport}:${join(temporaryFolder(), 'rtpproxy.sock')}`;
}

for (const transport of TRANSPORTS) {
  const run = transport === 'udp' ? describeDriver : describeTransport;

  run(`a fake rtpproxy over ${transport}`, {
    ...RTPPROXY,
    hasMedia: false,
    canRevive: true,
    async start({ isScarce = false }: StageOptions = {}) {
      const socket = parsed(await freeSocket(transport));
      const node = await FakeRtpproxy.start({ listen: [socket], ...portRange(isScarce ? 4 : 100) });

      return ofFake(node, rtpproxyClients(socket));
    },
  });

  describe.skipIf(whyNo.rtpproxy !== undefined)('real', () => {
    run(`rtpproxy over ${transport}`, {
      ...RTPPROXY,
      hasMedia: true,
      // It does not reuse addresses.
      canRevive: transport !== 'tcp',
      async start({ isScarce = false }: StageOptions = {}) {
        const socket = await freeSocket(transport);
        const { portMin, portMax } = portRange(isScarce ? 4 : 100);

        return ofDaemon(
          () => startRtpproxy({ socket, portMin, portMax: portMax + 1 }),
          rtpproxyClients(parsed(socket)),
        );
      },
      prompt() {
        const file = join(temporaryFolder(), 'prompt');
        writeFileSync(`${file}.8`, Buffer.alloc(8000, 0x2a));

        return { file };
      },
    });
  });
}

function parsed(socket: string): ControlSocket {
  const address = parseSocket(socket);
  if (address === undefined) throw new Error(`${socket} is no control socket`);

  return address;
}

/** A second of a buzz, 8 kHz, 16 bits, mono. */
function wave(): Buffer {
  const samples = Buffer.alloc(16_000);
  for (let at = 0; at < samples.length; at += 2) samples.writeInt16LE(((at * 97) % 16_000) - 8000, at);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0, 'latin1');
  head.writeUInt32LE(36 + samples.length, 4);
  head.write('WAVEfmt ', 8, 'latin1');
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36, 'latin1');
  head.writeUInt32LE(samples.length, 40);

  return Buffer.concat([head, samples]);
}
