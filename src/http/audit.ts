/** Who changed what: an event for each request that wants the role `admin`, once its outcome is known. */

import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { Sparing } from '../util/sparing.ts';
import { LOCAL } from './guard.ts';
import type { Peers } from './peers.ts';

/** Longest path in an event, characters. */
const MAX_PATH = 256;
/** What of a query is told; the rest may be a secret that somebody put there. */
const TOLD = ['dry_run', 'prune'] as const;
/** Requests refused for their role that are told in a minute: whoever sends them may not push out the others. */
const REFUSED_PER_MINUTE = 60;
const FORBIDDEN = 403;

export interface AuditParts {
  readonly peers: Pick<Peers, 'isLocal' | 'addressOf'>;
  readonly store: Pick<Store, 'event'>;
  readonly clock: Clock;
}

export class Audit {
  readonly #parts: AuditParts;
  readonly #refused: Sparing;
  readonly #underWay = new WeakMap<Request, { readonly who: string; readonly from: string }>();

  constructor(parts: AuditParts) {
    this.#parts = parts;
    this.#refused = new Sparing(parts.clock, REFUSED_PER_MINUTE);
  }

  /** A request that changes something begins, or is refused to `who`. */
  begin(request: Request, who: string): void {
    const { peers } = this.#parts;
    // Looked up now: the client may have gone at the end.
    this.#underWay.set(request, { who, from: peers.isLocal(request) ? LOCAL : peers.addressOf(request) });
  }

  /** The outcome of a request, whether it changes something or not. */
  end(request: Request, status: number): void {
    const begun = this.#underWay.get(request);
    if (begun === undefined) return;
    const others = status === FORBIDDEN ? this.#refused.pass() : 0;
    if (others === undefined) return;
    this.#parts.store.event('admin.request', {
      ...begun,
      method: request.method,
      path: pathOf(request.url),
      status,
      ...(others === 0 ? {} : { others }),
    });
  }
}

function pathOf(url: string): string {
  const { pathname, searchParams } = new URL(url);
  const told = TOLD.flatMap((name) => (searchParams.get(name) === 'true' ? [`${name}=true`] : []));
  const path = told.length === 0 ? pathname : `${pathname}?${told.join('&')}`;

  return path.length <= MAX_PATH ? path : `${path.slice(0, MAX_PATH)}…`;
}
