/** What `doctor` finds of the service itself: is it there, can it write its database, do its doors answer? */

import { BadSettings, loadSettings } from '../config/load.ts';
import { RelayFailure } from '../relay/driver.ts';
import { createNgDriver } from '../relay/ng/driver.ts';
import { systemClock } from '../util/clock.ts';
import { isUnspecified } from '../util/ip.ts';
import type { Args } from './args.ts';
import { type Api, ApiError } from './client.ts';
import type { Io } from './command.ts';
import { textOf } from './json.ts';
import { asUnit } from './unit-environment.ts';

/** A finding of the service, in the words of those of nodes. */
export interface Found {
  readonly check: 'service' | 'database' | 'ng';
  readonly result: 'ok' | 'warning' | 'failed' | 'skipped';
  readonly detail: string;
  readonly advice: string;
}

/** Time for the ng door to answer a ping, ms. */
const NG_MS = 1000;

/** Is it there, and is it ready? */
export async function checkService(api: Api): Promise<Found[]> {
  const alive = await api.call('GET', '/healthz');
  if (alive instanceof ApiError)
    return [found('service', 'failed', alive.message, 'Start it, then run doctor again')];
  const service = found('service', 'ok', `alive, version ${textOf(alive.json, 'version')}`);
  const ready = await api.call('GET', '/readyz');
  if (!(ready instanceof ApiError)) return [service, found('database', 'ok', 'can be written')];
  if (textOf(ready.reply?.json, 'stopping') === 'true')
    return [found('service', 'failed', 'it is stopping', 'Wait until it runs again')];
  const database = textOf(ready.reply?.json, 'database') || ready.message;

  return [
    service,
    found(
      'database',
      'failed',
      `${database}; calls go on from memory`,
      'Put the disk right before anything restarts: docs/operations.md, "What you see when"',
    ),
  ];
}

/** Whether each port of the ng protocol answers, where the service is that of this host and its settings can be read. */
export async function checkDoors(args: Args, { env }: Io): Promise<Found[]> {
  const isElsewhere =
    args.one('url') !== undefined || args.one('unix') !== undefined || env.RTP_CLUSTER_URL !== undefined;
  if (isElsewhere)
    return [found('ng', 'skipped', 'the address of the service is given, so its settings are not read')];
  const settings = loadSettings({ argv: [], env: asUnit(env) });
  if (settings instanceof BadSettings)
    return [found('ng', 'skipped', 'this user cannot read the settings of the service, or they are wrong')];
  const places = settings.ng.listen.filter(({ port }) => port !== 0);
  if (places.length === 0) return [found('ng', 'skipped', 'it is not served (ng.listen is empty)')];

  return Promise.all(
    places.map(async ({ host, port, setId }) => {
      const loopback = host.includes(':') ? '::1' : '127.0.0.1';
      const address = { host: isUnspecified(host) ? loopback : host, port };
      const driver = createNgDriver(address, systemClock);
      const pong = await driver.ping(systemClock.monotonic() + NG_MS);
      driver.close();
      const name = `${address.host.includes(':') ? `[${address.host}]` : address.host}:${port} of set ${setId}`;

      return pong instanceof RelayFailure
        ? found(
            'ng',
            'failed',
            `${name} does not answer: ${pong.reason}`,
            'See the journal of the service for ng.not_listening, and whether ng.clients has this host',
          )
        : found('ng', 'ok', `${name} answers`);
    }),
  );
}

function found(check: Found['check'], result: Found['result'], detail: string, advice = ''): Found {
  return { check, result, detail, advice };
}
