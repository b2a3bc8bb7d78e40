/**
 * The state of a node: an order by a person and our own opinion, two things that are never mixed, and what both together
 * mean for each kind of request.
 */

/** An order by a person. `drain`: no new calls, running ones finish. `maint`: somebody works on it; nothing else counts. */
export const ORDERS = ['ready', 'drain', 'maint'] as const;
export type Order = (typeof ORDERS)[number];

/** The order a node is under, with who gave it, when and why. */
export interface AdminState {
  readonly order: Order;
  /** Who gave it, as in `root@edge1`; '' if nobody ever gave one. */
  readonly by: string;
  readonly reason: string;
  /** UTC ms of the order. */
  readonly at: number;
  /** UTC ms at which a drain ends in `maint`, or by which a maintenance should be over; null if not said. */
  readonly until: number | null;
}

/**
 * Our opinion of a node. `unknown`: never heard of yet. `up`: proven good. `falling`: a reply is missing, being checked.
 * `down`: dead until it has answered again. `rising`: was down and answers, not yet often enough. `ejected`: it answers
 * our checks but not calls, so it is left out for a while.
 */
export const HEALTHS = ['unknown', 'up', 'falling', 'down', 'rising', 'ejected'] as const;
export type Health = (typeof HEALTHS)[number];

/**
 * What a request wants of a node. `new`: place a call. `bound`: go on with a call it has. `end`: delete a call it has.
 * `search`: ask whether it has a call that nobody knows.
 */
export const REQUEST_KINDS = ['new', 'bound', 'end', 'search'] as const;
export type RequestKind = (typeof REQUEST_KINDS)[number];

/**
 * `yes`: ask it. `spare`: only if no node with `yes` takes the call. `panic`: as the last resort, when the set is in panic.
 * `later`: do not wait for it; it is told when it answers again. `no`: do not ask it.
 */
export type Verdict = 'yes' | 'spare' | 'panic' | 'later' | 'no';

/**
 * The truth table. A call that is bound goes to its node whatever the order says; only a node known to be dead is not asked,
 * because each request would wait for nothing.
 *
 * | new call | unknown | up    | falling | down  | rising | ejected |
 * | -------- | ------- | ----- | ------- | ----- | ------ | ------- |
 * | ready    | spare   | yes   | spare   | panic | spare  | panic   |
 * | drain    | no      | panic | panic   | no    | no     | no      |
 * | maint    | no      | no    | no      | no    | no     | no      |
 *
 * | any order | unknown | up  | falling | down  | rising | ejected |
 * | --------- | ------- | --- | ------- | ----- | ------ | ------- |
 * | bound     | yes     | yes | yes     | no    | yes    | yes     |
 * | end       | yes     | yes | yes     | later | yes    | yes     |
 * | search    | yes     | yes | yes     | no    | yes    | yes     |
 */
const NEW_CALL: Readonly<Record<Order, Readonly<Record<Health, Verdict>>>> = {
  ready: { unknown: 'spare', up: 'yes', falling: 'spare', down: 'panic', rising: 'spare', ejected: 'panic' },
  drain: { unknown: 'no', up: 'panic', falling: 'panic', down: 'no', rising: 'no', ejected: 'no' },
  maint: { unknown: 'no', up: 'no', falling: 'no', down: 'no', rising: 'no', ejected: 'no' },
};

export function verdict(order: Order, health: Health, kind: RequestKind): Verdict {
  if (kind === 'new') return NEW_CALL[order][health];
  if (health !== 'down') return 'yes';

  return kind === 'end' ? 'later' : 'no';
}

/** Whether a node counts as healthy when a set asks itself how much of its weight is left. */
export function isHealthy(health: Health): boolean {
  return health === 'up' || health === 'falling' || health === 'unknown';
}
