/** The appliance with one port for ng. */

import { type Appliance, type ApplianceOptions, ensureBinary, startAppliance } from './appliance.ts';
import { freeUdpPort } from './ports.ts';

/** The compiled binary, which serves set 0 at a free port of 127.0.0.1. */
export async function serveNg(
  options: ApplianceOptions = {},
): Promise<{ appliance: Appliance; port: number }> {
  const port = await freeUdpPort();
  const binary = await ensureBinary();
  const appliance = await startAppliance({ binary, ngListen: `0 == udp:127.0.0.1:${port}`, ...options });

  return { appliance, port };
}
