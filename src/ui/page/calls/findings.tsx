/** What is wrong with a call, in plain words and with what to check: said before everything else. */

import type { ApiFailure } from '../api.ts';
import { duration, fixed, millis, NOTHING, percent, visible } from '../format.ts';
import type { Tone } from '../parts/badge.tsx';
import { Notice } from '../parts/notice.tsx';
import { isOfRelay } from './meaning.ts';
import type { Readings } from './readings.ts';
import type {
  CallResource,
  Explained,
  FindingResource,
  StatisticsResource,
  StreamResource,
} from './resources.ts';
import { isKey, mediaText, t } from './said.ts';

interface Finding {
  readonly key: string;
  readonly tone: Tone;
  readonly title: string;
  readonly text: string;
}

export function Findings({
  explained,
  readings: { now, failure, isStale },
}: {
  readonly explained: Explained;
  readonly readings: Readings;
}) {
  const findings = [
    ...relayFindings(explained.call, failure),
    ...(now === undefined || isStale ? [] : mediaFindings(explained, now)),
    ...callFindings(explained),
  ];
  if (findings.length === 0) return null;

  return (
    <div class="findings">
      {findings.map(({ key, tone, title, text }) => (
        <Notice key={key} tone={tone} title={title}>
          {text}
        </Notice>
      ))}
    </div>
  );
}

/** The relay of a live call that does not answer, or knows nothing of it, is the worst that can be said of the call. */
function relayFindings(call: CallResource | null, failure: ApiFailure | undefined): Finding[] {
  if (call === null || call.state === 'ended' || !isOfRelay(failure)) return [];

  return [
    {
      key: 'relay',
      tone: 'bad',
      title: t('finding_relay', { id: String(call.node_id) }),
      text: `${failure.message}. ${t('finding_relay_hint')}`,
    },
  ];
}

function mediaFindings({ call, steps }: Explained, { findings, streams, at }: StatisticsResource): Finding[] {
  // Proxies that name operations in place of SIP messages do not tell an answer for good from an early one.
  const mayRing = steps.every(({ message }) => message === null) && at - (steps.at(-1)?.at ?? 0) < RINGING_MS;

  return findings
    .filter(({ code }) => !PASSING.includes(code))
    .map((finding) => mediaFinding(finding, call, streams))
    .map((finding) =>
      mayRing && finding.tone === 'bad'
        ? { ...finding, text: `${finding.text} ${t('advice_ringing')}` }
        : finding,
    );
}

/** A phone may ring so long before anybody answers, ms. */
const RINGING_MS = 180_000;

const TONES = { problem: 'bad', warning: 'warn', info: 'info' } as const;

/** Codes of a moment: a notice that comes and goes helps nobody. */
const PASSING = ['too-early'];

function mediaFinding(
  { code, level, tag, index, text }: FindingResource,
  call: CallResource | null,
  streams: readonly StreamResource[],
): Finding {
  const stream = streams.find(
    (one) => one.tag === tag && (index === null || one.index === index) && !one.rtcp,
  );
  const values = {
    who: whoText(tag, call, streams),
    media: mediaText(stream?.media ?? streams.find((one) => one.index === index)?.media ?? null),
    told: stream?.told ?? NOTHING,
    said: stream?.advertised ?? NOTHING,
    last: t('ago', { time: duration(stream?.last_packet_s) }),
    figures: stream === undefined ? '' : figuresOf(stream),
  };
  const titleKey = `finding_${code}`;
  // A private address is no trouble where the packets arrive.
  const isHeard = code === 'private-address' && level === 'info';
  const isSilent = code === 'held' && tag !== null;
  const adviceKey = `advice_${code}${isHeard ? '_heard' : isSilent ? '_silent' : ''}`;

  return {
    key: `${code} ${tag} ${index}`,
    tone: TONES[level],
    title: t(isKey(titleKey) ? titleKey : 'finding_other', values),
    // A code that came after this page was made has the words of the service.
    text: isKey(adviceKey) ? t(adviceKey, values) : text,
  };
}

/** Of several callees, which one. */
function whoText(tag: string | null, call: CallResource | null, streams: readonly StreamResource[]): string {
  if (tag === null) return t('who_nobody');
  if (tag === call?.caller_tag) return t('who_caller');
  const callees = new Set(streams.map((stream) => stream.tag).filter((one) => one !== call?.caller_tag));

  return callees.size < 2 ? t('who_callee') : `${t('who_callee')} (${visible(tag.slice(0, MAX_TAG))})`;
}

/** Characters of a tag in a sentence. */
const MAX_TAG = 24;

/** How a party hears, by its own reports. */
function figuresOf({ loss_percent: loss, jitter_ms: jitter, mos }: StreamResource): string {
  return [
    ...(loss === null ? [] : [`${t('loss')} ${percent(loss, 1)}`]),
    ...(jitter === null ? [] : [`${t('jitter')} ${millis(jitter)} ms`]),
    ...(mos === null ? [] : [`${t('mos')} ${fixed(mos, 1)}`]),
  ].join(', ');
}

function callFindings({ call, steps }: Explained): Finding[] {
  const failed = steps.filter(({ result }) => result !== 'ok');
  const last = failed.at(-1);
  const findings: Finding[] = [];
  if (call === null && last !== undefined) {
    findings.push({ key: 'none', tone: 'bad', title: t('finding_none'), text: last.reason });
  } else if (last !== undefined) {
    findings.push({
      key: 'failed',
      tone: 'warn',
      title: t('finding_failed', { n: failed.length }),
      text: t('finding_failed_last', { what: last.message ?? last.operation, code: last.result }),
    });
  }
  switch (call?.end_reason) {
    case 'lost':
      findings.push({ key: 'lost', tone: 'bad', title: t('finding_lost'), text: t('finding_lost_hint') });
      break;
    case 'media timeout':
      findings.push({
        key: 'timeout',
        tone: 'bad',
        title: t('finding_timeout'),
        text: t('finding_timeout_hint'),
      });
      break;
    case 'idle':
      findings.push({ key: 'idle', tone: 'warn', title: t('finding_idle'), text: t('finding_idle_hint') });
      break;
  }

  return findings;
}
