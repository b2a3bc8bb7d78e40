/** Metrics of the service itself: database, doors, events, the process. */

import { stat } from 'node:fs/promises';
import { version } from '../util/version.ts';
import { counter, counters, type Family, gauge, histogram, labelled, type Sample } from './family.ts';
import type { MetricParts } from './parts.ts';

/** Seconds since 1970. */
const STARTED_S = Date.now() / 1000 - process.uptime();

export const SERVICE_METRICS: readonly Family[] = [
  labelled(
    'gauge',
    'build_info',
    'Always 1: version of the program and of its runtime.',
    ['version', 'runtime'],
    () => [[[version, `bun ${Bun.version}`], 1]],
  ),
  gauge(
    'settings_reload_failed',
    'Whether the settings on disk could not be taken by the last reload: 1 or 0.',
    ({ late }) => (late.reload === undefined ? null : Number(late.reload.isRefused)),
  ),
  gauge(
    'settings_need_restart',
    'Whether the last reload took settings that hold from the next start on: 1 or 0.',
    ({ late }) =>
      late.reload === undefined ? null : Number(late.reload.note !== '' && !late.reload.isRefused),
  ),
  gauge(
    'event_loop_delay_max_seconds',
    'The longest delay of the event loop in the last 15 to 30 s.',
    ({ loopDelay }) => loopDelay.max,
  ),
  histogram(
    'event_loop_delay_seconds',
    'How late the event loop was, looked at 50 times a second.',
    ({ loopDelay }) => loopDelay.histogram,
  ),
  gauge(
    'database_ok',
    'Whether the database can be written: 1 or 0. While it cannot, calls go on from memory.',
    ({ store }) => (store.trouble === undefined ? 1 : 0),
  ),
  gauge('database_unsaved_rows', 'Rows that are in memory only.', ({ store }) => store.unsaved),
  gauge(
    'database_lag_seconds',
    'How long the oldest change that is not on the disk has waited.',
    ({ store }) => store.commitTimes.lag,
  ),
  histogram(
    'database_commit_duration_seconds',
    'How long commits took until they were on the disk.',
    ({ store }) => store.commitTimes.histogram,
  ),
  ...counters(({ store }) => store.counters, {
    commits: ['database_commits_total', 'Commits that were written.'],
    failedCommits: ['database_commits_failed_total', 'Commits that failed.'],
    droppedSdp: [
      'database_dropped_sdp_total',
      'SDP texts (for people) given up while the database could not be written.',
    ],
    droppedEvents: [
      'database_dropped_events_total',
      'Events given up while the database could not be written.',
    ],
    droppedSteps: [
      'database_dropped_steps_total',
      'Steps for explain given up while the database could not be written.',
    ],
  }),
  labelled('gauge', 'database_size_bytes', 'Size of the files of the database.', ['file'], sizes),
  gauge('event_streams', 'Open streams of /v1/events.', ({ streams }) => streams.size),
  gauge('live_streams', 'Open streams of /v1/live.', ({ live }) => live.size),
  ...counters(({ sampler }) => sampler.counters, {
    written: ['samples_written_total', 'Points of series written to the database.'],
    dropped: ['samples_dropped_total', 'Points of series not written since the database could not be.'],
  }),
  ...ofWebhooks(
    'gauge',
    'webhook_backlog_events',
    'Events a webhook has not been told of yet, those of no interest to it included.',
    ({ backlog }) => backlog,
  ),
  ...ofWebhooks(
    'counter',
    'webhook_delivered_events_total',
    'Events a webhook has taken.',
    ({ counters: { delivered } }) => delivered,
  ),
  ...ofWebhooks(
    'counter',
    'webhook_failures_total',
    'Requests to a webhook that failed, and will be made again.',
    ({ counters: { failed } }) => failed,
  ),
  ...ofWebhooks(
    'counter',
    'webhook_pruned_events_total',
    'Events that retention removed before a webhook could be told.',
    ({ counters: { pruned } }) => pruned,
  ),
  ...counters(({ guard }) => guard.counters, {
    wrongTokens: ['http_wrong_tokens_total', 'Requests with a token nobody knows.'],
    waits: [
      'http_waits_total',
      'Requests not looked at since too many wrong tokens came from their address.',
    ],
    wrongRoles: ['http_wrong_roles_total', 'Requests with a token that may not do what they asked.'],
  }),
  gauge(
    'certificate_expiry_time_seconds',
    'When the certificate of https.listen expires; seconds since 1970.',
    ({ late }) => (late.https == null ? null : late.https.notAfter / 1000),
  ),
  ...processMetrics(),
];

type Webhook = ReturnType<NonNullable<MetricParts['late']['webhooks']>['states']>[number];

/** One series for each URL; two on one host have numbers. */
function ofWebhooks(
  type: 'counter' | 'gauge',
  name: string,
  help: string,
  read: (webhook: Webhook) => number,
): Family[] {
  return [
    labelled(type, name, help, ['webhook', 'host'], ({ late }) =>
      (late.webhooks?.states() ?? []).map(
        (webhook, index): Sample<number> => [[String(index), webhook.host], read(webhook)],
      ),
    ),
  ];
}

async function sizes({ databasePath }: MetricParts): Promise<Sample<number>[]> {
  if (databasePath === undefined) return [];
  const files = [
    ['database', databasePath],
    ['log', `${databasePath}-wal`],
  ] as const;
  const read = files.map(async ([file, path]): Promise<Sample<number>[]> => {
    // Without one there is no size to tell, which is no reason to tell nothing else.
    const found = await stat(path).catch(() => undefined);

    return found === undefined ? [] : [[[file], found.size]];
  });

  return (await Promise.all(read)).flat();
}

/** Under the names every program has them by. */
function processMetrics(): Family[] {
  const plain = (family: Family, name: string): Family => ({ ...family, name });

  return [
    plain(
      counter('', 'Processor time of the process, user and system.', () => {
        const { user, system } = process.cpuUsage();

        return (user + system) / 1e6;
      }),
      'process_cpu_seconds_total',
    ),
    plain(
      gauge('', 'Resident memory of the process.', () => process.memoryUsage.rss()),
      'process_resident_memory_bytes',
    ),
    plain(
      gauge('', 'Open file descriptors, counted every 5 s.', ({ late }) => late.descriptors?.open),
      'process_open_fds',
    ),
    plain(
      gauge('', 'How many there may be.', ({ late }) => late.descriptors?.limit),
      'process_max_fds',
    ),
    plain(
      gauge('', 'When the process started; seconds since 1970.', () => STARTED_S),
      'process_start_time_seconds',
    ),
  ];
}
