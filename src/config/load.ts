/** Reads the settings: default < file < environment < flag. Collects everything that is wrong before it gives up. */

import { join } from 'node:path';
import type { Token } from '../domain/role.ts';
import { isLoopback, parseNetwork } from '../util/ip.ts';
import { isMissing, readTextFile, unreadable } from './files.ts';
import { httpsOf } from './https.ts';
import type { Setting } from './kinds.ts';
import { noticePlace, readNgListen, showListen } from './readers.ts';
import { envName, FIRST_SIDES, sideRows, TABLE } from './rows.ts';
import type { Settings } from './settings.ts';
import { buildSides } from './sides.ts';
import {
  fromEnvironment,
  fromFile,
  fromFlags,
  type Given,
  type Problem,
  type Source,
  sidesOf,
} from './sources.ts';
import { Taken } from './taken.ts';
import { readEnvToken, readSecret, readTokens } from './tokens.ts';

/** Read if no other file is named; may be missing. */
export const DEFAULT_FILE = '/etc/rtp-cluster/config.toml';
/** The systemd credential that holds tokens, if http.token_file names no file. */
const CREDENTIAL = 'tokens';

/** The settings cannot be used; all that is wrong, in the order of the sources. */
export class BadSettings {
  constructor(
    readonly problems: readonly Problem[],
    /** All settings, with the default where a value was refused; absent if the sources could not be read. */
    readonly rest?: Settings,
  ) {}
}

export interface LoadInput {
  /** Flags without the command: `--config FILE` and one for each setting. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Text of a file; throws as `readFileSync` does. Tests give their own. */
  readonly readText?: (path: string) => string;
}

/** Loads and checks all settings. Never reads `.env`, never throws for what a user wrote. */
export function loadSettings({ argv, env, readText = readTextFile }: LoadInput): Settings | BadSettings {
  const problems: Problem[] = [];
  // Flags first for --config only; they are read again when the sides of the file are known.
  const named = fromFlags(argv, FIRST_SIDES).given.get('config');
  const file = readConfig(named, env.RTP_CLUSTER_CONFIG, readText);
  const fromConfig = file instanceof BadSettings ? new Map<string, Given>() : file.given;
  const known = [...FIRST_SIDES, ...sidesOf(fromConfig)];
  const environment = fromEnvironment(env, known);
  const flags = fromFlags(argv, [...known, ...sidesOf(environment.given)]);
  problems.push(...file.problems, ...environment.problems, ...flags.problems);

  const given = new Map([...fromConfig, ...environment.given, ...flags.given]);
  const taken = new Taken(given, problems);
  const path = file instanceof BadSettings ? null : file.path;
  const settings = { file: path, ...assemble(taken, env, readText) };

  return problems.length > 0 ? new BadSettings(problems, settings) : settings;
}

function readConfig(
  named: Given | undefined,
  fromEnv: string | undefined,
  readText: (path: string) => string,
): (Source & { readonly path: string | null }) | BadSettings {
  const where = named !== undefined ? '--config' : 'RTP_CLUSTER_CONFIG';
  const explicit = named !== undefined ? String(named.value) : fromEnv;
  if (explicit === '') return bad(where, 'names no file; give a path or leave it out');
  const path = explicit ?? DEFAULT_FILE;
  try {
    return { ...fromFile(readText(path), path), path };
  } catch (error) {
    if (explicit === undefined && isMissing(error)) return { given: new Map(), problems: [], path: null };

    return bad(explicit === undefined ? path : where, unreadable(path, error));
  }
}

function bad(where: string, message: string): BadSettings {
  return new BadSettings([{ where, key: '', message }]);
}

function assemble(
  taken: Taken,
  env: LoadInput['env'],
  readText: (path: string) => string,
): Omit<Settings, 'file'> {
  const take = <V>(row: Setting<V>): V => taken.take(row);
  const {
    http,
    https,
    ng,
    database,
    media,
    calls,
    explain,
    checks,
    rtpproxy,
    drain,
    events,
    webhooks,
    stop,
    log,
  } = TABLE;
  const values = {
    http: {
      listen: take(http.listen),
      unix: take(http.unix),
      hosts: take(http.hosts),
      maxBodyBytes: take(http.maxBody),
      tokens: collectTokens(take(http.tokenFile), env, taken, readText),
    },
    https: httpsOf(take(https.listen), take(https.cert), take(https.key), taken, readText),
    ng: ngOf(take(ng.listen), take(ng.clients), taken),
    database: { path: take(database.path), synchronous: take(database.synchronous) },
    media: {
      budgetMs: take(media.budget),
      firstTryMs: take(media.firstTry),
      retransmitMs: take(media.retransmit),
    },
    calls: {
      max: take(calls.max),
      keepEndedS: take(calls.keepEnded),
      maxIdleS: take(calls.maxIdle),
      maxUnansweredS: take(calls.maxUnanswered),
      keepEndedMax: take(calls.keepEndedMax),
      checkAfterS: take(calls.checkAfter),
    },
    explain: { keepS: take(explain.keep), keepMax: take(explain.keepMax) },
    checks: { canary: take(checks.canary), reconcileS: take(checks.reconcile) },
    rtpproxy: noticesOf(take(rtpproxy.noticeSocket), take(rtpproxy.noticeListen), taken),
    drain: { hook: take(drain.hook) },
    events: { keepMax: take(events.keepMax), keepS: take(events.keep) },
    webhooks: {
      urls: take(webhooks.urls),
      kinds: take(webhooks.kinds),
      secret: secretOf(take(webhooks.secretFile), taken, readText),
      timeoutMs: take(webhooks.timeout),
    },
    stop: { graceMs: take(stop.grace) },
    log: { level: take(log.level), format: take(log.format) },
  };
  const sideSettings = [...FIRST_SIDES, ...sidesOf(taken.given)].map((side) => {
    const rows = sideRows(side);

    return { side, aliases: take(rows.aliases), networks: take(rows.networks) };
  });
  const { sides, networks } = buildSides(sideSettings, taken.report);
  checkTogether(values, taken);

  return { ...values, sides, networks, origins: taken.origins };
}

