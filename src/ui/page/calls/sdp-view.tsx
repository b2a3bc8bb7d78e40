/** The SDP of a step side by side: as it came, and as it left, with the changed parts marked. One column where there is no room. */

import { useMemo, useState } from 'preact/hooks';
import { visible } from '../format.ts';
import { Button } from '../parts/button.tsx';
import { CopyButton } from './copy.tsx';
import { t } from './said.ts';
import { changesOf, type SdpChange } from './sdp-changes.ts';
import { type DiffLine, type DiffRow, diffSdp } from './sdp-diff.ts';

export interface SdpViewProps {
  readonly received: string;
  /** Null if the request failed. */
  readonly returned: string | null;
  readonly sides: readonly [string, string] | null;
  readonly isCut: boolean;
}

export function SdpView({ received, returned, sides, isCut }: SdpViewProps) {
  const [isShort, setShort] = useState(false);
  // The figures beside it are drawn every 2 s.
  const { rows, linesCut } = useMemo(() => diffSdp(received, returned ?? received), [received, returned]);
  const changes = returned === null ? [] : changesOf(received, returned);
  const shown = isShort ? rows.filter(({ kind }) => kind !== 'same') : rows;

  return (
    <section class="sdp" aria-label={t('sdp')}>
      <div class="sdp-tools">
        <h3>{t('sdp')}</h3>
        {returned === null ? null : (
          <Button isPressed={isShort} onClick={() => setShort(!isShort)}>
            {t('changed_only')}
          </Button>
        )}
      </div>
      {returned === null ? null : <Changes changes={changes} />}
      <div class={returned === null ? 'sdp-sheet single' : 'sdp-sheet'}>
        <div class="sdp-heads">
          <Head title={t('sdp_received')} side={sides?.[0]} text={received} label={t('copy_received')} />
          {returned === null ? null : (
            <Head title={t('sdp_returned')} side={sides?.[1]} text={returned} label={t('copy_returned')} />
          )}
        </div>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be in reach of the keyboard */}
        <div class="sdp-rows" tabIndex={0}>
          {shown.map((row) => (
            <Row key={`${row.left?.number}-${row.right?.number}`} row={row} isSingle={returned === null} />
          ))}
        </div>
      </div>
      {returned === null ? <p class="muted">{t('sdp_not_returned')}</p> : null}
      {isCut ? <p class="muted">{t('sdp_cut')}</p> : null}
      {linesCut === 0 ? null : <p class="muted">{t('sdp_lines_cut', { n: linesCut })}</p>}
    </section>
  );
}

function Head({
  title,
  side,
  text,
  label,
}: {
  readonly title: string;
  readonly side: string | undefined;
  readonly text: string;
  readonly label: string;
}) {
  return (
    <div class="sdp-head">
      <strong>{title}</strong>
      {side === undefined ? null : <span class="call-side">{side}</span>}
      <CopyButton text={text} label={label} />
    </div>
  );
}

const SIGNS: Readonly<Record<DiffRow['kind'], readonly [string, string]>> = {
  same: ['', ''],
  changed: ['−', '+'],
  removed: ['−', ''],
  added: ['', '+'],
};

function Row({
  row: { kind, left, right },
  isSingle,
}: {
  readonly row: DiffRow;
  readonly isSingle: boolean;
}) {
  const [minus, plus] = SIGNS[kind];

  return (
    <div class={`sdp-row ${kind}`}>
      <Line line={left} sign={isSingle ? '' : minus} looks="left" />
      {isSingle ? null : <Line line={right} sign={plus} looks="right" />}
    </div>
  );
}

function Line({
  line,
  sign,
  looks,
}: {
  readonly line: DiffLine | null;
  readonly sign: string;
  readonly looks: 'left' | 'right';
}) {
  if (line === null) return <div class={`sdp-line ${looks} none`} />;

  return (
    <div class={`sdp-line ${looks}`}>
      <span class="sdp-number" aria-hidden="true">
        {line.number}
      </span>
      <span class="sdp-sign" aria-hidden="true">
        {sign}
      </span>
      {sign === '' ? null : (
        <span class="sr-only">{t(looks === 'left' ? 'line_removed' : 'line_added')}</span>
      )}
      <code>
        {line.spans.map(({ text, isChanged }, index) =>
          isChanged ? <mark key={index}>{visible(text)}</mark> : visible(text),
        )}
      </code>
    </div>
  );
}

/** What changed, in words, stream by stream. */
function Changes({ changes }: { readonly changes: readonly SdpChange[] }) {
  if (changes.length === 0) return <p class="muted">{t('sdp_same')}</p>;
  const streams = [...new Set(changes.map(({ stream }) => stream))];

  return (
    <dl class="sdp-changes">
      {streams.map((stream) => (
        <div key={stream}>
          <dt>{stream ?? t('session')}</dt>
          <dd>
            {changes
              .filter((change) => change.stream === stream)
              .map((change) => (
                <span key={change.what} class="sdp-change">
                  {sentence(change)}
                </span>
              ))}
          </dd>
        </div>
      ))}
    </dl>
  );
}

/** Longer values than this are cut, as lists of codecs. */
const MAX_VALUE = 40;

function sentence({ what, from, to, count }: SdpChange): string {
  const values = { from: cut(from), to: cut(to), n: count };
  switch (what) {
    case 'address':
    case 'rtcp':
    case 'direction':
    case 'crypto':
    case 'fingerprint':
      if (from === '') return t(`change_${what}_added`, values);
      if (to === '') return t(`change_${what}_removed`, values);

      return t(`change_${what}`, values);
    default:
      return t(`change_${what}`, values);
  }
}

function cut(text: string): string {
  return visible(text.length > MAX_VALUE ? `${text.slice(0, MAX_VALUE)}…` : text);
}
