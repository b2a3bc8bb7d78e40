/** One arrow of the ladder: a line with a tip, its words above, and a sentence for those who do not see it. */

import { millis } from '../format.ts';
import type { Arrow, Ladder, Lane } from './ladder.ts';
import { clock, resultText, t } from './said.ts';

/** Height of the names of the lanes, and of a row, pixels. */
export const HEAD = 44;
export const ROW = 27;
/** Room for the diamond at the end of an arrow. */
const DIAMOND = 7;

/** Where the line of a row is. */
export function middle(row: number): number {
  return HEAD + row * ROW + 16;
}

/** What stands at the top of a lane. */
export function nameOf({ kind, nodeId }: Lane): string {
  return kind === 'relay' ? t('node_is', { id: String(nodeId) }) : t(kind);
}

export function ArrowView({
  arrow,
  ladder,
  xs,
  at,
  isSelected,
  isStop,
  onSelect,
}: {
  readonly arrow: Arrow;
  readonly ladder: Ladder;
  readonly xs: readonly number[];
  /** When its step began, UTC ms. */
  readonly at: number;
  readonly isSelected: boolean;
  readonly isStop: boolean;
  readonly onSelect: (step: number) => void;
}) {
  const { kind, row, from, to, isFailed, tookMs } = arrow;
  const y = middle(row);
  const [start, end] = [xs[from] ?? 0, xs[to] ?? 0];
  const way = Math.sign(end - start);
  // What nobody answers does not arrive.
  const tip = kind === 'lost' ? start + (end - start) * 0.82 : end - way * (arrow.isPlacement ? DIAMOND : 2);
  const text = textOf(arrow);
  const [low, high] = [Math.min(from, to), Math.min(from, to) + 1];
  const [lowX, highX] = [xs[low] ?? 0, xs[high] ?? 0];
  const classes = [
    'ladder-arrow',
    kind,
    ...(isFailed ? ['failed'] : []),
    ...(isSelected ? ['selected'] : []),
  ];

  return (
    // biome-ignore lint/a11y/useSemanticElements: an arrow of a drawing cannot be a button element
    <g
      class={classes.join(' ')}
      role="button"
      // In SVG the name of an attribute is what it is written as.
      tabindex={isStop ? 0 : -1}
      aria-pressed={isSelected}
      aria-label={sentenceOf(arrow, ladder, at)}
      onClick={() => onSelect(arrow.step)}
      onKeyDown={(event) => {
        if (event.key !== 'Enter' && event.key !== ' ') return;
        event.preventDefault();
        onSelect(arrow.step);
      }}
    >
      <rect
        class="ladder-hit"
        x={Math.min(start, end)}
        y={y - 17}
        width={Math.abs(end - start)}
        height={ROW - 1}
        rx={3}
      />
      <line x1={start + way * 2} x2={tip} y1={y} y2={y} />
      {kind === 'lost' ? <Cross x={tip} y={y} /> : null}
      {kind === 'unasked' ? <Barred x={(start + tip) / 2} y={y} /> : null}
      {kind === 'lost' || kind === 'unasked' ? null : <path class="ladder-tip" d={tipPath(tip, y, way)} />}
      {kind === 'reply' && isFailed ? <Cross x={start - 14} y={y} /> : null}
      {kind === 'told' && isFailed ? <Cross x={start - 14} y={y} /> : null}
      {arrow.isPlacement ? (
        <path class="ladder-placement" d={`M${end} ${y - 6}l6 6l-6 6l-6 -6z`}>
          <title>{t('arrow_placement')}</title>
        </path>
      ) : null}
      <text x={(lowX + highX) / 2} y={y - 4}>
        {text}
        {tookMs === null || isTight(text, highX - lowX) ? null : (
          <tspan class="ladder-took"> {millis(tookMs)} ms</tspan>
        )}
      </text>
    </g>
  );
}

/** Words that fit between two lanes; the whole is in the details. */
function textOf({ kind, label }: Arrow): string {
  const text = kind === 'request' || kind === 'ask' ? label : resultText(label).replace(/^RTPC_/, '');

  return text.length > 18 ? `${text.slice(0, 17)}…` : text;
}

/** Whether there is no room for the time behind the words. */
function isTight(text: string, room: number): boolean {
  return (text.length + 8) * 6.5 > room;
}

function tipPath(x: number, y: number, way: number): string {
  return `M${x} ${y}l${-way * 7} -4v8z`;
}

function Cross({ x, y }: { readonly x: number; readonly y: number }) {
  return <path class="ladder-cross" d={`M${x - 4} ${y - 4}l8 8M${x + 4} ${y - 4}l-8 8`} />;
}

function Barred({ x, y }: { readonly x: number; readonly y: number }) {
  return (
    <path
      class="ladder-cross"
      d={`M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0M${x - 3.5} ${y + 3.5}l7 -7`}
    />
  );
}

/** What an arrow says, and from whom to whom: it begins with what can be seen. */
function sentenceOf(arrow: Arrow, { lanes }: Ladder, at: number): string {
  const { kind, from, to, tookMs, isPlacement } = arrow;
  const [sender, reader] = [lanes[from], lanes[to]].map((lane) => (lane === undefined ? '' : nameOf(lane)));
  const took = tookMs === null ? '' : ` ${millis(tookMs)} ms`;

  return [
    t('arrow', { text: textOf(arrow) + took, from: sender ?? '', to: reader ?? '' }),
    ...(kind === 'request' ? [clock(at)] : []),
    ...(isPlacement ? [t('arrow_placement')] : []),
    ...(kind === 'lost' || kind === 'unasked' ? [t(`arrow_${kind}`)] : []),
  ].join(', ');
}
