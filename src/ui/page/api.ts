/** Requests to the API of the program that serves this page. What goes wrong is a value, and is shown where somebody acts. */

import { signal } from '@preact/signals';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';

/** Why a request was not done. */
export class ApiFailure {
  constructor(
    /** HTTP status; 0 if there was no answer. */
    readonly status: number,
    /** `RTPC_...`; '' if there was no answer. */
    readonly code: string,
    /** The service's own words; '' if there was no answer. */
    readonly message: string,
    /** How long to wait, s; null if not said. */
    readonly retryAfterS: number | null = null,
    /** The whole answer, for those who know more about it. */
    readonly body: unknown = undefined,
  ) {}
}

/** Told when a request was refused for want of a token. */
let onRefused = (): void => undefined;
export function whenRefused(handler: () => void): void {
  onRefused = handler;
}

/** Counts the sessions of this page: all is asked for anew with the next one. */
const sessions = signal(0);
/** Whether the session is over. Nothing is asked for by itself until the next one. */
let isOver = false;
/** Says that there is a session again. */
export function beginAnew(): void {
  isOver = false;
  sessions.value++;
}

type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';
/** The service says within a second what it has to say; checks of a node take longer. */
const TIMEOUT_MS = 30_000;

/** Clocks that differ less than this agree: the service tells whole seconds, and an answer takes its time. */
const SKEW_MS = 5000;
let skewMs = 0;

/** The time by the clock of the service, UTC ms: that of the browser may be wrong. */
export function serviceNow(): number {
  return Date.now() + skewMs;
}

function readClock({ headers }: Response): void {
  const ahead = Date.parse(headers.get('date') ?? '') - Date.now();
  if (!Number.isNaN(ahead)) skewMs = Math.abs(ahead) < SKEW_MS ? 0 : ahead;
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T | ApiFailure> {
  return request<T>('GET', path, undefined, signal);
}

export function send<T>(
  method: Exclude<Method, 'GET'>,
  path: string,
  body?: unknown,
  signal?: AbortSignal,
): Promise<T | ApiFailure> {
  return request<T>(method, path, body, signal);
}

async function request<T>(
  method: Method,
  path: string,
  body: unknown,
  signal?: AbortSignal,
): Promise<T | ApiFailure> {
  let response: Response;
  let text: string;
  try {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    response = await fetch(path, {
      method,
      signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      headers: {
        Accept: 'application/json',
        // Says that it is us, for browsers that leave out Origin.
        'X-Requested-With': 'rtp-cluster',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    readClock(response);
    text = await response.text();
  } catch {
    return new ApiFailure(0, '', '');
  }
  const value = parsed(text);
  if (response.ok && (value !== undefined || text === '')) return value as T;
  const { code = '', message = response.statusText } = (value ?? {}) as { code?: string; message?: string };
  const failure = new ApiFailure(response.status, code, message, waitOf(response), value);
  if (failure.status === 401 && path !== '/v1/session') {
    isOver = true;
    onRefused();
  }

  return failure;
}

/** The value of a JSON text; undefined for an empty one, and for what is none. */
export function parsed(text: string): unknown {
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

function waitOf({ headers }: Response): number | null {
  const seconds = Number(headers.get('retry-after') ?? Number.NaN);

  return Number.isFinite(seconds) ? seconds : null;
}

/** What a component gets from the API. */
export interface Fetched<T> {
  /** The newest good answer to this path. */
  readonly data: T | undefined;
  /** Why the last try was not good. */
  readonly failure: ApiFailure | undefined;
  readonly isLoading: boolean;
  reload(): void;
  /** Puts an answer in place that came by another way. */
  put(data: T): void;
}

/**
 * The answer to GET of a path, asked for again when the path changes, and every `everyMs` while the page is in view.
 * @param path null for nothing
 */
export function useFetch<T>(path: string | null, everyMs = 0): Fetched<T> {
  const [state, setState] = useState<{ path: string | null; data?: T; failure?: ApiFailure }>({ path: null });
  const [isLoading, setLoading] = useState(path !== null);
  const current = useRef<AbortController | undefined>(undefined);
  const isAsking = useRef(false);
  const reload = useCallback(() => {
    if (path === null) return;
    current.current?.abort();
    const abort = new AbortController();
    current.current = abort;
    isAsking.current = true;
    setLoading(true);
    get<T>(path, abort.signal).then((answer) => {
      if (abort.signal.aborted) return;
      isAsking.current = false;
      setLoading(false);
      setState((before) =>
        answer instanceof ApiFailure
          ? { ...(before.path === path ? before : {}), path, failure: answer }
          : { path, data: answer },
      );
    });
  }, [path]);
  const count = sessions.value;
  useEffect(() => {
    reload();
    const again = (): void => {
      // On a slow way an answer may take longer than the pause between two questions.
      if (!document.hidden && !isAsking.current && !isOver) reload();
    };
    const timer = everyMs > 0 ? setInterval(again, everyMs) : undefined;
    if (everyMs > 0) document.addEventListener('visibilitychange', again);

    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', again);
      current.current?.abort();
    };
  }, [reload, everyMs, count]);
  const put = useCallback((data: T) => setState({ path, data }), [path]);
  const isCurrent = state.path === path;

  return {
    data: isCurrent ? state.data : undefined,
    failure: isCurrent ? state.failure : undefined,
    isLoading: isLoading || !isCurrent,
    reload,
    put,
  };
}
