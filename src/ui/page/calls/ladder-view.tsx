/** The ladder diagram: proxy, cluster and relays as lanes, requests and answers as arrows, from the top to the bottom. */

import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { duration } from '../format.ts';
import { type Band, type Ladder, type Lane, ladderOf, MAX_STEPS, placeLanes } from './ladder.ts';
import { ArrowView, HEAD, middle, nameOf, ROW } from './ladder-arrow.tsx';
import type { Explained } from './resources.ts';
import { clock, sinceStart, t } from './said.ts';

/** Before the first lane, for times; on narrow screens there is room for the shorter one only. */
const LEFT = { wide: 140, narrow: 102 } as const;
/** After the last lane, and the width of the names. */
const RIGHT = { wide: 62, narrow: 44 } as const;
const NAME = { wide: 100, narrow: 82 } as const;
const NARROW_BELOW = 480;

export interface LadderViewProps {
  readonly explained: Explained;
  /** Index of the step that is shown beside. */
  readonly selected: number;
  readonly onSelect: (step: number) => void;
}

export function LadderView({ explained, selected, onSelect }: LadderViewProps) {
  const [most, setMost] = useState(MAX_STEPS);
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const ladder = ladderOf(explained, most);
  const isNarrow = width < NARROW_BELOW;
  const places = placeLanes(ladder.lanes.length, {
    width,
    left: isNarrow ? LEFT.narrow : LEFT.wide,
    right: isNarrow ? RIGHT.narrow : RIGHT.wide,
  });
  const whole = Math.max(width, places.width);
  const height = HEAD + ladder.rows * ROW + 12;

  return (
    <div class="ladder" ref={box}>
      {ladder.earlier === 0 ? null : (
        <p class="ladder-earlier">
          {t('earlier', { n: ladder.earlier })}{' '}
          <button type="button" class="link" onClick={() => setMost(Number.MAX_SAFE_INTEGER)}>
            {t('show_all')}
          </button>
        </p>
      )}
      {width === 0 ? null : (
        <div class="ladder-scroll" tabIndex={places.width > width ? 0 : undefined}>
          {/* biome-ignore lint/a11y/useSemanticElements: no other element holds a drawing */}
          <svg
            role="group"
            aria-label={t('ladder_label')}
            width={whole}
            height={height}
            viewBox={`0 0 ${whole} ${height}`}
            onKeyDown={move}
          >
            {ladder.bands.map((band) => (
              <BandView
                key={band.step}
                band={band}
                width={whole}
                isNarrow={isNarrow}
                isSelected={band.step === selected}
                onSelect={onSelect}
              />
            ))}
            {ladder.lanes.map((lane, index) => (
              <LaneView
                key={lane.nodeId ?? lane.kind}
                lane={lane}
                x={places.xs[index] ?? 0}
                width={isNarrow ? NAME.narrow : NAME.wide}
                height={height}
              />
            ))}
            {ladder.pauses.map(({ row, ms }) => (
              <g key={row} class="ladder-pause">
                <line
                  x1={(places.xs[0] ?? 0) - 8}
                  x2={(places.xs.at(-1) ?? 0) + 8}
                  y1={middle(row)}
                  y2={middle(row)}
                />
                <text x={((places.xs[0] ?? 0) + (places.xs[1] ?? 0)) / 2} y={middle(row) + 4}>
                  {t('later', { time: duration(ms / 1000) })}
                </text>
              </g>
            ))}
            {ladder.arrows.map((arrow) => (
              <ArrowView
                key={arrow.row}
                arrow={arrow}
                ladder={ladder}
                xs={places.xs}
                at={explained.steps[arrow.step]?.at ?? 0}
                isSelected={arrow.step === selected}
                // One stop for the tab key; the arrow keys go on from there.
                isStop={arrow.row === firstRowOf(ladder, selected)}
                onSelect={onSelect}
              />
            ))}
          </svg>
        </div>
      )}
    </div>
  );
}

/** The width of an element; 0 until it is known. */
function useWidth(element: { readonly current: HTMLElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const { current } = element;
    if (current === null) return;
    setWidth(current.clientWidth);
    const observer = new ResizeObserver(() => setWidth(current.clientWidth));
    observer.observe(current);

    return () => observer.disconnect();
  }, [element]);

  return width;
}

function firstRowOf({ bands }: Ladder, step: number): number {
  return (bands.find((band) => band.step === step) ?? bands[0])?.first ?? 0;
}

/** Up and down go from arrow to arrow, Home and End to the first and the last. */
function move(event: KeyboardEvent): void {
  const all = [...(event.currentTarget as SVGElement).querySelectorAll<SVGElement>('[role=button]')];
  const now = all.indexOf(document.activeElement as SVGElement);
  const next =
    event.key === 'ArrowDown'
      ? all[Math.min(now + 1, all.length - 1)]
      : event.key === 'ArrowUp'
        ? all[Math.max(now - 1, 0)]
        : event.key === 'Home'
          ? all[0]
          : event.key === 'End'
            ? all.at(-1)
            : undefined;
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}

/** The ground of a step, with its time at the left. A click anywhere on it selects it. */
function BandView({
  band: { step, first, last, at, sinceStartMs, isFailed },
  width,
  isNarrow,
  isSelected,
  onSelect,
}: {
  readonly band: Band;
  readonly width: number;
  readonly isNarrow: boolean;
  readonly isSelected: boolean;
  readonly onSelect: (step: number) => void;
}) {
  const classes = ['ladder-band', ...(isSelected ? ['selected'] : []), ...(isFailed ? ['failed'] : [])];

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: the arrows on it can be reached
    <g class={classes.join(' ')} onClick={() => onSelect(step)}>
      <rect x={0} y={HEAD + first * ROW} width={width} height={(last - first + 1) * ROW} rx={4} />
      {isSelected ? (
        <rect
          class="ladder-mark"
          x={0}
          y={HEAD + first * ROW}
          width={3}
          height={(last - first + 1) * ROW}
          rx={1.5}
        />
      ) : null}
      <text class="ladder-time" x={12} y={middle(first) + 4}>
        {isNarrow ? sinceStart(sinceStartMs) : clock(at)}
      </text>
      {isNarrow ? null : (
        <text class="ladder-since" x={12} y={middle(first) + ROW - 6}>
          {sinceStart(sinceStartMs)}
        </text>
      )}
    </g>
  );
}

function LaneView({
  lane,
  x,
  width,
  height,
}: {
  readonly lane: Lane;
  readonly x: number;
  readonly width: number;
  readonly height: number;
}) {
  return (
    <g class={`ladder-lane ${lane.kind}${lane.isOwner ? ' owner' : ''}`}>
      <line x1={x} x2={x} y1={HEAD - 10} y2={height - 6} />
      <rect x={x - width / 2} y={6} width={width} height={24} rx={5} />
      <text x={x} y={22}>
        {nameOf(lane)}
      </text>
    </g>
  );
}
