/**
 * How our opinion of one node changes. Pure: what was seen comes in as evidence, time as UTC ms with it, so a stored state
 * goes on after a restart of the program as if nothing had happened. Who asks the relay is not decided here, and when is in
 * `check-pace.ts`.
 */

import type { Evidence } from './evidence.ts';
import type { Health } from './state.ts';

/** Failed checks in a row that make a node `down`, whatever it was before: a lost packet or two must not. */
export const FALL = 3;
/** Answered checks in a row that make a node which was `down` or `ejected` `up`: one may be luck. */
export const RISE = 2;
/** Calls in a row without reply that eject a node which answers checks. */
export const EJECT_AFTER = 5;
/** Test calls without audio in a row that eject a node: one may be a packet filter that is just being changed. */
export const EJECT_AFTER_MEDIA = 2;
/** Length of the first ejection, ms; the second is twice as long, and so on. */
export const EJECTION_MS = 30_000;
/** Length of an ejection at most, ms: the node may have been put right meanwhile. */
export const MAX_EJECTION_MS = 300_000;
/** A node that was good for so long begins anew with the shortest ejection, ms. */
export const FORGIVE_AFTER_MS = 300_000;
/** How long the share of a node grows after it became `up`, ms: its caches are cold and it may fall over again. */
export const SLOW_START_MS = 30_000;

/** What we think of a node and what it rests on. Plain data: it is stored as it is. */
export interface HealthState {
  readonly health: Health;
  /** UTC ms of the last change of `health`. */
  readonly since: number;
  /** Why it changed, in words. */
  readonly cause: string;
  /** Failed checks in a row; 0 to `FALL`. */
  readonly failures: number;
  /** Answered checks in a row while `rising`, else 0; below `RISE`. */
  readonly successes: number;
  /** Calls in a row without reply; 0 to `EJECT_AFTER`. An answered check does not reset it: such nodes it is there for. */
  readonly errors: number;
  /** Call-ID of the last of `errors`: repeated silence about one call says more about the call than about the node. */
  readonly lastErrorCall: string | null;
  /** Test calls without audio in a row; 0 to `EJECT_AFTER_MEDIA`. Neither checks nor calls reset it: they say nothing of audio. */
  readonly mediaFailures: number;
  /** Number of the last ejection; 0 again after `FORGIVE_AFTER_MS` without another. */
  readonly ejections: number;
  /** UTC ms; null unless `ejected`. */
  readonly ejectedUntil: number | null;
  /** UTC ms at which it became `up` other than from `falling`, where slow start begins. Null unless `up` or `falling`. */
  readonly rampFrom: number | null;
}

export interface Step {
  /** The same object as before if nothing changed. */
  readonly state: HealthState;
  /** Whether to check the node at once, unless a check is under way. */
  readonly recheck: boolean;
}

/** The opinion of a node nobody has heard of yet. */
export function initialHealth(now: number): HealthState {
  return {
    health: 'unknown',
    since: now,
    cause: 'not checked yet',
    failures: 0,
    successes: 0,
    errors: 0,
    lastErrorCall: null,
    mediaFailures: 0,
    ejections: 0,
    ejectedUntil: null,
    rampFrom: null,
  };
}

/**
 * What we think after this evidence. `mayEject` is asked only when it matters: whether the set can do without the node.
 * `now` is UTC ms and may step backwards; no state lasts longer by that than it may last anyway.
 */
export function step(state: HealthState, evidence: Evidence, now: number, mayEject: () => boolean): Step {
  const next = react(age(state, now), evidence, now, mayEject);
  const recheck =
    (next.health === 'down' && (evidence.kind === 'call-ok' || evidence.kind === 'call-slow')) ||
    (next.health !== state.health && isUnchecked(next));

  return next === state && !recheck ? unchanged(state) : { state: next, recheck };
}

/** Whether a change is still to be confirmed, and no check has done anything about that yet. */
function isUnchecked({ health, failures, successes }: HealthState): boolean {
  return (health === 'falling' || health === 'rising') && failures === 0 && successes === 0;
}

/** Nearly every reply to a call changes nothing, so what `step` says then is made once for each state. */
const UNCHANGED = new WeakMap<HealthState, Step>();

function unchanged(state: HealthState): Step {
  let same = UNCHANGED.get(state);
  if (same === undefined) {
    same = { state, recheck: false };
    UNCHANGED.set(state, same);
  }

  return same;
}

