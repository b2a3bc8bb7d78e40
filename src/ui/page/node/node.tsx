/** `#/nodes/ID`: all there is to know of one node, and the orders people give it. */

import { useEffect, useState } from 'preact/hooks';
import { useFetch } from '../api.ts';
import { EventList } from '../events/event-list.tsx';
import { useEvents } from '../events/use-events.ts';
import { causeText, reader } from '../i18n.ts';
import { SERIES_MS } from '../overview/overview.tsx';
import { SpanSwitch } from '../overview/plots.tsx';
import { HealthBadge, OrderBadge } from '../parts/badge.tsx';
import { Empty, PageHead, Panel, Skeleton } from '../parts/layout.tsx';
import { FailureNotice } from '../parts/notice.tsx';
import type { NodeResource, Series, Span } from '../resources.ts';
import { href } from '../router.ts';
import { fleet } from '../words/fleet.ts';
import { NodeActions } from './actions.tsx';
import { AddressesPanel, FactsPanel, ProbePanel } from './facts.tsx';
import { HealthNotice } from './health-notice.tsx';
import { OrderNotice } from './order-notice.tsx';
import { NodeFigures, NodePlots } from './plots.tsx';

const t = reader(fleet);

/** How often the node is asked for, ms. */
const POLL_MS = 2000;
/** Events on the page; the rest is on that of events. */
const EVENTS = 15;

export function NodePage({ id }: { readonly id: string }) {
  const back = { href: '#/', text: t('back') };
  const isId = /^\d{1,9}$/.test(id);
  const {
    data: node,
    failure,
    reload,
    put,
  } = useFetch<NodeResource>(isId ? `/v1/nodes/${id}` : null, POLL_MS);
  if (!isId || failure?.code === 'RTPC_NODE_UNKNOWN') {
    return (
      <>
        <PageHead title={t('node_title', { node: id })} back={back} />
        <section class="panel">
          <Empty
            title={t('no_such_node', { node: id })}
            action={isId ? <a href={href(['events'], { node: id })}>{t('all_events')}</a> : undefined}
          >
            {t('no_such_node_hint')}
          </Empty>
        </section>
      </>
    );
  }

  return (
    <>
      <PageHead
        title={
          <>
            {t('node_title', { node: id })}
            {node === undefined ? null : <span class="title-more mono">{node.socket}</span>}
          </>
        }
        back={back}
        badges={
          node === undefined ? undefined : (
            <>
              <OrderBadge state={node.order.state} title={node.order.reason} />
              <HealthBadge state={node.health.state} title={causeText(node.health.cause)} />
            </>
          )
        }
        actions={node === undefined ? undefined : <NodeActions node={node} onNode={put} onDone={reload} />}
      />
      <FailureNotice failure={failure} onRetry={reload} />
      {node === undefined ? (
        <section class="panel">
          <Skeleton lines={8} />
        </section>
      ) : (
        <Content node={node} onEvent={reload} />
      )}
    </>
  );
}

function Content({ node, onEvent }: { readonly node: NodeResource; readonly onEvent: () => void }) {
  const [span, setSpan] = useState<Span>('hour');
  const series = useFetch<Series>(`/v1/series?node=${node.id}&span=${span}`, SERIES_MS[span]);

  return (
    <>
      <HealthNotice node={node} />
      <OrderNotice node={node} />
      <NodeFigures node={node} series={span === 'hour' ? series.data : undefined} />
      <div class="columns">
        <div class="column">
          <Panel title={t('history')} tools={<SpanSwitch span={span} onSpan={setSpan} />}>
            <FailureNotice failure={series.failure} />
            {series.data === undefined ? <Skeleton lines={5} /> : <NodePlots series={series.data} />}
          </Panel>
          <NodeEvents id={node.id} onEvent={onEvent} />
        </div>
        <div class="column">
          <FactsPanel node={node} />
          <AddressesPanel node={node} />
          <ProbePanel node={node} />
        </div>
      </div>
    </>
  );
}

function NodeEvents({ id, onEvent }: { readonly id: number; readonly onEvent: () => void }) {
  const { events, failure, reload } = useEvents({ node: String(id) }, EVENTS);
  const newest = events?.[0]?.id;
  // What happened to the node is shown with what it made of it.
  useEffect(() => {
    if (newest !== undefined) onEvent();
  }, [newest, onEvent]);

  return (
    <Panel title={t('node_events')} tools={<a href={href(['events'], { node: id })}>{t('all_events')}</a>}>
      <FailureNotice failure={failure} onRetry={reload} />
      {events === undefined ? (
        <Skeleton lines={4} />
      ) : events.length === 0 ? (
        <div class="table-empty">{t('no_events')}</div>
      ) : (
        <EventList label={t('node_events')} events={events.slice(0, EVENTS)} isOfNode />
      )}
    </Panel>
  );
}
