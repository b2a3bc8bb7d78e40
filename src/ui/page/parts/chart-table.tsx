/** The values of a plot as a table, for those who do not see it or want them exactly. */

import { time } from '../format.ts';
import { reader } from '../i18n.ts';
import { shell } from '../words/shell.ts';
import type { ChartProps } from './chart.tsx';

const t = reader(shell);

/** Rows at most: one for each minute, or for some hours. */
const ROWS = 60;

export function ChartTable({ title, times, lines, format }: ChartProps) {
  const step = Math.max(1, Math.ceil(times.length / ROWS));
  const rows = times.map((_, at) => at).filter((at) => (times.length - 1 - at) % step === 0);

  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be in reach of the keyboard
    <section class="plot-table" aria-label={t('chart_table_label', { title })} tabIndex={0}>
      <table class="table plain">
        <thead>
          <tr>
            <th scope="col">{t('time')}</th>
            {lines.map(({ key, label }) => (
              <th key={key} scope="col" class="number">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.reverse().map((at) => (
            <tr key={times[at]}>
              <th scope="row">{time((times[at] ?? 0) * 1000)}</th>
              {lines.map(({ key, values }) => (
                <td key={key} class="number">
                  {format(values[at] ?? null)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
