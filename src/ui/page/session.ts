/** Who looks at the page, and what that person may do. The cookie itself is out of reach of scripts. */

import { computed, signal } from '@preact/signals';
import { ApiFailure, beginAnew, get, send, whenRefused } from './api.ts';

/** As `/v1/session` tells it. */
export interface Session {
  readonly needs_token: boolean;
  /** Name of the token; null while nobody is logged in. */
  readonly who: string | null;
  readonly role: 'read' | 'admin' | 'call' | null;
  /** UTC ms; null if it does not end. */
  readonly expires_at: number | null;
  readonly version: string | null;
}

/** Undefined until the service has told. */
export const session = signal<Session | undefined>(undefined);
/** Why it could not be asked; the page tries again. */
export const sessionFailure = signal<ApiFailure | undefined>(undefined);
export const isLoggedIn = computed(() => session.value !== undefined && session.value.role !== null);
/** Whether a session ended by itself: what was open, and what was typed there, waits behind the login page. */
export const isSuspended = signal(false);
/** Whether buttons that change something work. */
export const mayChange = computed(() => session.value?.role === 'admin');

const PATH = '/v1/session';
const RETRY_MS = 2000;
let retry: ReturnType<typeof setTimeout> | undefined;

export async function loadSession(): Promise<void> {
  const answer = await get<Session>(PATH);
  if (answer instanceof ApiFailure) {
    sessionFailure.value = answer;
    // One at a time, whoever asked.
    clearTimeout(retry);
    retry = setTimeout(loadSession, RETRY_MS);
  } else {
    sessionFailure.value = undefined;
    take(answer);
  }
}

function take(next: Session): void {
  const wasIn = isLoggedIn.peek();
  if (next.role === null) isSuspended.value ||= wasIn;
  session.value = next;
  if (next.role === null || wasIn) return;
  isSuspended.value = false;
  beginAnew();
}

/** Returns why not, if not. */
export async function login(token: string): Promise<ApiFailure | undefined> {
  const answer = await send<Session>('POST', PATH, { token });
  if (answer instanceof ApiFailure) return answer;
  await loadSession();

  return undefined;
}

export async function logout(): Promise<ApiFailure | undefined> {
  const answer = await send('DELETE', PATH);
  if (answer instanceof ApiFailure) return answer;
  await loadSession();
  isSuspended.value = false;

  return undefined;
}

// The session is over, or its token was taken away.
whenRefused(() => {
  const now = session.peek();
  if (now !== undefined && now.role !== null) take({ ...now, needs_token: true, who: null, role: null });
});
