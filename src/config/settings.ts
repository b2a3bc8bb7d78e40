/**
 * The table of all settings: key, kind, default, unit, range and reason.
 * Flags, environment names, `--help`, the default file and the documents are made from it.
 */

import type { Side, Sides } from '../domain/side.ts';
import type { Network } from '../util/ip.ts';
import { choice, integer, list, type Setting, text } from './kinds.ts';
import {
  type ListenAddress,
  readHostName,
  readListen,
  readNetworkText,
  readOptionalPath,
  readPath,
  readSideName,
  readSocketPath,
  SIDE_NAME_RULE,
  showListen,
} from './readers.ts';

const same = (value: string): string => value;

export const TABLE = {
  http: {
    listen: text({
      key: 'http.listen',
      fallback: { host: '127.0.0.1', port: 7888 },
      allowed: 'address:port with an IP literal or localhost, as in 127.0.0.1:7888 or [::1]:7888',
      reason: 'Where the HTTP API is. Any address but loopback needs a token. Port 0 lets the system choose.',
      read: readListen,
      show: showListen,
    }),
    unix: text({
      key: 'http.unix',
      fallback: '',
      allowed: 'an absolute path of at most 107 bytes, or "" for none',
      reason:
        'A unix socket that serves the same API besides http.listen; its file mode says who may use it.',
      read: readSocketPath,
      show: same,
    }),
    hosts: list({
      key: 'http.hosts',
      fallback: [],
      item: 'a host name or IP address without port',
      maxItems: 64,
      reason:
        'Further names that may stand in the Host header; others are refused, so that no web page can reach the API through a name of its own.',
      read: readHostName,
    }),
    maxBody: integer({
      key: 'http.max_body',
      fallback: 65_536,
      unit: 'bytes',
      min: 1024,
      max: 1_048_576,
      reason:
        'Largest body of a media request. A relay takes no message above 64 KiB. Other requests may have 1 MiB.',
    }),
    tokenFile: text({
      key: 'http.token_file',
      fallback: '',
      allowed: 'the path of a file, or "" for none',
      reason:
        'File with the bearer tokens, one a line, at least 16 characters each; "#" begins a comment. RTP_CLUSTER_TOKEN adds one.',
      read: readOptionalPath,
      show: same,
    }),
  },
  database: {
    path: text({
      key: 'database.path',
      fallback: '/var/lib/rtp-cluster/rtp-cluster.db',
      allowed: 'the path of a file',
      reason: 'The SQLite database: nodes, sets, calls, events. Its folder must be on a local disk.',
      read: readPath,
      show: same,
    }),
    synchronous: choice({
      key: 'database.synchronous',
      fallback: 'full',
      words: ['full', 'normal'],
      reason:
        '"full" keeps every answered call through a power cut; "normal" may lose the last ones then, but not when only the program dies.',
    }),
  },
  media: {
    budget: integer({
      key: 'media.budget_ms',
      fallback: 900,
      unit: 'ms',
      min: 100,
      max: 10_000,
      reason:
        'Time for a whole offer or answer, all tries included. Keep it below the time-out of the SIP proxy.',
    }),
    firstTry: integer({
      key: 'media.first_try_ms',
      fallback: 280,
      unit: 'ms',
      min: 50,
      max: 5000,
      reason:
        'How long the first node of a new call may take before another is tried. Less than media.budget_ms.',
    }),
    retransmit: integer({
      key: 'media.retransmit_ms',
      fallback: 150,
      unit: 'ms',
      min: 20,
      max: 2000,
      reason: 'After how long without a reply a command is sent again to the same node.',
    }),
  },
  calls: {
    max: integer({
      key: 'calls.max',
      fallback: 500_000,
      unit: 'live calls',
      min: 1,
      max: 2_000_000,
      reason: 'New calls beyond this are refused: live calls are held in memory, and memory has an end.',
    }),
    keepEnded: integer({
      key: 'calls.keep_ended_s',
      fallback: 3600,
      unit: 's',
      min: 0,
      max: 31_536_000,
      reason: 'How long ended calls stay to be looked at.',
    }),
    maxIdle: integer({
      key: 'calls.max_idle_s',
      fallback: 86_400,
      unit: 's',
      min: 60,
      max: 31_536_000,
      reason: 'An established call of which nothing was heard for so long is ended: its BYE was lost.',
    }),
    maxUnanswered: integer({
      key: 'calls.max_unanswered_s',
      fallback: 3600,
      unit: 's',
      min: 60,
      max: 31_536_000,
      reason:
        'The same for a call that was never answered; its relay is told to delete it. rtpengine does so after offer-timeout, 3600 s by default.',
    }),
    keepEndedMax: integer({
      key: 'calls.keep_ended_max',
      fallback: 100_000,
      unit: 'ended calls',
      min: 0,
      max: 10_000_000,
      reason: 'At most so many ended calls stay; the oldest go first.',
    }),
  },
  events: {
    keepMax: integer({
      key: 'events.keep_max',
      fallback: 100_000,
      unit: 'events',
      min: 0,
      max: 10_000_000,
      reason: 'At most so many events stay; the oldest go first.',
    }),
    keep: integer({
      key: 'events.keep_s',
      fallback: 604_800,
      unit: 's',
      min: 0,
      max: 31_536_000,
      reason: 'How long events stay.',
    }),
  },
  stop: {
    grace: integer({
      key: 'stop.grace_ms',
      fallback: 3000,
      unit: 'ms',
      min: 0,
      max: 60_000,
      reason: 'How long requests under way may take when the program is told to stop.',
    }),
  },
  log: {
    level: choice({
      key: 'log.level',
      fallback: 'info',
      words: ['debug', 'info', 'warning', 'error'],
      reason: 'Events below this level are not written.',
    }),
    format: choice({
      key: 'log.format',
      fallback: 'auto',
      words: ['auto', 'json', 'text'],
      reason:
        'One JSON object or one text line for each event; "auto" is text on a terminal and JSON elsewhere.',
    }),
  },
} as const;

