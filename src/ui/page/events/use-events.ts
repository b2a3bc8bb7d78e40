/** Events of a filter: the newest page, older ones on demand, and those that come while somebody looks. */

import { useCallback, useEffect, useState } from 'preact/hooks';
import { ApiFailure, get } from '../api.ts';
import { useStream } from '../live.ts';
import type { EventResource } from '../resources.ts';
import { KINDS } from './sentence.ts';

/** The query of `/v1/events`, as far as people filter. */
export interface EventFilter {
  readonly kind?: string | undefined;
  readonly node?: string | undefined;
  readonly call?: string | undefined;
}

interface Page {
  readonly events: readonly EventResource[];
  /** Id before which the next page begins; null if this is the last. */
  readonly next: number | null;
}

/** Events in the list at a time: the browser draws each. */
export const MAX_SHOWN = 1000;

export interface Events {
  /** Newest first; undefined while the first page is on its way. */
  readonly events: readonly EventResource[] | undefined;
  readonly failure: ApiFailure | undefined;
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  older(): void;
  reload(): void;
}

/** @param limit events on a page */
export function useEvents({ kind, node, call }: EventFilter, limit: number, isPaused = false): Events {
  const filter = new URLSearchParams(
    Object.entries({ kind, node, call }).flatMap(([key, value]) => (value ? [[key, value]] : [])),
  ).toString();
  const [state, setState] = useState<{ filter: string; page?: Page; failure?: ApiFailure }>({ filter });
  const [isLoadingOlder, setLoadingOlder] = useState(false);
  /** Id after which the stream begins; the newest that is known when it is opened. */
  const [from, setFrom] = useState<{ filter: string; id: number }>();
  const reload = useCallback(() => {
    const abort = new AbortController();
    get<Page>(`/v1/events?${filter}&limit=${limit}`, abort.signal).then((answer) => {
      if (abort.signal.aborted) return;
      setState(answer instanceof ApiFailure ? { filter, failure: answer } : { filter, page: answer });
      if (!(answer instanceof ApiFailure)) setFrom({ filter, id: answer.events[0]?.id ?? 0 });
    });

    return () => abort.abort();
  }, [filter, limit]);
  // After a pause it begins anew with the newest page, so that nothing is missing in between.
  useEffect(() => (isPaused ? undefined : reload()), [reload, isPaused]);
  const isReady = !isPaused && from?.filter === filter;
  const add = (data: unknown): void => {
    const event = data as EventResource;
    setState((before) => {
      const { page } = before;
      if (page === undefined || page.events.some(({ id }) => id === event.id)) return before;
      const events = [event, ...page.events].sort((a, b) => b.id - a.id);

      return { ...before, page: cut({ ...page, events }) };
    });
  };
  useStream(
    isReady ? `/v1/events?${filter}&after=${from.id}` : null,
    Object.fromEntries(KINDS.map((name) => [name, add])),
  );
  const page = state.filter === filter ? state.page : undefined;
  const older = (): void => {
    if (page === undefined || page.next === null || isLoadingOlder) return;
    setLoadingOlder(true);
    get<Page>(`/v1/events?${filter}&limit=${limit}&before=${page.next}`).then((answer) => {
      setLoadingOlder(false);
      setState((before) => {
        if (before.filter !== filter || before.page === undefined) return before;
        if (answer instanceof ApiFailure) return { ...before, failure: answer };

        return {
          filter,
          page: { events: [...before.page.events, ...answer.events].slice(0, MAX_SHOWN), next: answer.next },
        };
      });
    });
  };

  return {
    events: page?.events,
    failure: state.filter === filter ? state.failure : undefined,
    hasOlder: page !== undefined && page.next !== null,
    isLoadingOlder,
    older,
    reload,
  };
}

/** New events push the oldest out; these can be had as older ones again. */
function cut(page: Page): Page {
  if (page.events.length <= MAX_SHOWN) return page;
  const events = page.events.slice(0, MAX_SHOWN);

  return { events, next: events.at(-1)?.id ?? null };
}