/** What the time alone does. */
function age(stored: HealthState, now: number): HealthState {
  const state = stored.since <= now ? stored : rewind(stored, now);
  const { ejectedUntil, ejections, rampFrom } = state;
  if (ejectedUntil !== null && now >= ejectedUntil) {
    return change(state, 'rising', 'its ejection is over', now);
  }
  if (ejections > 0 && rampFrom !== null && now - rampFrom >= FORGIVE_AFTER_MS) {
    return { ...state, ejections: 0 };
  }

  return state;
}

/**
 * Brings a state back from the future, where a step of the clock has left it. An ejection begins again, a slow start counts
 * as over: most are, and nobody can tell.
 */
function rewind(state: HealthState, now: number): HealthState {
  const { since, ejectedUntil, rampFrom } = state;

  return {
    ...state,
    since: now,
    ejectedUntil: ejectedUntil === null ? null : now + Math.min(ejectedUntil - since, MAX_EJECTION_MS),
    rampFrom: rampFrom === null || rampFrom <= now ? rampFrom : now - SLOW_START_MS,
  };
}

function react(state: HealthState, evidence: Evidence, now: number, mayEject: () => boolean): HealthState {
  switch (evidence.kind) {
    case 'check-ok':
      return afterGoodCheck(state, now, mayEject);
    case 'check-silent':
      return afterBadCheck(state, 'without reply', now);
    case 'check-failed':
      return afterBadCheck(state, `without a good reply: ${evidence.why}`, now);
    case 'check-slow':
      return afterSlowCheck(state, now);
    case 'call-slow':
      return afterSlowCall(state);
    case 'check-refused':
    case 'call-refused':
      return state.health === 'down'
        ? state
        : change(state, 'down', evidence.why ?? 'nobody listens at its port', now);
    case 'call-ok':
      return afterGoodCall(state, now);
    case 'call-silent':
      return afterSilentCall(state, evidence.callId, now);
    case 'media-ok':
      return afterGoodMedia(state, 'a test call had audio', now);
    case 'media-unwatched':
      return afterGoodMedia(state, 'there are no test calls any more', now);
    case 'media-failed':
      return afterFailedMedia(state, evidence.why, now, mayEject);
    case 'time':
      return state;
  }
}

/**
 * Ejection is decided here and not at the silent call that is one too many: with many calls under way a dead node has lost
 * five before the first check says so, and is to be `down`. Ejected is what answers checks but not calls.
 */
function afterGoodCheck(state: HealthState, now: number, mayEject: () => boolean): HealthState {
  switch (state.health) {
    case 'unknown':
      return change(state, 'up', 'answered a check', now, { rampFrom: now });
    case 'up':
      return state;
    case 'falling':
      if (state.errors === EJECT_AFTER && mayEject()) {
        return eject(state, `${EJECT_AFTER} calls in a row without reply, but checks are answered`, now);
      }

      return change(state, 'up', 'answered a check', now, kept(state));
    case 'down':
      return change(state, 'rising', 'answered a check', now, { successes: 1 });
    case 'rising':
      return state.successes + 1 < RISE
        ? { ...state, failures: 0, successes: state.successes + 1 }
        : change(state, 'up', `answered ${RISE} checks`, now, { rampFrom: now });
    case 'ejected':
      return withoutFailures(state);
  }
}

function afterBadCheck(state: HealthState, how: string, now: number): HealthState {
  const failures = state.failures + 1;
  switch (state.health) {
    case 'up':
      return change(state, 'falling', `a check ${how}`, now, { ...kept(state), failures });
    case 'unknown':
    case 'falling':
    case 'rising':
    case 'ejected':
      return failures < FALL
        ? { ...state, failures, successes: 0 }
        : change(state, 'down', `${FALL} checks ${how}`, now, { failures });
    case 'down':
      return state;
  }
}

/**
 * A node that answers too late for a new call lives, so calls it has go on, and new ones go elsewhere until it is quick again:
 * it is `falling`, or `rising` if it was not known to be good.
 */
function afterSlowCheck(state: HealthState, now: number): HealthState {
  switch (state.health) {
    case 'up':
      return change(state, 'falling', 'answered a check too late', now, kept(state));
    case 'unknown':
    case 'down':
      return change(state, 'rising', 'answered a check too late', now);
    case 'rising':
      return state.successes === 0 ? withoutFailures(state) : { ...state, failures: 0, successes: 0 };
    case 'falling':
    case 'ejected':
      return withoutFailures(state);
  }
}

