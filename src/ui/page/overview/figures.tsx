/** The fleet in a row of figures, with their course over the last hour. */

import type { ComponentChildren } from 'preact';
import { fixed, millis, number, rate } from '../format.ts';
import { reader } from '../i18n.ts';
import { Icon } from '../parts/icon.tsx';
import { Sparkline } from '../parts/sparkline.tsx';
import type { Overview, Series } from '../resources.ts';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

export interface FigureProps {
  readonly name: string;
  readonly value: ComponentChildren;
  readonly unit?: string | undefined;
  /** Of what, or besides what. */
  readonly more?: ComponentChildren;
  readonly course?: readonly (number | null)[] | undefined;
  readonly tone?: 'bad' | 'warn' | undefined;
  readonly title?: string | undefined;
}

export function Figure({ name, value, unit, more, course, tone, title }: FigureProps) {
  return (
    <div class={`figure ${tone ?? ''}`} title={title}>
      <dt>
        {tone === undefined ? null : <Icon name="warn" size={13} />}
        {name}
      </dt>
      <dd>
        <span class="figure-value">
          {value}
          {unit === undefined ? null : <small>{unit}</small>}
        </span>
        {more === undefined ? null : <span class="figure-more">{more}</span>}
      </dd>
      {course === undefined ? null : <Sparkline values={course} tone={tone === undefined ? 'calm' : 'bad'} />}
    </div>
  );
}

export function Figures({
  overview: { totals },
  series,
}: {
  readonly overview: Overview;
  /** Of the last hour. */
  readonly series: Series | undefined;
}) {
  const course = (key: string): readonly (number | null)[] => series?.values[key] ?? [];
  const free =
    totals.ports_total === null || totals.ports_in_use === null
      ? null
      : totals.ports_total - totals.ports_in_use;

  return (
    <dl class="panel figures" aria-label={t('figures')}>
      <Figure
        name={t('nodes_up')}
        value={number(totals.nodes_up)}
        more={t('of_all', { n: totals.nodes })}
        tone={totals.nodes_up < totals.nodes ? 'warn' : undefined}
        course={course('nodes_up')}
      />
      <Figure name={t('live_calls')} value={number(totals.calls)} course={course('calls')} />
      <Figure
        name={t('placed')}
        value={rate(totals.placed_per_s)}
        unit={t('per_s')}
        course={course('placed_per_s')}
      />
      <Figure
        name={t('requests')}
        value={rate(totals.requests_per_s)}
        unit={t('per_s')}
        course={course('requests_per_s')}
      />
      <Figure
        name={t('failed')}
        value={fixed(totals.failed_per_s, 1)}
        unit={t('per_s')}
        tone={(totals.failed_per_s ?? 0) > 0 ? 'warn' : undefined}
        course={course('failed_per_s')}
      />
      <Figure
        name={t('latency')}
        title={t('latency_title')}
        value={millis(totals.p50_ms)}
        more={`p99 ${millis(totals.p99_ms)} ${t('ms')}`}
        unit={t('ms')}
        course={course('p99_ms')}
      />
      <Figure name={t('sessions')} value={number(totals.sessions)} course={course('sessions')} />
      <Figure
        name={t('ports')}
        value={number(free)}
        more={totals.ports_total === null ? undefined : t('of_all', { n: totals.ports_total })}
      />
    </dl>
  );
}
