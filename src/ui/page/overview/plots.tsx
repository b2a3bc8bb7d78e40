/** The last hour or week of the whole fleet. */

import type { ApiFailure } from '../api.ts';
import { millis, number, rate } from '../format.ts';
import { reader } from '../i18n.ts';
import { Segments } from '../parts/button.tsx';
import { Chart, type Line } from '../parts/chart.tsx';
import { Panel, Skeleton } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import type { Series, Span } from '../resources.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';

const t = reader(fleet);
const tShell = reader(shell);

/** Hour or week. */
export function SpanSwitch({ span, onSpan }: { readonly span: Span; readonly onSpan: (span: Span) => void }) {
  return (
    <Segments
      label={tShell('span')}
      value={span}
      choices={[
        ['hour', tShell('span_hour')],
        ['week', tShell('span_week')],
      ]}
      onChange={onSpan}
    />
  );
}

/** Makes lines of the columns of a series. */
export function linesOf(
  series: Series,
): (key: string, label: string, color: `--${string}`, isFilled?: boolean) => Line {
  return (key, label, color, isFilled = false) => ({
    key,
    label,
    color,
    isFilled,
    values: series.values[key] ?? [],
  });
}

/** A time with its unit. */
export const inMillis = (value: number | null): string =>
  value === null ? millis(null) : `${millis(value)} ${t('ms')}`;

export function FleetPlots({
  series,
  failure,
  span,
  onSpan,
}: {
  readonly series: Series | undefined;
  readonly failure: ApiFailure | undefined;
  readonly span: Span;
  readonly onSpan: (span: Span) => void;
}) {
  return (
    <Panel title={t('history')} tools={<SpanSwitch span={span} onSpan={onSpan} />}>
      <FailureNotice failure={failure} />
      {series === undefined ? <Skeleton lines={5} /> : <Plots series={series} />}
    </Panel>
  );
}

function Plots({ series }: { readonly series: Series }) {
  const line = linesOf(series);
  const common = { span: series.span, times: series.times, sync: 'fleet' };

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
        title={t('plot_rates')}
        format={rate}
        lines={[
          line('requests_per_s', t('line_requests'), '--plot-1', true),
          line('placed_per_s', t('line_placed'), '--plot-2'),
          line('failed_per_s', t('line_failed'), '--plot-bad'),
        ]}
      />
      <Chart
        {...common}
        title={t('plot_times')}
        format={inMillis}
        lines={[line('p50_ms', t('line_p50'), '--plot-1', true), line('p99_ms', t('line_p99'), '--plot-3')]}
      />
      <Chart
        {...common}
        title={t('plot_program')}
        format={inMillis}
        lines={[
          line('loop_delay_ms', t('line_loop'), '--plot-4'),
          line('commit_ms', t('line_commit'), '--plot-2'),
        ]}
      />
    </div>
  );
}