/** A node that answers calls late answers them: it is no case for an ejection, which would outlast its slowness. */
function afterSlowCall(state: HealthState): HealthState {
  const alive = withoutFailures(state);

  return alive.errors === 0 ? alive : { ...alive, errors: 0, lastErrorCall: null };
}

/** A node that answers calls lives, whatever became of its checks; one that was `down` must answer those as well. */
function afterGoodCall(state: HealthState, now: number): HealthState {
  switch (state.health) {
    case 'up':
      return state.errors === 0 ? state : { ...state, errors: 0, lastErrorCall: null };
    case 'unknown':
      return change(state, 'up', 'answered a call', now, { rampFrom: now });
    case 'falling':
      return change(state, 'up', 'answered a call', now, { rampFrom: state.rampFrom });
    case 'rising':
    case 'ejected':
      return withoutFailures(state);
    case 'down':
      return state;
  }
}

/** Silence about a call makes a good node suspect at once; the check that follows says of what. */
function afterSilentCall(state: HealthState, callId: string, now: number): HealthState {
  if (state.health !== 'up' && state.health !== 'falling') return state;
  const isAnother = callId !== state.lastErrorCall;
  const errors = isAnother ? Math.min(state.errors + 1, EJECT_AFTER) : state.errors;
  const counted = { errors, lastErrorCall: callId };
  if (state.health === 'up') {
    return change(state, 'falling', 'a call without reply', now, { ...kept(state), ...counted });
  }

  return isAnother ? { ...state, ...counted } : state;
}

/**
 * A node without audio is as good as dead to callers, although it answers. What is `falling`, `rising` or `down` for another reason is
 * left to its checks. An ejection lasts as long as test calls fail, from the first: nothing else would show that the node is well again, and
 * after a restart of the program nobody knows how many failed before.
 */
function afterFailedMedia(
  state: HealthState,
  why: string,
  now: number,
  mayEject: () => boolean,
): HealthState {
  const { health, ejectedUntil } = state;
  if (health === 'unknown' || health === 'down') return state;
  const mediaFailures = Math.min(state.mediaFailures + 1, EJECT_AFTER_MEDIA);
  const counted = mediaFailures === state.mediaFailures ? state : { ...state, mediaFailures };
  if (health === 'up' && mediaFailures === EJECT_AFTER_MEDIA && mayEject())
    return eject(counted, `${EJECT_AFTER_MEDIA} test calls in a row without audio: ${why}`, now);
  if (ejectedUntil === null || ejectedUntil >= now + EJECTION_MS) return counted;

  return { ...counted, ejectedUntil: now + EJECTION_MS };
}

/** Ends the suspicion, and an ejection that came of it or was prolonged by it. */
function afterGoodMedia(state: HealthState, cause: string, now: number): HealthState {
  if (state.mediaFailures === 0) return state;
  const cleared = { ...state, mediaFailures: 0 };

  return state.health === 'ejected' && state.mediaFailures === EJECT_AFTER_MEDIA
    ? change(cleared, 'rising', cause, now)
    : cleared;
}

function eject(state: HealthState, cause: string, now: number): HealthState {
  const ejections = state.ejections + 1;
  const ejectedUntil = now + Math.min(EJECTION_MS * ejections, MAX_EJECTION_MS);

  return change(state, 'ejected', cause, now, { ejections, ejectedUntil });
}

/**
 * Another opinion. All it rests on begins anew, but for the number of ejections, what test calls say of a node that lives, and what is
 * named.
 */
function change(
  state: HealthState,
  health: Health,
  cause: string,
  now: number,
  rest: Partial<HealthState> = {},
): HealthState {
  const mediaFailures = health === 'down' ? 0 : state.mediaFailures;

  return { ...initialHealth(now), ejections: state.ejections, mediaFailures, health, cause, ...rest };
}

/** What a node takes along between `up` and `falling`. */
function kept({ errors, lastErrorCall, rampFrom }: HealthState): Partial<HealthState> {
  return { errors, lastErrorCall, rampFrom };
}

function withoutFailures(state: HealthState): HealthState {
  return state.failures === 0 ? state : { ...state, failures: 0 };
}
