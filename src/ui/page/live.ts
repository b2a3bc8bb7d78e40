/**
 * Server-sent events of the API. Streams are closed while nobody sees the page: a browser has six connections to a host, for
 * all of its tabs. Whether what is shown is live is shown itself.
 */

import { computed, signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { parsed } from './api.ts';
import { isLoggedIn, loadSession } from './session.ts';

export type StreamState = 'connecting' | 'open' | 'lost';
/** By name of the event; `path` is that of the stream it came by. */
type Handlers = Readonly<Record<string, (data: unknown, path: string) => void>>;

const states = signal<ReadonlyMap<symbol, StreamState>>(new Map());
/** The worst of all streams; undefined while this place has none. */
export const liveState = computed<StreamState | undefined>(() => {
  const all = [...states.value.values()];

  return (['lost', 'connecting', 'open'] as const).find((state) => all.includes(state));
});

/** A browser gives up on a stream that is refused; we try again after so long, ms. */
const RETRY_MS = 3000;

/**
 * Opens a stream and keeps it open; returns what ends it.
 * @param handlers by name of the event; what the stream sends besides is left alone. `*` gets those without a name
 */
export function openStream(path: string, handlers: Handlers): () => void {
  const key = Symbol(path);
  let source: EventSource | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const set = (state: StreamState | undefined): void => {
    if (states.peek().get(key) === state) return;
    const next = new Map(states.peek());
    if (state === undefined) next.delete(key);
    else next.set(key, state);
    states.value = next;
  };
  const close = (): void => {
    clearTimeout(timer);
    source?.close();
    source = undefined;
  };
  const open = (): void => {
    close();
    if (states.peek().get(key) !== 'lost') set('connecting');
    source = new EventSource(path);
    source.onopen = () => set('open');
    source.onerror = () => {
      set('lost');
      if (source?.readyState !== EventSource.CLOSED) return;
      // Refused. If the session is over this says so, and the login page takes the place of this one.
      loadSession();
      timer = setTimeout(again, RETRY_MS);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name === '*' ? 'message' : name, ({ data }: MessageEvent<string>) => {
        set('open');
        const value = parsed(data);
        if (value !== undefined) handle(value, path);
      });
    }
  };
  // Where the session is over, what is open waits behind the login page.
  const again = (): void => {
    if (isLoggedIn.peek()) open();
    else timer = setTimeout(again, RETRY_MS);
  };
  const onVisibility = (): void => {
    if (document.hidden) {
      close();
      set('connecting');
    } else if (source === undefined) open();
  };
  document.addEventListener('visibilitychange', onVisibility);
  onVisibility();

  return () => {
    document.removeEventListener('visibilitychange', onVisibility);
    close();
    set(undefined);
  };
}

/**
 * A stream for as long as the component is there, opened anew when the path changes. Handlers may change with each render;
 * their names may not.
 * @param path null for none
 */
export function useStream(path: string | null, handlers: Handlers): void {
  const newest = useRef(handlers);
  newest.current = handlers;
  useEffect(() => {
    if (path === null) return;

    return openStream(
      path,
      Object.fromEntries(
        Object.keys(newest.current).map((name) => [
          name,
          (data: unknown) => newest.current[name]?.(data, path),
        ]),
      ),
    );
  }, [path]);
}
