/** Where the service of some settings is asked, from its own host, and with which token. */

import { accessSync, constants } from 'node:fs';
import { BadSettings, loadSettings } from '../config/load.ts';
import { showListen } from '../config/readers.ts';
import type { Settings } from '../config/settings.ts';
import { familyOf, isUnspecified } from '../util/ip.ts';
import type { ClientDefaults } from './client.ts';
import { asUnit } from './unit-environment.ts';

/** Loopback where it listens on all addresses; the unix socket where the system chose the port. */
export function serviceAddress({ http: { listen, unix } }: Settings): ClientDefaults {
  if (listen.port === 0 && unix !== '') return { unix };
  const loopback = familyOf(listen.host) === 'IP6' ? '::1' : '127.0.0.1';
  const host = isUnspecified(listen.host) ? loopback : listen.host;

  return { url: `http://${showListen({ ...listen, host })}` };
}

/** The same, with a token that may look, and change things if there is such a one. */
export function serviceAccess(settings: Settings): ClientDefaults {
  const { tokens, unix } = settings.http;
  const token = (tokens.find(({ role }) => role === 'admin') ?? tokens.find(({ role }) => role === 'read'))
    ?.token;

  // The unix socket asks for none.
  const isWanted = token === undefined && unix !== '' && mayUse(unix);

  return { ...serviceAddress(settings), ...(isWanted ? { unix } : {}), token };
}

function mayUse(socket: string): boolean {
  try {
    accessSync(socket, constants.R_OK | constants.W_OK);

    return true;
  } catch {
    return false;
  }
}

/** The service of this host, as far as this user may read its settings and tokens. */
export function hostService(env: Readonly<Record<string, string | undefined>>): ClientDefaults {
  const settings = loadSettings({ argv: [], env: asUnit(env) });
  if (!(settings instanceof BadSettings)) return serviceAccess(settings);

  return settings.rest === undefined ? {} : serviceAccess(settings.rest);
}