const DEFAULT_ALIASES: Readonly<Record<string, readonly string[]>> = {
  inner: ['priv', 'private', 'internal', 'inside'],
  outer: ['pub', 'public', 'external', 'outside'],
};

/** The sides there are without being named. */
export const FIRST_SIDES: readonly Side[] = ['inner', 'outer'];

/** More sides than this are a mistake. */
export const MAX_SIDES = 32;

/** The two settings of a side. */
export function sideRows(side: Side): {
  aliases: Setting<readonly string[]>;
  networks: Setting<readonly string[]>;
} {
  return {
    aliases: list({
      key: `sides.${side}.aliases`,
      fallback: DEFAULT_ALIASES[side] ?? [],
      item: SIDE_NAME_RULE,
      maxItems: 32,
      reason: 'Other names of this side in directions and imports.',
      read: readSideName,
    }),
    networks: list({
      key: `sides.${side}.networks`,
      fallback: [],
      item: 'a network such as 10.0.0.0/8 or 2001:db8::/32, or one address',
      maxItems: 1024,
      reason: 'Networks whose SIP packets come from this side; the longest prefix decides.',
      read: readNetworkText,
    }),
  };
}

/** All settings that have a fixed key. */
export const FIXED_ROWS: readonly Setting<unknown>[] = Object.values(TABLE).flatMap(
  (section): Setting<unknown>[] => Object.values(section),
);

/** `RTP_CLUSTER_HTTP_LISTEN` for `http.listen`. */
export function envName(key: string): string {
  return `RTP_CLUSTER_${key.toUpperCase().replace(/[.-]/g, '_')}`;
}

/** `--http-listen` for `http.listen`. */
export function flagName(key: string): string {
  return `--${key.replace(/[._]/g, '-')}`;
}

/** Where a value came from; `where` is `FILE:LINE`, the variable, the flag, or `default`. */
export interface Origin {
  readonly key: string;
  readonly source: 'default' | 'file' | 'environment' | 'flag';
  readonly where: string;
  /** The value as it would stand in the file. */
  readonly shown: string;
}

/** The checked settings. Whole numbers carry their unit in the name (`Ms`, `S` for seconds, `Bytes`). */
export interface Settings {
  /** The settings file that was read, null if there was none. */
  readonly file: string | null;
  readonly http: {
    readonly listen: ListenAddress;
    /** Path of the unix socket, '' for none. */
    readonly unix: string;
    /** Host names in lower case, IPv6 without brackets; besides those of `listen`. */
    readonly hosts: readonly string[];
    readonly maxBodyBytes: number;
    /** Bearer tokens, any of which opens the API; empty means none is asked for. Never to be shown or logged. */
    readonly tokens: readonly string[];
  };
  readonly database: { readonly path: string; readonly synchronous: 'full' | 'normal' };
  readonly media: { readonly budgetMs: number; readonly firstTryMs: number; readonly retransmitMs: number };
  readonly calls: {
    readonly max: number;
    readonly keepEndedS: number;
    readonly maxIdleS: number;
    readonly maxUnansweredS: number;
    readonly keepEndedMax: number;
  };
  readonly events: { readonly keepMax: number; readonly keepS: number };
  readonly stop: { readonly graceMs: number };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warning' | 'error';
    readonly format: 'auto' | 'json' | 'text';
  };
  readonly sides: Sides;
  /** Which side a source address is on; longest prefix first, so the first match decides. */
  readonly networks: readonly { readonly network: Network; readonly side: Side }[];
  /** Where each value came from, in the order of the table. */
  readonly origins: readonly Origin[];
}
