/**
 * The table of all settings: key, kind, default, unit, range and reason.
 * Flags, environment names, `--help`, the default file and the documents are made from it.
 */

import { KIND_RULE, readKindPattern } from '../domain/event.ts';
import type { Side } from '../domain/side.ts';
import { DOORS } from './doors.ts';
import { choice, integer, list, type Setting, text } from './kinds.ts';
import {
  readHttpUrl,
  readNetworkText,
  readNoticeListen,
  readNoticeSocket,
  readOptionalPath,
  readPath,
  readSideName,
  SIDE_NAME_RULE,
} from './readers.ts';

const same = (value: string): string => value;

export const TABLE = {
  ...DOORS,
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
      reason:
        'After how long without a reply a command is sent again to the same node, at most: near a quick node it is 50 ms.',
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
      reloads: true,
      fallback: 3600,
      unit: 's',
      min: 0,
      max: 31_536_000,
      reason: 'How long ended calls stay to be looked at.',
    }),
    maxIdle: integer({
      key: 'calls.max_idle_s',
      reloads: true,
      fallback: 86_400,
      unit: 's',
      min: 60,
      max: 31_536_000,
      reason: 'An established call of which nothing was heard for so long is ended: its BYE was lost.',
    }),
    maxUnanswered: integer({
      key: 'calls.max_unanswered_s',
      reloads: true,
      fallback: 3600,
      unit: 's',
      min: 60,
      max: 31_536_000,
      reason:
        'The same for a call that was never answered; its relay is told to delete it. rtpengine does so after offer-timeout, 3600 s by default.',
    }),
    checkAfter: integer({
      key: 'calls.check_after_s',
      fallback: 900,
      unit: 's',
      min: 10,
      max: 86_400,
      reason:
        'After how long without news of a call its relay is asked whether it still has it; if not, the call is ended.',
    }),
    keepEndedMax: integer({
      key: 'calls.keep_ended_max',
      reloads: true,
      fallback: 100_000,
      unit: 'ended calls',
      min: 0,
      max: 10_000_000,
      reason: 'At most so many ended calls stay; the oldest go first.',
    }),
  },
  explain: {
    keep: integer({
      key: 'explain.keep_s',
      reloads: true,
      fallback: 86_400,
      unit: 's',
      min: 0,
      max: 31_536_000,
      reason: 'How long it can be explained what was done for a call.',
    }),
    keepMax: integer({
      key: 'explain.keep_max',
      reloads: true,
      fallback: 300_000,
      unit: 'rows',
      min: 0,
      max: 10_000_000,
      reason:
        'At most so many rows of it stay, one to three a call of 0.6 KB or so each, SDP included; the oldest go first.',
    }),
  },
  checks: {
    canary: choice({
      key: 'checks.canary',
      fallback: 'off',
      words: ['off', 'on'],
      reason:
        'Whether each node gets an offer of ours once a minute, deleted at once, besides the checks every 2 s.',
    }),
    reconcile: integer({
      key: 'checks.reconcile_s',
      fallback: 300,
      unit: 's',
      min: 10,
      max: 86_400,
      reason: 'How often the calls of each node are compared with ours.',
    }),
  },
  rtpproxy: {
    noticeSocket: text({
      key: 'rtpproxy.notice_socket',
      fallback: '',
      allowed:
        'tcp:IPV4:PORT, tcp:localhost:PORT, tcp:%%CC_SELF%%:PORT or unix:/PATH, letter for letter as -n of the daemons has it, or "" for none',
      reason:
        'Where rtpproxy tells that it ended a call for want of media; we listen there. %%CC_SELF%% is the host its commands come from.',
      read: readNoticeSocket,
      show: same,
    }),
    noticeListen: text({
      key: 'rtpproxy.notice_listen',
      fallback: '',
      allowed:
        'tcp:ADDRESS:PORT with an IP literal or localhost, or unix:/PATH, or "" for rtpproxy.notice_socket itself',
      reason:
        'Where we listen instead, if the daemons reach us by another address than our own (NAT). For %%CC_SELF%% it is all of IPv4 otherwise.',
      read: readNoticeListen,
      show: same,
    }),
  },
  drain: {
    hook: text({
      key: 'drain.hook',
      reloads: true,
      fallback: '',
      allowed: 'the absolute path of a program, or "" for none',
      reason:
        'Run when a draining node has become empty, or when its time is over; docs/operations.md says with what.',
      read: readOptionalPath,
      show: same,
    }),
  },
  events: {
    keepMax: integer({
      key: 'events.keep_max',
      reloads: true,
      fallback: 100_000,
      unit: 'events',
      min: 0,
      max: 10_000_000,
      reason: 'At most so many events stay; the oldest go first.',
    }),
    keep: integer({
      key: 'events.keep_s',
      reloads: true,
      fallback: 604_800,
      unit: 's',
      min: 0,
      max: 31_536_000,
      reason: 'How long events stay.',
    }),
  },
  webhooks: {
    urls: list({
      key: 'webhooks.urls',
      isSecret: true,
      fallback: [],
      item: 'an http or https URL without user and "#"',
      maxItems: 8,
      reason:
        'Events are sent there by POST, in order and at least once. A new URL begins with the next event.',
      read: readHttpUrl,
    }),
    kinds: list({
      key: 'webhooks.kinds',
      fallback: ['node.*', 'set.*', 'store.*', 'https.*'],
      item: KIND_RULE,
      maxItems: 32,
      reason: 'Which events webhooks are told of.',
      read: readKindPattern,
    }),
    secretFile: text({
      key: 'webhooks.secret_file',
      fallback: '',
      allowed: 'the path of a file, or "" for none',
      reason:
        'File with one line of at least 16 characters: the key of the HMAC-SHA256 in X-Rtp-Cluster-Signature, by which a receiver knows us.',
      read: readOptionalPath,
      show: same,
    }),
    timeout: integer({
      key: 'webhooks.timeout_ms',
      fallback: 5000,
      unit: 'ms',
      min: 100,
      max: 60_000,
      reason: 'How long a receiver may take to answer; then it is tried again.',
    }),
  },
  stop: {
    grace: integer({
      key: 'stop.grace_ms',
      reloads: true,
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
      reloads: true,
      fallback: 'info',
      words: ['debug', 'info', 'warning', 'error'],
      reason: 'Events below this level are not written.',
    }),
    format: choice({
      key: 'log.format',
      reloads: true,
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
