/** What relays themselves say of the calls they have: never the appliance's word for it. */

import { parseSocket } from '../../src/domain/node.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { poll } from './processes.ts';
import { mustBe } from './rtpengine.ts';

/** Call-IDs an rtpengine has, asked by the ng command `list`. */
export async function callsOnRelay(socket: string): Promise<readonly string[]> {
  const address = parseSocket(socket);
  if (address?.transport !== 'udp') throw new Error(`${socket} is no socket of an rtpengine`);
  const driver = createNgDriver(address, systemClock);
  try {
    const reply = mustBe(
      await driver.ask({ command: 'list', limit: '1000' }, systemClock.monotonic() + 2000),
    );

    return Array.isArray(reply.calls) ? reply.calls.map(String) : [];
  } finally {
    driver.close();
  }
}

/** Waits until relays have no call any more; throws with what is left. */
export async function expectEmpty(sockets: readonly string[], timeoutMs = 3000): Promise<void> {
  let left: string[] = [];
  await poll(
    async () => {
      left = (await Promise.all(sockets.map(callsOnRelay))).flat();

      return left.length === 0 ? true : undefined;
    },
    () => `calls are left on the relays: ${left.join(', ')}`,
    timeoutMs,
  );
}
