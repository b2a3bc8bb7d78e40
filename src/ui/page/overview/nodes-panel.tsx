/** The nodes: one page of them, sorted, searched and filtered by the service, as there may be a thousand. */

import { useEffect, useRef, useState } from 'preact/hooks';
import { fixed, NOTHING, number, percent, rate } from '../format.ts';
import { causeText, reader } from '../i18n.ts';
import { Badge, HealthBadge, OrderBadge } from '../parts/badge.tsx';
import { Button } from '../parts/button.tsx';
import { Icon } from '../parts/icon.tsx';
import { Panel, Skeleton } from '../parts/layout.tsx';
import { type Column, Pager, Table } from '../parts/table.tsx';
import { HEALTHS, type NodePage, type NodeResource, ORDERS, type OverviewSet } from '../resources.ts';
import { href, place, setQuery } from '../router.ts';
import { mayChange } from '../session.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';
import { PortsCell } from './ports-cell.tsx';
import { ProbeCell } from './probe-cell.tsx';

const t = reader(fleet);
const tShell = reader(shell);

const LIMIT = 50;
/** The worst first. */
const DEFAULT_SORT = 'health';
/** Time without a key until a search is begun, ms. */
const TYPING_MS = 250;

/** What the API is asked for at a place of the page. */
export function nodesQuery(query: URLSearchParams): string {
  const asked = new URLSearchParams({ limit: String(LIMIT), sort: query.get('sort') ?? DEFAULT_SORT });
  for (const key of ['search', 'state', 'set', 'offset']) {
    const value = query.get(key);
    if (value !== null && value !== '') asked.set(key, value);
  }

  return asked.toString();
}

export function NodesPanel({
  sets,
  page,
  isStale,
}: {
  readonly sets: readonly OverviewSet[];
  /** Undefined while it is on its way. */
  readonly page: NodePage | undefined;
  /** Whether another page is on its way. */
  readonly isStale: boolean;
}) {
  const { query } = place.value;
  const offset = Number(query.get('offset') ?? 0);
  const isFiltered = ['search', 'state', 'set'].some((key) => query.has(key));

  return (
    <Panel
      title={
        <>
          {t('nodes')} {page === undefined ? null : <span class="count">{number(page.total)}</span>}
        </>
      }
      tools={<Filters sets={sets} />}
      class={isStale ? 'stale' : ''}
    >
      {page === undefined ? (
        <Skeleton lines={6} />
      ) : (
        <Table
          label={t('nodes')}
          columns={columns()}
          rows={page.nodes}
          rowKey={({ id }) => id}
          rowClass={({ health }) =>
            health.state === 'down' || health.state === 'ejected'
              ? 'bad'
              : health.state === 'up'
                ? undefined
                : 'warn'
          }
          sort={query.get('sort') ?? DEFAULT_SORT}
          onSort={(sort) => setQuery({ sort, offset: undefined })}
          empty={
            <>
              {t('no_match')}{' '}
              {isFiltered ? (
                <button
                  type="button"
                  class="link"
                  onClick={() =>
                    setQuery({ search: undefined, state: undefined, set: undefined, offset: undefined })
                  }
                >
                  {t('clear_filter')}
                </button>
              ) : null}
            </>
          }
        />
      )}
      {page === undefined ? null : (
        <Pager
          offset={offset}
          limit={LIMIT}
          total={page.total}
          onMove={(next) => setQuery({ offset: next === 0 ? undefined : next })}
        />
      )}
    </Panel>
  );
}

