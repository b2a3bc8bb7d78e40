/** Fake relays of the compiled binary as processes of their own; they outlive the appliance, as real ones do. */

import { randomUUID } from 'node:crypto';
import { type NodeKind, parseSocket } from '../../src/domain/node.ts';
import { type NgDict, RelayFailure } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { BINARY } from './appliance.ts';
import { freeUdpPort } from './ports.ts';
import { leashed, own, poll } from './processes.ts';
import { callsOnRelay } from './relays.ts';

/** Time a fake rtpproxy has to answer, asked again and again, ms. */
const ANSWER_MS = 3000;

export interface Relay {
  readonly kind: NodeKind;
  readonly socket: string;
  /** Changes its faults. */
  order(faults: NgDict): Promise<void>;
  /** Call-IDs it has. */
  calls(): Promise<readonly string[]>;
  kill(): Promise<void>;
}

/** A fake rtpengine on a free port, or on `port`; the binary has to be there (`ensureBinary`). */
export function startRelay(port?: number, ...flags: string[]): Promise<Relay> {
  return startFake('rtpengine', port, ...flags);
}

/** A fake relay of a kind on a free port, or on `port`; the binary has to be there (`ensureBinary`). */
export async function startFake(kind: NodeKind, port?: number, ...flags: string[]): Promise<Relay> {
  const at = port ?? (await freeUdpPort());
  const place = ['--kind', kind, '--listen', `127.0.0.1:${at}`, '--ports', '1024-65535'];
  const words = [BINARY, 'fake-relay', ...place, ...flags];
  const child = own(Bun.spawn(leashed(words), { stdin: 'ignore', stdout: 'pipe', stderr: 'inherit' }));
  let output = '';
  const collect = async (): Promise<void> => {
    for await (const chunk of child.stdout) output += Buffer.from(chunk).toString();
  };
  collect().catch(() => undefined);
  await poll(
    () => (output.includes('fake relay on udp') ? true : undefined),
    () => `the fake relay does not start: ${output}`,
  );
  const socket = `udp:127.0.0.1:${at}`;

  return {
    kind,
    socket,
    order: (faults) => (kind === 'rtpengine' ? orderRtpengine(socket, faults) : orderRtpproxy(at, faults)),
    calls: () => (kind === 'rtpengine' ? callsOnRelay(socket) : callsOnFakeRtpproxy('127.0.0.1', at)),
    async kill() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}

async function orderRtpengine(socket: string, faults: NgDict): Promise<void> {
  const address = parseSocket(socket);
  if (address?.transport !== 'udp') throw new Error(`${socket} is no socket of an rtpengine`);
  const driver = createNgDriver(address, systemClock);
  try {
    // Orders and their replies pass all faults; only a busy host makes one late.
    await poll(
      async () => {
        const reply = await driver.ask({ command: 'fake', ...faults }, systemClock.monotonic() + 1000);

        return reply instanceof RelayFailure ? undefined : true;
      },
      () => 'the fake relay takes no orders',
    );
  } finally {
    driver.close();
  }
}

/** Call-IDs a fake rtpproxy has; a real one does not tell. */
export async function callsOnFakeRtpproxy(hostname: string, port: number): Promise<readonly string[]> {
  const list = await askRtpproxy(hostname, port, 'FAKE calls');

  return list === '' ? [] : list.split(' ');
}

/** Here an order says `hang 2s; loss 0.3`. */
async function orderRtpproxy(port: number, faults: NgDict): Promise<void> {
  const words = Object.entries(faults).map(([key, value]) => `${key} ${String(value)}`);
  const reply = await askRtpproxy('127.0.0.1', port, `FAKE ${words.join('; ')}`);
  if (reply.startsWith('E')) throw new Error(`the fake relay takes no such order: ${reply}`);
}

/** Sends a command until there is a reply; returns it without cookie and line end. */
async function askRtpproxy(hostname: string, port: number, command: string): Promise<string> {
  let reply: string | undefined;
  const cookies: string[] = [];
  const socket = await Bun.udpSocket({
    connect: { hostname, port },
    binaryType: 'buffer',
    socket: {
      data(_socket, bytes) {
        const text = bytes.toString('latin1');
        const space = text.indexOf(' ');
        if (cookies.includes(text.slice(0, space))) reply = text.slice(space + 1).trimEnd();
      },
      // A dead one: nobody listens there.
      error: () => undefined,
    },
  });
  try {
    return await poll(
      () => {
        if (reply !== undefined) return reply;
        // A new cookie each time: the reply to the first one may be lost for good.
        const cookie = randomUUID();
        cookies.push(cookie);
        socket.send(Buffer.from(`${cookie} ${command}`, 'latin1'));

        return undefined;
      },
      () => 'the fake relay gives no answer',
      ANSWER_MS,
    );
  } finally {
    socket.close();
  }
}
