/** A plot of values over time. Beside the picture stand its values as text, and on demand a table, for those who do not see it. */

import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import uPlot from 'uplot';
import { time } from '../format.ts';
import { locale, reader } from '../i18n.ts';
import type { Span } from '../resources.ts';
import { theme, token } from '../theme.ts';
import { shell } from '../words/shell.ts';
import { ChartTable } from './chart-table.tsx';

const t = reader(shell);

export interface Line {
  readonly key: string;
  readonly label: string;
  readonly color: `--${string}`;
  /** As long as the times of the chart. */
  readonly values: readonly (number | null)[];
  readonly isFilled?: boolean;
}

export interface ChartProps {
  readonly title: string;
  readonly span: Span;
  /** Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  /** A value as text, with its unit. */
  readonly format: (value: number | null) => string;
  /** Charts of one name have their cursors at the same time. */
  readonly sync: string;
  /** The scale ends there at least. */
  readonly floor?: number;
}

const HEIGHT = 168;
export const SPAN_S: Readonly<Record<Span, number>> = { hour: 3600, week: 604_800 };

export function Chart(props: ChartProps) {
  const { title, times, lines, format, span } = props;
  const [isTable, setTable] = useState(false);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  /** Index of the time under the cursor; null for the newest. */
  const index = useSignal<number | null>(null);
  const isEmpty = lines.every(({ values }) => values.every((value) => value === null));
  const spoken = lines
    .map(({ label, values }) => t('chart_now', { name: label, value: format(newest(values)) }))
    .join('; ');

  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <CursorTime times={times} index={index} />
        <button type="button" class="chart-switch" aria-pressed={isTable} onClick={() => setTable(!isTable)}>
          {t('chart_table')}
          <span class="sr-only">{title}</span>
        </button>
      </figcaption>
      <Legend {...props} index={index} hidden={hidden} onToggle={(key) => setHidden(toggled(hidden, key))} />
      {isTable ? (
        <ChartTable {...props} />
      ) : (
        <div class="plot" role="img" aria-label={`${title}. ${spoken}`}>
          <Plot {...props} index={index} hidden={hidden} />
          {isEmpty || times.length === 0 ? (
            <p class="plot-empty">{t(span === 'hour' ? 'chart_empty' : 'chart_empty_week')}</p>
          ) : (
            <Since {...props} />
          )}
        </div>
      )}
    </figure>
  );
}

/** Says where the figures begin, if a good part of the plot is before that. */
function Since({ times, lines, span }: ChartProps) {
  const first = times.find((_, at) => lines.some(({ values }) => (values[at] ?? null) !== null));
  const [start] = rangeOf(times, span);
  if (first === undefined || first - start < SPAN_S[span] / 2) return null;

  return <p class="plot-since">{t('chart_since', { time: time(first * 1000) })}</p>;
}

function Legend({
  lines,
  format,
  index,
  hidden,
  onToggle,
}: ChartProps & {
  readonly index: Signal<number | null>;
  readonly hidden: ReadonlySet<string>;
  readonly onToggle: (key: string) => void;
}) {
  const at = index.value;

  return (
    <div class="legend">
      {lines.map(({ key, label, color, values }) => (
        <button
          key={key}
          type="button"
          class="legend-entry"
          aria-pressed={!hidden.has(key)}
          onClick={() => onToggle(key)}
        >
          <span class="legend-line" style={{ background: `var(${color})` }} />
          {label} <b>{format(at === null ? newest(values) : (values[at] ?? null))}</b>
        </button>
      ))}
    </div>
  );
}

/** The time the values of the legend are of, while the cursor is on a plot. */
function CursorTime({
  times,
  index,
}: {
  readonly times: readonly number[];
  readonly index: Signal<number | null>;
}) {
  const at = index.value;
  const when = at === null ? undefined : times[at];

  return <span class="chart-time">{when === undefined ? '' : time(when * 1000)}</span>;
}

