/** What the media probe of a node last found. */

import { millis, percent } from '../format.ts';
import { reader } from '../i18n.ts';
import { Badge } from '../parts/badge.tsx';
import type { Probe } from '../resources.ts';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

const LOOKS = {
  ok: ['good', 'up'],
  lossy: ['warn', 'warn'],
  failed: ['bad', 'down'],
} as const;

export function ProbeCell({ probe }: { readonly probe: Probe | null | undefined }) {
  if (probe === null || probe === undefined) return <span class="muted">{t('probe_off')}</span>;
  const { result, reason, loss_percent: loss, delay_ms: delay } = probe;
  const [tone, icon] = LOOKS[result];
  const figures = result === 'lossy' && loss !== null ? percent(loss, 1) : undefined;
  const title =
    reason ??
    [percent(loss, 1), delay === null ? '' : `${millis(delay)} ${t('ms')}`].filter(Boolean).join(', ');

  return (
    <Badge tone={tone} icon={icon} title={title}>
      {t(`probe_${result}`)}
      {figures === undefined ? null : ` ${figures}`}
    </Badge>
  );
}
