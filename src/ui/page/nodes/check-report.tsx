/** What a check of a node found: each thing that was tested, and what to do where it is not as it should be. */

import { millis } from '../format.ts';
import { reader } from '../i18n.ts';
import { Badge, type Tone } from '../parts/badge.tsx';
import type { IconName } from '../parts/icon.tsx';
import { nodes } from '../words/nodes.ts';
import type { CheckResource, CheckResult, ReportResource } from './checks.ts';

const t = reader(nodes);

const LOOKS: Readonly<Record<CheckResult, readonly [Tone, IconName]>> = {
  ok: ['good', 'up'],
  warning: ['warn', 'warn'],
  failed: ['bad', 'down'],
  skipped: ['idle', 'info'],
};

export function CheckReport({
  report,
  isStale,
}: {
  readonly report: ReportResource;
  readonly isStale: boolean;
}) {
  const [tone, icon] = LOOKS[report.result];

  return (
    <div class={isStale ? 'nf-report stale' : 'nf-report'} role="status">
      <p class="nf-verdict">
        <Badge tone={tone} icon={icon}>
          {t(`check_${report.result}`)}
        </Badge>
        {isStale ? <span class="muted">{t('check_stale')}</span> : null}
      </p>
      <ul class="nf-checks">
        {report.checks.map((check) => (
          <CheckRow key={`${check.check} ${check.side} ${check.family}`} check={check} />
        ))}
      </ul>
    </div>
  );
}

function CheckRow({
  check: { check, side, family, result, detail, advice, took_ms: tookMs },
}: {
  readonly check: CheckResource;
}) {
  const [tone, icon] = LOOKS[result];
  const key = `check_${check}`;
  const name = Object.hasOwn(nodes.en, key) ? t(key as keyof typeof nodes.en) : check;

  return (
    <li class={result}>
      <div class="nf-check-head">
        <strong>{name}</strong>
        {side === null ? null : <span class="call-side">{side.replace('>', ' → ')}</span>}
        {family === null ? null : (
          <span class="muted small">{family === 'IP6' ? t('family_IP6') : t('family_IP4')}</span>
        )}
        <span class="nf-check-result">
          {tookMs === 0 ? null : <span class="muted small">{t('took', { ms: millis(tookMs) })}</span>}
          <Badge tone={tone} icon={icon}>
            {t(`result_${result}`)}
          </Badge>
        </span>
      </div>
      <p>{detail}</p>
      {advice === '' ? null : (
        <p class="nf-advice">
          <strong>{t('what_to_do')}:</strong> {advice}
        </p>
      )}
    </li>
  );
}
