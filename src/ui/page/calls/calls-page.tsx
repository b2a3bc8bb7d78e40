/** `#/calls`: finding a call among all that live or have ended. */

import { useEffect, useState } from 'preact/hooks';
import { serviceNow, useFetch } from '../api.ts';
import { duration, number, visible } from '../format.ts';
import { Badge } from '../parts/badge.tsx';
import { Button } from '../parts/button.tsx';
import { Empty, PageHead, Skeleton, Time } from '../parts/layout.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { type Column, Table } from '../parts/table.tsx';
import type { Overview } from '../resources.ts';
import { href, place } from '../router.ts';
import { CallFilter, searchHref } from './call-filter.tsx';
import { NodeLink } from './placement-view.tsx';
import type { CallPage, CallResource, Explained } from './resources.ts';
import { endText, STATE_LOOKS, t, wayText } from './said.ts';
import { isNarrow, readSearch, type Search, searchPath } from './search.ts';

/** The count of live calls, and a first page of live ones, are kept fresh, ms. */
const COUNT_EVERY_MS = 5000;

export function CallsPage() {
  const search = readSearch(place.value.query);
  const key = JSON.stringify(search);
  const { data: overview } = useFetch<Overview>('/v1/overview', COUNT_EVERY_MS);

  return (
    <>
      <PageHead
        title={t('calls')}
        badges={
          overview === undefined ? undefined : (
            <Badge tone="idle">
              <span>{t('live_now', { n: overview.totals.calls })}</span>
            </Badge>
          )
        }
      />
      <div class="panel">
        <CallFilter key={key} search={search} sets={overview?.sets ?? []} />
        <Results key={key} search={search} />
      </div>
    </>
  );
}

/** The pages of one search. Begun anew with another search. */
function Results({ search }: { readonly search: Search }) {
  // Where each page begins: the last one is shown.
  const [starts, setStarts] = useState<readonly (string | null)[]>([null]);
  const [now, setNow] = useState(serviceNow);
  const after = starts.at(-1) ?? null;
  const { data, failure, isLoading, reload } = useFetch<CallPage>(searchPath(search, after, now));
  useEffect(() => {
    if (search.state === 'ended' || starts.length > 1) return;
    const timer = setInterval(() => {
      if (document.hidden) return;
      if (search.began === 'any' || search.began === 'range') reload();
      else setNow(serviceNow());
    }, COUNT_EVERY_MS);

    return () => clearInterval(timer);
  }, [search.state, search.began, starts.length, reload]);
  // What was there stays until the next answer is.
  const [shown, setShown] = useState<CallPage | undefined>(undefined);
  useEffect(() => {
    if (data !== undefined) setShown(data);
  }, [data]);
  const page = data ?? shown;
  const calls = page?.calls;
  const next = page?.next ?? null;

  return (
    <div class="call-results" aria-busy={isLoading}>
      {failure === undefined ? null : (
        <div class="call-note">
          <FailureNotice failure={failure} onRetry={reload} />
        </div>
      )}
      {page?.is_partial === true ? (
        <div class="call-note">
          <Notice tone="warn">{t('partial')}</Notice>
        </div>
      ) : null}
      {calls === undefined ? (
        failure === undefined ? (
          <Skeleton lines={8} />
        ) : null
      ) : calls.length === 0 ? (
        <NoCalls search={search} />
      ) : (
        <Table label={t('calls')} columns={columnsOf(search)} rows={calls} rowKey={(call) => call.call_id} />
      )}
      {starts.length === 1 && next === null ? null : (
        <nav class="pager" aria-label={t('pages')}>
          <span>{t('page', { page: number(starts.length) })}</span>
          <Button
            icon="left"
            disabled={starts.length === 1 ? t('newer') : undefined}
            onClick={() => setStarts(starts.slice(0, -1))}
          >
            {t('newer')}
          </Button>
          <Button
            icon="right"
            disabled={next === null ? t('older') : undefined}
            isBusy={data === undefined && isLoading}
            onClick={() => next !== null && setStarts([...starts, next])}
          >
            {t('older')}
          </Button>
        </nav>
      )}
    </div>
  );
}

/** Nothing found; but steps of a call that no node took may be known by its exact Call-ID. */
function NoCalls({ search }: { readonly search: Search }) {
  const { data } = useFetch<Explained>(
    search.text === '' ? null : `/v1/explain/${encodeURIComponent(search.text)}`,
  );
  if (data !== undefined) {
    return (
      <Empty
        icon="search"
        title={data.call === null ? t('known_by_steps') : visible(data.call_id)}
        action={
          <a class="button primary" href={href(['calls', data.call_id])}>
            {t('show_it')}
          </a>
        }
      />
    );
  }

  return (
    <Empty
      icon="search"
      title={t('none_title')}
      action={
        search.text === '' || search.state === 'all' ? undefined : (
          <a class="button primary" href={searchHref({ ...search, state: 'all' })}>
            {t('search_all')}
          </a>
        )
      }
    >
      {isNarrow(search) || search.state !== 'live' ? t('none_search') : t('none_live')}
    </Empty>
  );
}

function columnsOf({ state }: Search): Column<CallResource>[] {
  const canHaveEnded = state === 'ended' || state === 'all';

  return [
    {
      key: 'call_id',
      head: t('call_id'),
      isName: true,
      class: 'call-name',
      cell: ({ call_id: id }) => (
        <a class="mono" href={href(['calls', id])} title={id}>
          {visible(id)}
        </a>
      ),
    },
    { key: 'state', head: t('state'), cell: (call) => <StateBadge call={call} /> },
    {
      key: 'direction',
      head: t('direction'),
      title: t('direction_means'),
      cell: ({ direction }) => wayText(direction),
    },
    {
      key: 'node',
      head: t('node'),
      cell: ({ node_id: id }) => (id === null ? <span class="muted">–</span> : <NodeLink id={id} />),
    },
    { key: 'set', head: t('set'), cell: ({ set_id: id }) => String(id) },
    { key: 'began', head: t('began'), class: 'nowrap', cell: ({ created_at: at }) => <Time at={at} /> },
    {
      key: 'lasted',
      head: t('lasted'),
      isNumber: true,
      cell: ({ state, created_at: from, updated_at: until }) =>
        duration(((state === 'ended' ? until : serviceNow()) - from) / 1000),
    },
    ...(canHaveEnded
      ? [{ key: 'end', head: t('end_reason'), class: 'wide', cell: (call: CallResource) => endText(call) }]
      : []),
  ];
}

function StateBadge({ call: { state } }: { readonly call: CallResource }) {
  const [tone, icon] = STATE_LOOKS[state];

  return (
    <Badge tone={tone} icon={icon} title={t(`state_${state}_means`)}>
      {t(`state_${state}`)}
    </Badge>
  );
}