function ngOf(places: readonly string[], clients: readonly string[], taken: Taken): Settings['ng'] {
  const listen = places.map(readNgListen).filter((place) => place !== undefined);
  const { key } = TABLE.ng.listen;
  const known = new Set<string>();
  for (const place of listen) {
    const address = showListen(place);
    if (known.has(address) && place.port !== 0)
      taken.report(key, `has ${address} for two sets; each needs a port of its own`);
    known.add(address);
  }
  if (listen.length > 0 && clients.length === 0) {
    const rule = `is empty, so nobody could ask at ${key}; name the hosts or networks of your SIP proxies, or set ${key} to an empty list`;
    taken.report(TABLE.ng.clients.key, rule);
  }
  const open = listen.find(({ host }) => !isLoopback(host));
  if (open !== undefined && !taken.given.has(TABLE.ng.clients.key)) {
    const rule = `has ${showListen(open)}, which other hosts can reach, and ng has no passwords; name the hosts or networks of your SIP proxies in ${TABLE.ng.clients.key}, or listen on 127.0.0.1`;
    taken.report(key, rule);
  }

  return { listen, clients: clients.map(parseNetwork).filter((network) => network !== undefined) };
}

function noticesOf(socket: string, listen: string, taken: Taken): Settings['rtpproxy'] {
  const { key } = TABLE.rtpproxy.noticeSocket;
  if (socket === '' && listen !== '' && !taken.problems.some((problem) => problem.key === key)) {
    const rule = `is given, but ${key} is not: no rtpproxy would send anything there`;
    taken.report(TABLE.rtpproxy.noticeListen.key, rule);
  }
  if (socket === '') return { noticeSocket: null, noticeListen: null };

  return { noticeSocket: socket, noticeListen: noticePlace(listen === '' ? socket : listen) ?? null };
}

function secretOf(file: string, taken: Taken, readText: (path: string) => string): string {
  if (file === '') return '';
  try {
    const { secret, problems } = readSecret(readText(file), file);
    taken.problems.push(...problems);

    return secret;
  } catch (error) {
    taken.report(TABLE.webhooks.secretFile.key, unreadable(file, error));

    return '';
  }
}

function collectTokens(
  file: string,
  env: LoadInput['env'],
  taken: Taken,
  readText: (path: string) => string,
): readonly Token[] {
  const tokens: Token[] = [];
  const add = (found: { tokens: Token[]; problems: Problem[] }): void => {
    tokens.push(...found.tokens);
    taken.problems.push(...found.problems);
  };
  // Nobody asked for tokens by a credential that is not there, or that holds none yet.
  const credential = env.CREDENTIALS_DIRECTORY ? join(env.CREDENTIALS_DIRECTORY, CREDENTIAL) : '';
  const path = file === '' ? credential : file;
  if (path !== '') {
    try {
      add(readTokens(readText(path), path, file === ''));
    } catch (error) {
      if (file !== '' || !isMissing(error)) taken.report(TABLE.http.tokenFile.key, unreadable(path, error));
    }
  }
  if (env.RTP_CLUSTER_TOKEN !== undefined) add(readEnvToken(env.RTP_CLUSTER_TOKEN, tokens));

  return tokens;
}

/** Rules that join several settings. */
function checkTogether(values: Pick<Settings, 'http' | 'https' | 'media'>, taken: Taken): void {
  const { budgetMs, firstTryMs } = values.media;
  if (firstTryMs >= budgetMs) {
    // Blame the one that was set by hand.
    const key = taken.given.has('media.first_try_ms') ? 'media.first_try_ms' : 'media.budget_ms';
    taken.report(
      key,
      `first_try_ms is ${firstTryMs} and budget_ms is ${budgetMs}; first_try_ms must be less, so that a second node can be tried`,
    );
  }
  const { listen, tokens } = values.http;
  // A problem with a token is on the list already, and says more.
  const isTold = taken.problems.some(
    ({ key, where }) => key === 'http.token_file' || where === 'RTP_CLUSTER_TOKEN',
  );
  for (const [key, place] of [
    ['http.listen', listen],
    ['https.listen', values.https?.listen],
  ] as const) {
    const isKnown = isTold || taken.problems.some((problem) => problem.key === key);
    if (place !== undefined && !isLoopback(place.host) && tokens.length === 0 && !isKnown)
      taken.report(key, withoutToken(showListen(place)));
  }
  if (values.https !== null && values.https.listen.port === listen.port && listen.port !== 0) {
    const rule = `is ${showListen(values.https.listen)}, and http.listen has port ${listen.port} too; give each its own`;
    taken.report('https.listen', rule);
  }
}

function withoutToken(address: string): string {
  return `is ${address}, which other hosts can reach, and there is no token; write one of at least 16 characters (openssl rand -hex 24) into a file that only this service can read and name it in http.token_file (or ${envName('http.token_file')}), or set RTP_CLUSTER_TOKEN, or listen on 127.0.0.1. At a shell the tokens of the systemd unit are seen with CREDENTIALS_DIRECTORY=/etc/rtp-cluster`;
}
