/** `#/events`: what happened, as it happens. */

import { useState } from 'preact/hooks';
import { reader } from '../i18n.ts';
import { useTyped } from '../overview/nodes-panel.tsx';
import { Button } from '../parts/button.tsx';
import { Empty, PageHead, Panel, Skeleton } from '../parts/layout.tsx';
import { FailureNotice, Notice } from '../parts/notice.tsx';
import { place, setQuery } from '../router.ts';
import { fleet } from '../words/fleet.ts';
import { shell } from '../words/shell.ts';
import { EventList } from './event-list.tsx';
import { KINDS } from './sentence.ts';
import { MAX_SHOWN, useEvents } from './use-events.ts';

const t = reader(fleet);
const tShell = reader(shell);

const LIMIT = 50;
const AREAS = ['node', 'call', 'set', 'store', 'admin', 'settings', 'https'] as const;

export function EventsPage() {
  const { query } = place.value;
  const [isPaused, setPaused] = useState(false);
  const filter = {
    kind: query.get('kind') ?? undefined,
    node: query.get('node') ?? undefined,
    call: query.get('call') ?? undefined,
  };
  const { events, failure, hasOlder, isLoadingOlder, older, reload } = useEvents(filter, LIMIT, isPaused);

  return (
    <>
      <PageHead
        title={tShell('events')}
        actions={
          <Button
            icon={isPaused ? 'play' : 'pause'}
            isPressed={isPaused}
            onClick={() => setPaused(!isPaused)}
          >
            {t(isPaused ? 'go_on' : 'pause')}
          </Button>
        }
      />
      {isPaused ? <Notice tone="info">{t('paused')}</Notice> : null}
      <FailureNotice failure={failure} onRetry={reload} />
      <Panel tools={<Filters {...filter} />} class="events-panel">
        {events === undefined ? (
          failure === undefined ? (
            <Skeleton lines={8} />
          ) : null
        ) : events.length === 0 ? (
          <Empty title={t('no_events')}>{t('no_events_hint')}</Empty>
        ) : (
          <>
            <EventList label={tShell('events')} events={events} />
            <div class="events-end">
              {events.length >= MAX_SHOWN ? (
                <p class="muted">{t('too_many', { n: MAX_SHOWN })}</p>
              ) : hasOlder ? (
                <Button isBusy={isLoadingOlder} onClick={older}>
                  {t('older')}
                </Button>
              ) : (
                <p class="muted">{t('no_more')}</p>
              )}
            </div>
          </>
        )}
      </Panel>
    </>
  );
}

function Filters({
  kind = '',
  node = '',
  call = '',
}: {
  readonly kind: string | undefined;
  readonly node: string | undefined;
  readonly call: string | undefined;
}) {
  const [typedNode, setNode] = useTyped(node, (value) => setQuery({ node: value.replace(/\D/g, '') }));
  const [typedCall, setCall] = useTyped(call, (value) => setQuery({ call: value.trim() }));

  return (
    <div class="filter">
      <select
        aria-label={t('kind_of_events')}
        value={kind}
        onChange={(event) => setQuery({ kind: event.currentTarget.value })}
      >
        <option value="">{t('all_kinds')}</option>
        {AREAS.map((area) => (
          <optgroup key={area} label={t(`area_${area}`)}>
            <option value={`${area}.*`}>{area}.*</option>
            {KINDS.filter((one) => one.startsWith(`${area}.`)).map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </optgroup>
        ))}
      </select>
      <input
        class="node-filter"
        inputMode="numeric"
        aria-label={t('only_node')}
        placeholder={t('any_node')}
        maxLength={9}
        value={typedNode}
        onInput={(event) => setNode(event.currentTarget.value)}
      />
      <input
        class="call-filter mono"
        type="search"
        aria-label={t('only_call')}
        placeholder={t('only_call')}
        value={typedCall}
        onInput={(event) => setCall(event.currentTarget.value)}
      />
    </div>
  );
}
