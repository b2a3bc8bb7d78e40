/** What a reload makes of new settings: those that hold from now on, and those that wait for a restart. */

import { isLoopback } from '../util/ip.ts';
import { TABLE } from './rows.ts';
import type { Origin, Settings } from './settings.ts';

export interface Changes {
  /** The settings that hold from now on. */
  readonly settings: Settings;
  /** Keys of settings that were changed by this. */
  readonly changed: readonly string[];
  /** Keys of settings that differ from those that hold, until the program is started again. */
  readonly needRestart: readonly string[];
}

/**
 * @param held the settings that hold now; what a restart is needed for is as it was at the start
 * @param next the settings as they were read again
 */
export function changesOf(held: Settings, next: Settings): Changes {
  const waiting = waitingKeys(held, next);
  const takes = ({ key, reloads }: Origin): boolean => reloads && !waiting.has(key);
  const heldOrigins = new Map(held.origins.map((origin) => [origin.key, origin]));
  const nextOrigins = new Map(next.origins.map((origin) => [origin.key, origin]));
  // Sides may come and go, and their settings with them.
  const keys = [...new Set([...heldOrigins.keys(), ...nextOrigins.keys()])];
  const differing = keys.filter(
    (key) => heldOrigins.get(key)?.shown !== nextOrigins.get(key)?.shown || hasOtherContent(key, held, next),
  );
  const isTaken = (key: string): boolean => {
    const origin = nextOrigins.get(key);

    return origin !== undefined && takes(origin);
  };

  return {
    settings: {
      ...held,
      http: {
        ...held.http,
        hosts: next.http.hosts,
        tokens: waiting.has(TABLE.http.tokenFile.key) ? held.http.tokens : next.http.tokens,
      },
      https:
        held.https === null || next.https === null
          ? held.https
          : { ...next.https, listen: held.https.listen },
      ng: waiting.has(TABLE.ng.clients.key) ? held.ng : { ...held.ng, clients: next.ng.clients },
      calls: { ...next.calls, max: held.calls.max, checkAfterS: held.calls.checkAfterS },
      explain: next.explain,
      drain: next.drain,
      events: next.events,
      stop: next.stop,
      log: next.log,
      origins: held.origins.map((origin) =>
        takes(origin) ? (nextOrigins.get(origin.key) ?? origin) : origin,
      ),
    },
    changed: differing.filter(isTaken),
    needRestart: differing.filter((key) => !isTaken(key)),
  };
}

/** Settings that could be taken, but belong to others that cannot: alone they would do harm. */
function waitingKeys(held: Settings, next: Settings): ReadonlySet<string> {
  const waiting = new Set<string>();
  const isOpen = [held.http, held.https].some((door) => door !== null && !isLoopback(door.listen.host));
  // The sockets stay where they are: nobody may come in there without a token.
  if (isOpen && next.http.tokens.length === 0) waiting.add(TABLE.http.tokenFile.key);
  // Who may ask belongs to where: the clients of the new place are not those of the present one.
  if (shown(held, TABLE.ng.listen.key) !== shown(next, TABLE.ng.listen.key))
    waiting.add(TABLE.ng.clients.key);
  if (held.https === null || next.https === null) {
    waiting.add(TABLE.https.cert.key);
    waiting.add(TABLE.https.key.key);
  }

  return waiting;
}

/** Whether a file that a setting names has another content; its name alone does not tell. */
function hasOtherContent(key: string, held: Settings, next: Settings): boolean {
  if (key === TABLE.http.tokenFile.key)
    return JSON.stringify(held.http.tokens) !== JSON.stringify(next.http.tokens);

  return key === TABLE.webhooks.secretFile.key && held.webhooks.secret !== next.webhooks.secret;
}

function shown({ origins }: Settings, wanted: string): string | undefined {
  return origins.find(({ key }) => key === wanted)?.shown;
}