function Filters({ sets }: { readonly sets: readonly OverviewSet[] }) {
  const { query } = place.value;
  const [search, setSearch] = useTyped(query.get('search') ?? '', (value) =>
    setQuery({ search: value, offset: undefined }),
  );

  return (
    <div class="filter">
      <label class="search">
        <Icon name="search" size={14} />
        <span class="sr-only">{t('search_nodes')}</span>
        <input
          type="search"
          value={search}
          placeholder={t('search_hint')}
          maxLength={128}
          onInput={(event) => setSearch(event.currentTarget.value)}
        />
      </label>
      <select
        aria-label={t('filter_state')}
        value={query.get('state') ?? ''}
        onChange={(event) => setQuery({ state: event.currentTarget.value, offset: undefined })}
      >
        <option value="">{t('any_state')}</option>
        {HEALTHS.map((state) => (
          <option key={state} value={state}>
            {tShell(`health_${state}`)}
          </option>
        ))}
        {ORDERS.map((state) => (
          <option key={state} value={state}>
            {tShell(`order_${state}`)}
          </option>
        ))}
      </select>
      {sets.length < 2 && !query.has('set') ? null : (
        <select
          aria-label={t('filter_set')}
          value={query.get('set') ?? ''}
          onChange={(event) => setQuery({ set: event.currentTarget.value, offset: undefined })}
        >
          <option value="">{t('any_set')}</option>
          {sets.map(({ id }) => (
            <option key={id} value={String(id)}>
              {t('set')} {id}
            </option>
          ))}
        </select>
      )}
      {mayChange.value ? (
        <a class="button plain" href={href(['nodes', 'new'])}>
          <Icon name="plus" size={15} />
          {t('add_node')}
        </a>
      ) : (
        <Button icon="plus" disabled={tShell('only_admin')}>
          {t('add_node')}
        </Button>
      )}
    </div>
  );
}

/** A value that is told when somebody has stopped typing. */
export function useTyped(
  given: string,
  onTyped: (value: string) => void,
): readonly [string, (value: string) => void] {
  const [typed, setTyped] = useState<string>();
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => () => clearTimeout(timer.current), []);

  return [
    typed ?? given,
    (value) => {
      setTyped(value);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        onTyped(value);
        setTyped(undefined);
      }, TYPING_MS);
    },
  ];
}

function columns(): readonly Column<NodeResource>[] {
  return [
    {
      key: 'id',
      head: t('node'),
      isName: true,
      isSortable: true,
      cell: ({ id, socket, kind }) => (
        <a class="node-name" href={href(['nodes', id])}>
          <b>{id}</b> <span class="mono">{socket}</span> <span class="muted">{kind}</span>
        </a>
      ),
    },
    { key: 'set', head: t('set'), isNumber: true, isSortable: true, cell: ({ set_id: set }) => set },
    {
      key: 'order',
      head: t('order'),
      title: t('order_title'),
      cell: ({ order: { state, by, reason } }) => (
        <OrderBadge state={state} title={[by, reason].filter(Boolean).join(': ')} />
      ),
    },
    {
      key: 'health',
      head: t('health'),
      title: t('health_title'),
      isSortable: true,
      cell: ({ health: { state, cause }, share }) => (
        <>
          <HealthBadge state={state} title={causeText(cause)} />
          {state === 'up' && share < 1 ? (
            <span class="ramp muted" title={t('ramp', { percent: percent(share * 100) })}>
              {percent(share * 100)}
            </span>
          ) : null}
        </>
      ),
    },
    {
      key: 'calls',
      head: t('live_calls'),
      isNumber: true,
      isSortable: true,
      cell: ({ calls }) => number(calls),
    },
    {
      key: 'sessions',
      head: t('sessions'),
      isNumber: true,
      isSortable: true,
      cell: ({ load }) => number(load.sessions),
    },
    {
      key: 'ports',
      head: t('ports'),
      isSortable: true,
      class: 'ports-column',
      cell: ({ load }) => <PortsCell {...load} />,
    },
    {
      key: 'placed',
      head: t('placed') + t('per_s'),
      isNumber: true,
      cell: ({ placed_per_s: placed }) => rate(placed),
    },
    {
      key: 'errors',
      head: t('errors') + t('per_s'),
      title: t('errors_title'),
      isNumber: true,
      cell: ({ load: { errors_per_s: errors } }) =>
        errors !== null && errors > 0 ? <Badge tone="warn">{fixed(errors, 1)}</Badge> : fixed(errors, 1),
    },
    {
      key: 'rtt',
      head: t('rtt'),
      title: t('rtt_title'),
      isNumber: true,
      isSortable: true,
      cell: ({ rtt_ms: rtt, health: { state } }) => (state === 'down' ? NOTHING : fixed(rtt, 2)),
    },
    {
      key: 'probe',
      head: t('probe'),
      title: t('probe_title'),
      cell: ({ probe }) => <ProbeCell probe={probe} />,
    },
  ];
}