function Plot({
  times,
  lines,
  span,
  sync,
  floor = 1,
  index,
  hidden,
}: ChartProps & { readonly index: Signal<number | null>; readonly hidden: ReadonlySet<string> }) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const keys = lines.map(({ key }) => key).join();
  const data = useMemo(
    () => [times, ...lines.map(({ values }) => values)] as uPlot.AlignedData,
    // Renders come every other second, values do not.
    [times, ...lines.map(({ values }) => values)],
  );
  const newestData = useRef(data);
  newestData.current = data;
  const [colors, language] = [theme.value, locale.value];
  // Colours and words are in what is drawn; lines count by their keys.
  useEffect(() => {
    if (box.current === null) return;
    const element = box.current;
    const options = optionsOf({ lines, span, sync, floor, width: element.clientWidth });
    const made = new uPlot(
      {
        ...options,
        hooks: {
          setCursor: [
            (self) => {
              index.value = self.cursor.idx ?? null;
            },
          ],
        },
      },
      newestData.current,
      element,
    );
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);

    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = undefined;
    };
  }, [keys, span, sync, colors, language]);
  useEffect(() => plot.current?.setData(data), [data]);
  useEffect(() => {
    lines.forEach(({ key }, at) => {
      const isShown = !hidden.has(key);
      if (plot.current?.series[at + 1]?.show !== isShown) plot.current?.setSeries(at + 1, { show: isShown });
    });
  }, [hidden, lines]);

  return <div class="plot-box" ref={box} />;
}

function optionsOf({
  lines,
  span,
  sync,
  floor,
  width,
}: Pick<ChartProps, 'lines' | 'span' | 'sync'> & {
  readonly floor: number;
  readonly width: number;
}): uPlot.Options {
  const axis: uPlot.Axis = {
    stroke: token('--muted'),
    font: '11px system-ui, sans-serif',
    grid: { stroke: token('--plot-grid'), width: 1 },
    ticks: { show: false },
  };

  return {
    width,
    height: HEIGHT,
    padding: [8, 22, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: sync, setSeries: false },
      drag: { x: false, y: false },
      y: false,
      points: { size: 6 },
    },
    scales: {
      x: { time: true, range: (self) => rangeOf(self.data[0], span) },
      y: { range: (_, _min, max) => [0, Math.max(floor, (max ?? 0) * 1.1)] },
    },
    axes: [
      { ...axis, size: 28, gap: 7, space: 52, values: (_, splits) => splits.map((at) => tick(at, span)) },
      { ...axis, size: 46, gap: 6, space: 34, values: (_, splits) => splits.map(short) },
    ],
    series: [
      {},
      ...lines.map(
        ({ label, color, isFilled }): uPlot.Series => ({
          label,
          stroke: token(color),
          width: 1.6,
          ...(isFilled ? { fill: `${token(color)}1f` } : {}),
          points: { show: false },
          spanGaps: false,
        }),
      ),
    ],
  };
}

/** All of the span, up to the newest time: what is missing is seen to be missing. */
function rangeOf(times: ArrayLike<number>, span: Span): [number, number] {
  const end = times[times.length - 1] ?? Date.now() / 1000;

  return [end - SPAN_S[span], end];
}

function tick(at: number, span: Span): string {
  const date = new Date(at * 1000);
  const options: Intl.DateTimeFormatOptions =
    span === 'week' && date.getHours() === 0
      ? { day: 'numeric', month: 'short' }
      : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' };

  return new Intl.DateTimeFormat(locale.peek(), options).format(date);
}

function short(value: number): string {
  return new Intl.NumberFormat(locale.peek(), { notation: 'compact', maximumFractionDigits: 2 }).format(
    value,
  );
}

/** The last value; a gap of one point at the end is none, as figures come one after the other. */
export function newest(values: readonly (number | null)[]): number | null {
  return values.at(-1) ?? values.at(-2) ?? null;
}

function toggled(set: ReadonlySet<string>, key: string): ReadonlySet<string> {
  const next = new Set(set);
  if (!next.delete(key)) next.add(key);

  return next;
}
