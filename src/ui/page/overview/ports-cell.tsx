/** Media ports that are left, as a number and as a bar of those in use. */

import { NOTHING, number } from '../format.ts';
import { reader } from '../i18n.ts';
import { Meter } from '../parts/layout.tsx';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

/** Shares of ports in use from which on a bar warns, and is bad. */
const WARN = 0.75;
const BAD = 0.9;

export function PortsCell({
  ports_in_use: used,
  ports_total: total,
}: {
  readonly ports_in_use: number | null;
  readonly ports_total: number | null;
}) {
  if (used === null || total === null || total === 0) {
    return (
      <span class="muted" title={t('ports_unknown')}>
        {NOTHING}
      </span>
    );
  }
  const share = used / total;
  const label = t('ports_left', { free: total - used, all: total });

  return (
    <span class="ports" title={label}>
      <Meter share={share} tone={share >= BAD ? 'bad' : share >= WARN ? 'warn' : 'good'} label={label} />
      <span class="ports-free">{number(total - used)}</span>
    </span>
  );
}
