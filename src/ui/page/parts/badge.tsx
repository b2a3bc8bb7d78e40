/** States as a word with a glyph: the colour only repeats what these say. */

import { reader } from '../i18n.ts';
import type { Health, Order } from '../resources.ts';
import { shell } from '../words/shell.ts';
import { Icon, type IconName } from './icon.tsx';

export type Tone = 'good' | 'warn' | 'bad' | 'info' | 'idle';

const t = reader(shell);

export interface BadgeProps {
  readonly tone: Tone;
  readonly icon?: IconName;
  readonly title?: string | undefined;
  readonly children: preact.ComponentChildren;
}

export function Badge({ tone, icon, title, children }: BadgeProps) {
  return (
    <span class={`badge ${tone}`} title={title}>
      {icon === undefined ? null : <Icon name={icon} size={13} />}
      {children}
    </span>
  );
}

const HEALTH: Readonly<Record<Health, readonly [Tone, IconName]>> = {
  unknown: ['idle', 'unknown'],
  up: ['good', 'up'],
  falling: ['warn', 'falling'],
  down: ['bad', 'down'],
  rising: ['warn', 'rising'],
  ejected: ['bad', 'ejected'],
};
const ORDER: Readonly<Record<Order, readonly [Tone, IconName]>> = {
  ready: ['idle', 'play'],
  drain: ['info', 'drain'],
  maint: ['info', 'maint'],
};

/** Our opinion of a node. */
export function HealthBadge({ state, title }: { readonly state: Health; readonly title?: string }) {
  const [tone, icon] = HEALTH[state];

  return (
    <Badge tone={tone} icon={icon} title={title}>
      {t(`health_${state}`)}
    </Badge>
  );
}

/** What people ordered of a node. */
export function OrderBadge({ state, title }: { readonly state: Order; readonly title?: string }) {
  const [tone, icon] = ORDER[state];

  return (
    <Badge tone={tone} icon={icon} title={title}>
      {t(`order_${state}`)}
    </Badge>
  );
}
