/** What the relay counts of a call, with the reading before for rates. Of a live call it is asked again and again. */

import { useEffect, useRef } from 'preact/hooks';
import { type ApiFailure, useFetch } from '../api.ts';
import type { CallResource, StatisticsResource } from './resources.ts';

/** Between two readings, ms. */
const EVERY_MS = 2000;

export interface Readings {
  readonly now: StatisticsResource | undefined;
  readonly before: StatisticsResource | undefined;
  readonly failure: ApiFailure | undefined;
  /** Whether `now` is of before: the last question was not answered. */
  readonly isStale: boolean;
}

/** @param call null or undefined while there is nothing to ask about; nor is there before a node has it */
export function useReadings(call: CallResource | null | undefined): Readings {
  const path = call?.node_id == null ? null : `/v1/statistics/${encodeURIComponent(call.call_id)}`;
  const isLive = path !== null && call?.state !== 'ended';
  const { data, failure } = useFetch<StatisticsResource>(path, isLive ? EVERY_MS : 0);
  const kept = useRef<{ now?: StatisticsResource | undefined; before?: StatisticsResource | undefined }>({});
  if (data !== undefined && data !== kept.current.now) kept.current = { now: data, before: kept.current.now };
  useEffect(() => {
    kept.current = {};
  }, [path]);

  const isStale = data !== undefined && failure !== undefined;
  // Nothing can be said to flow by what was counted before.
  const before = isStale || data?.final === true ? undefined : kept.current.before;

  return { now: data, before, failure, isStale };
}
