/** Where the service of some settings is asked, from its own host. */

import { showListen } from '../config/readers.ts';
import type { Settings } from '../config/settings.ts';
import { familyOf, isUnspecified } from '../util/ip.ts';
import type { ClientDefaults } from './client.ts';

/** Loopback where it listens on all addresses; the unix socket where the system chose the port. */
export function serviceAddress({ http: { listen, unix } }: Settings): ClientDefaults {
  if (listen.port === 0 && unix !== '') return { unix };
  const loopback = familyOf(listen.host) === 'IP6' ? '::1' : '127.0.0.1';
  const host = isUnspecified(listen.host) ? loopback : listen.host;

  return { url: `http://${showListen({ ...listen, host })}` };
}
