/** `#/`: the fleet at a glance. What needs somebody comes first, then figures, plots, sets and nodes, all of it live. */

import { useState } from 'preact/hooks';
import { useFetch } from '../api.ts';
import { reader } from '../i18n.ts';
import { liveState, useStream } from '../live.ts';
import { Skeleton } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import type { NodePage, Overview, Series, Span } from '../resources.ts';
import { place } from '../router.ts';
import { shell } from '../words/shell.ts';
import { Attention } from './attention.tsx';
import { Figures } from './figures.tsx';
import { FirstNode } from './first-node.tsx';
import { NodesPanel, nodesQuery } from './nodes-panel.tsx';
import { FleetPlots } from './plots.tsx';
import { SetsPanel } from './sets-panel.tsx';

const t = reader(shell);

/** How often the plots are asked for; how often all is, while no stream can be had. */
export const SERIES_MS: Readonly<Record<Span, number>> = { hour: 10_000, week: 300_000 };
const POLL_MS = 5000;

export function OverviewPage() {
  const query = nodesQuery(place.value.query);
  const { overview, page, isStale, failure } = useFleet(query);
  const [span, setSpan] = useState<Span>('hour');
  const series = useFetch<Series>(`/v1/series?span=${span}`, SERIES_MS[span]);

  return (
    <>
      <h1 class="sr-only">{t('overview')}</h1>
      <FailureNotice failure={failure} />
      {overview === undefined ? (
        <section class="panel">
          <Skeleton lines={8} />
        </section>
      ) : overview.totals.nodes === 0 ? (
        <>
          <Attention overview={overview} />
          <FirstNode />
        </>
      ) : (
        <>
          <Attention overview={overview} />
          <Figures overview={overview} series={span === 'hour' ? series.data : undefined} />
          <FleetPlots series={series.data} failure={series.failure} span={span} onSpan={setSpan} />
          <SetsPanel sets={overview.sets} />
          <NodesPanel sets={overview.sets} page={page} isStale={isStale} />
        </>
      )}
    </>
  );
}

/** The fleet as the stream tells it, and by asking while there is none. */
function useFleet(query: string) {
  const [overview, setOverview] = useState<Overview>();
  const [page, setPage] = useState<{ path: string; page: NodePage }>();
  const path = `/v1/live?${query}`;
  useStream(path, {
    overview: (data) => setOverview(data as Overview),
    nodes: (data, from) => setPage({ path: from, page: data as NodePage }),
  });
  const isLost = liveState.value === 'lost';
  const polled = useFetch<Overview>(isLost ? '/v1/overview' : null, POLL_MS);
  const polledPage = useFetch<NodePage>(isLost ? `/v1/nodes?${query}` : null, POLL_MS);

  return {
    overview: (isLost ? polled.data : undefined) ?? overview,
    page: (isLost ? polledPage.data : undefined) ?? page?.page,
    // Those of another page or filter stay, so that nothing jumps, and are seen to be of before.
    isStale: !(isLost && polledPage.data !== undefined) && page?.path !== path,
    failure: isLost ? polled.failure : undefined,
  };
}
