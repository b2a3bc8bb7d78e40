/** What an order means while it holds: the progress of a drain, the end of a maintenance. */

import { duration, fixed, time } from '../format.ts';
import { reader } from '../i18n.ts';
import { Icon } from '../parts/icon.tsx';
import { Notice } from '../parts/notice.tsx';
import type { NodeResource } from '../resources.ts';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

export function OrderNotice({ node }: { readonly node: NodeResource }) {
  const { order, drain } = node;
  const by = (
    <span class="muted">
      {t('ordered_by', { who: order.by || '–', time: time(order.at) })}
      {order.reason === '' ? null : <q>{order.reason}</q>}
    </span>
  );
  if (order.state === 'maint') {
    return (
      <Notice tone="info" title={t('in_maint')}>
        {order.until === null ? null : <p>{t('maint_until', { time: time(order.until) })}</p>}
        {by}
      </Notice>
    );
  }
  if (drain === null) return null;
  if (drain.is_drained || drain.calls_left === 0) {
    return (
      <Notice
        tone={drain.is_drained ? 'good' : 'info'}
        title={t(drain.is_drained ? 'drained' : 'draining', { calls: 0 })}
      >
        {by}
      </Notice>
    );
  }
  const parts = [
    drain.per_minute === null ? undefined : t('drain_pace', { rate: fixed(drain.per_minute, 1) }),
    drain.eta_s === null ? t('drain_no_eta') : t('drain_eta', { eta: duration(drain.eta_s) }),
    order.until === null ? undefined : t('drain_until', { time: time(order.until) }),
  ].filter((part) => part !== undefined);

  return (
    <div class="notice info" role="status">
      <Icon name="drain" />
      <div class="notice-text">
        <strong>{t('draining', { calls: drain.calls_left })}</strong>
        <p>{parts.join(' · ')}</p>
        {by}
      </div>
    </div>
  );
}
