/** How much an event matters. */

import type { Tone } from '../parts/badge.tsx';
import type { IconName } from '../parts/icon.tsx';

const BAD = new Set([
  'admin.blocked',
  'call.lost',
  'https.certificate_bad',
  'node.canary_failed',
  'node.down',
  'node.ejected',
  'node.media_failed',
  'node.not_ejected',
  'set.panic',
  'store.durability_lost',
]);
const WARN = new Set([
  'call.direction_contradicted',
  'call.timeout',
  'https.certificate_expiring',
  'node.drain_deadline',
  'node.falling',
  'node.figures_lost',
  'node.hook_failed',
  'node.limit_failed',
  'node.maint_overdue',
  'node.media_lossy',
  'node.restarted',
]);
const GOOD = new Set([
  'node.drained',
  'node.figures_back',
  'node.limit_restored',
  'node.media_ok',
  'node.up',
  'set.calm',
  'store.durability_regained',
]);

export function severityOf(kind: string): Tone {
  if (BAD.has(kind)) return 'bad';
  if (WARN.has(kind)) return 'warn';

  return GOOD.has(kind) ? 'good' : 'idle';
}

export const SEVERITY_ICONS: Readonly<Record<Tone, IconName>> = {
  bad: 'down',
  warn: 'warn',
  good: 'up',
  info: 'info',
  idle: 'dot',
};
