/** Looks at one node from outside, as calls see it: for the form of a node, for `doctor` and for the media probe. */

import type { Node } from '../domain/node.ts';
import type { RelayDriver, RelayMonitor } from '../relay/driver.ts';
import { RelayFailure } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import { type ProbeCallResult, placeProbeCall, type Talk } from './call.ts';
import { checkControl, checkFigures } from './control.ts';
import type { MediaNetwork } from './network.ts';
import { type Report, reportOf } from './report.ts';
import { type Route, routesOf } from './routes.ts';
import { addressChecks, imposeCheck, mediaChecks, reasonOf, talkText, verdictOf } from './verdicts.ts';

export interface ProbeParts {
  /** A driver and a monitor for this look alone: what it finds is no evidence by itself, and calls do not wait behind it. */
  readonly driverOf: (node: Node) => RelayDriver;
  readonly monitorOf: (node: Node) => RelayMonitor;
  readonly network: MediaNetwork;
  /** Those of the fleet: an address may be that of another one. */
  readonly nodes: () => readonly Node[];
  readonly clock: Clock;
}

/** What a synthetic call with RTP tells of a node. */
export type MediaOutcome =
  | {
      readonly result: 'ok' | 'lossy' | 'failed';
      /** Of the worst direction: 0 to 100, and ms; null if no packet came, or the call did not come so far. */
      readonly lossPercent: number | null;
      readonly delayMs: number | null;
      readonly reordered: number;
      /** Why it is not ok; '' if it is. */
      readonly reason: string;
    }
  /** The relay did not answer: that is no matter of media. */
  | { readonly result: 'silent'; readonly callId: string; readonly reason: string }
  /** It could not be tried, or the relay had no room: that says nothing of the node. */
  | { readonly result: 'unsaid'; readonly reason: string };

const NEVER = new AbortController().signal;

export class Probe {
  readonly #parts: ProbeParts;

  constructor(parts: ProbeParts) {
    this.#parts = parts;
  }

  /** Everything there is to see of a node, whether it is in the fleet or not. Some 1 s, at most 5. Never throws for what it finds. */
  async check(node: Node, { media }: { readonly media: boolean }, signal = NEVER): Promise<Report> {
    const { clock, nodes } = this.#parts;
    const monitor = this.#parts.monitorOf(node);
    try {
      const control = await checkControl(node, monitor, this.#parts);
      if (control.result === 'failed') return reportOf([control]);
      const [figures, calls] = await Promise.all([
        checkFigures(node, monitor, clock),
        this.#call(node, { all: true, media }, signal),
      ]);
      const impose = imposeCheck(node, calls);

      return reportOf([
        control,
        ...figures,
        ...(impose === null ? [] : [impose]),
        ...addressChecks(node, calls),
        ...mediaChecks(node, nodes(), calls),
      ]);
    } finally {
      monitor.close();
    }
  }

  /** A call between each two sides, with RTP both ways. */
  async media(node: Node, signal = NEVER): Promise<MediaOutcome> {
    const outcomes = (await this.#call(node, { all: false, media: true }, signal)).map(outcomeOf);
    if (signal.aborted) return { result: 'unsaid', reason: 'it was cut short' };
    const worst = RANK.flatMap((rank) => outcomes.find(({ result }) => result === rank) ?? []);

    return worst[0] ?? { result: 'unsaid', reason: 'the node has no media address' };
  }

  async #call(
    node: Node,
    wanted: { readonly all: boolean; readonly media: boolean },
    signal: AbortSignal,
  ): Promise<ProbeCallResult[]> {
    const { network, clock } = this.#parts;
    const driver = this.#parts.driverOf(node);
    try {
      const place = (route: Route) => placeProbeCall(node, route, { driver, network, clock, signal });
      const calls = await Promise.all(routesOf(node, wanted).map(place));
      // A relay with few ports left has no room for all at once: whom it refused beside others has another try, alone.
      for (const [index, call] of calls.length > 1 ? calls.entries() : []) {
        if (isRefused(call) && !signal.aborted) calls[index] = await place(call.route);
      }

      return calls;
    } finally {
      driver.close();
    }
  }
}

function isRefused({ offer: { failure } }: ProbeCallResult): boolean {
  return failure instanceof RelayFailure && failure.kind === 'refused';
}

/** From bad to good; what was not tried says less than what was. */
const RANK = ['silent', 'failed', 'lossy', 'ok', 'unsaid'] as const;

function outcomeOf(call: ProbeCallResult): MediaOutcome {
  const { offer, answer, talk, callId } = call;
  const failure = offer.failure ?? answer?.failure ?? null;
  if (failure !== null) {
    const reason = reasonOf(failure);
    const kind = failure instanceof RelayFailure ? failure.kind : undefined;
    if (kind === 'silent' || kind === 'unreachable') return { result: 'silent', callId, reason };
    // A node that is full, or one that we could not ask, is none without media.
    if (kind === 'refused' || kind === 'busy' || kind === 'too-large') return { result: 'unsaid', reason };

    return { result: 'failed', lossPercent: null, delayMs: null, reordered: 0, reason };
  }
  if (talk === null) return { result: 'unsaid', reason: 'it was cut short' };
  const verdict = verdictOf(talk);
  if (typeof talk === 'string') return { result: 'unsaid', reason: talk };
  if (verdict === 'unsaid') return { result: 'unsaid', reason: talkText(call, talk) };

  return { result: verdict, ...figuresOf(talk), reason: verdict === 'ok' ? '' : talkText(call, talk) };
}

function figuresOf({ there, back }: Talk) {
  const delays = [there.delayMs, back.delayMs].filter((delay) => delay !== null);

  return {
    lossPercent: Math.max(there.lossPercent, back.lossPercent),
    delayMs: delays.length === 0 ? null : Math.max(...delays),
    reordered: there.reordered + back.reordered,
  };
}
