/** Fake relays of the compiled binary as processes of their own; they outlive the appliance, as real ones do. */

import { parseSocket } from '../../src/domain/node.ts';
import { type NgDict, RelayFailure } from '../../src/relay/driver.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { BINARY } from './appliance.ts';
import { freeUdpPort } from './ports.ts';
import { leashed, own, poll } from './processes.ts';
import { callsOnRelay } from './relays.ts';

export interface Relay {
  readonly socket: string;
  /** Changes its faults. */
  order(faults: NgDict): Promise<void>;
  /** Call-IDs it has. */
  calls(): Promise<readonly string[]>;
  kill(): Promise<void>;
}

/** A fake relay on a free port, or on `port`; the binary has to be there (`ensureBinary`). */
export async function startRelay(port?: number, ...flags: string[]): Promise<Relay> {
  const at = port ?? (await freeUdpPort());
  const words = [BINARY, 'fake-relay', '--listen', `127.0.0.1:${at}`, '--ports', '1024-65535', ...flags];
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
    socket,
    async order(faults) {
      const address = parseSocket(socket);
      if (address === undefined) throw new Error(`${socket} is no socket`);
      const driver = createNgDriver(address, systemClock);
      try {
        // The reply to the first order may fall victim to the fault it asks for; the second comes through.
        await poll(
          async () => {
            const message = { command: 'fake', ...faults };
            const reply = await driver.command(message, systemClock.monotonic() + 1000);

            return reply instanceof RelayFailure ? undefined : true;
          },
          () => 'the fake relay takes no orders',
        );
      } finally {
        driver.close();
      }
    },
    calls: () => callsOnRelay(socket),
    async kill() {
      child.kill('SIGKILL');
      await child.exited;
    },
  };
}
