/** A node in figures, and its last hour or week. */

import { bytes, fixed, millis, number, percent, rate } from '../format.ts';
import { reader } from '../i18n.ts';
import { Figure } from '../overview/figures.tsx';
import { inMillis, linesOf } from '../overview/plots.tsx';
import { Chart } from '../parts/chart.tsx';
import type { NodeResource, Series } from '../resources.ts';
import { fleet } from '../words/fleet.ts';

const t = reader(fleet);

export function NodeFigures({
  node: { load, placed_per_s: placed, rtt_ms: rtt, health },
  series,
}: {
  readonly node: NodeResource;
  /** Of the last hour. */
  readonly series: Series | undefined;
}) {
  const course = (key: string): readonly (number | null)[] => series?.values[key] ?? [];
  const free =
    load.ports_total === null || load.ports_in_use === null ? null : load.ports_total - load.ports_in_use;

  return (
    <dl class="panel figures" aria-label={t('figures')}>
      <Figure name={t('live_calls')} value={number(load.calls)} course={course('calls')} />
      <Figure name={t('sessions')} value={number(load.sessions)} course={course('sessions')} />
      <Figure name={t('placed')} value={rate(placed)} unit={t('per_s')} course={course('placed_per_s')} />
      <Figure
        name={t('ports')}
        value={number(free)}
        more={load.ports_total === null ? undefined : t('of_all', { n: load.ports_total })}
        course={course('ports_in_use')}
      />
      <Figure
        name={t('packets')}
        value={number(load.packets_per_s)}
        unit={t('per_s')}
        more={load.bytes_per_s === null ? undefined : `${bytes(load.bytes_per_s)}${t('per_s')}`}
        course={course('packets_per_s')}
      />
      <Figure
        name={t('errors')}
        title={t('errors_title')}
        value={fixed(load.errors_per_s, 1)}
        unit={t('per_s')}
        tone={(load.errors_per_s ?? 0) > 0 ? 'warn' : undefined}
        course={course('errors_per_s')}
      />
      <Figure
        name={t('rtt')}
        title={t('rtt_title')}
        value={health.state === 'down' ? millis(null) : millis(rtt)}
        unit={t('ms')}
        course={course('rtt_ms')}
      />
    </dl>
  );
}

export function NodePlots({ series }: { readonly series: Series }) {
  const line = linesOf(series);
  const common = { span: series.span, times: series.times, sync: 'node' };
  const isProbed = ['probe_loss', 'probe_delay_ms'].some((key) =>
    series.values[key]?.some((value) => value !== null),
  );

  return (
    <div class="plots">
      <Chart
        {...common}
        title={t('plot_calls')}
        format={(value) => number(value)}
        floor={4}
        lines={[
          line('calls', t('line_calls'), '--plot-1', true),
          line('sessions', t('line_sessions'), '--plot-2'),
        ]}
      />
      <Chart
        {...common}
        title={t('plot_ports')}
        format={(value) => number(value)}
        floor={16}
        lines={[line('ports_in_use', t('line_ports'), '--plot-2', true)]}
      />
      <Chart
        {...common}
        title={t('plot_packets')}
        format={rate}
        lines={[
          line('packets_per_s', t('line_packets'), '--plot-1', true),
          line('errors_per_s', t('line_errors'), '--plot-bad'),
        ]}
      />
      <Chart
        {...common}
        title={t('plot_rtt')}
        format={inMillis}
        lines={[line('rtt_ms', t('line_rtt'), '--plot-3', true)]}
      />
      {isProbed ? (
        <>
          <Chart
            {...common}
            title={`${t('plot_probe')}: ${t('line_loss')}`}
            format={(value) => percent(value, 1)}
            floor={2}
            lines={[line('probe_loss', t('line_loss'), '--plot-bad', true)]}
          />
          <Chart
            {...common}
            title={`${t('plot_probe')}: ${t('line_delay')}`}
            format={inMillis}
            lines={[line('probe_delay_ms', t('line_delay'), '--plot-4', true)]}
          />
        </>
      ) : null}
    </div>
  );
}
