/** The calls in memory together with their rows: every change of a call goes through here. */

import { SQLiteError } from 'bun:sqlite';
import { type Call, findLeg, findTag, type Leg, type LegSdp, MAX_LEGS, MAX_OFFERS } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, formatDirection } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { MediaReply } from '../relay/driver.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import type { Family } from '../util/ip.ts';
import { log } from '../util/log.ts';
import type { CallTable } from './call-table.ts';
import type { CallFacts, DeleteFacts } from './facts.ts';

/** What one SDP told about its sender. */
export interface LegNews {
  readonly tag: string;
  readonly branch: string | undefined;
  readonly sides: Direction;
  readonly family: Family;
  readonly sdp: LegSdp;
  /** What the relay made of it. */
  readonly reply: Pick<MediaReply, 'memo' | 'sessions'>;
}

/**
 * How it came out that a node does not have a call any more: a request of the call, a restart of the relay, the comparison
 * with the relay's own list, or our question after a time without news.
 */
export type LossCause = 'request' | 'restart' | 'reconcile' | 'no-news';

/** Ends that are nobody's word but our own finding: such a call may come back with its next offer. */
const FINDINGS: readonly string[] = ['lost', 'idle', 'media timeout'];

export class Ledger {
  readonly #calls: CallTable;
  readonly #store: Store;
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  /** Calls found on nodes. */
  readonly #found = new WeakSet<Call>();
  /** Ended calls that may go on. */
  readonly #returnable = new WeakSet<Call>();
  /** Calls whose contradiction has been reported. */
  readonly #contradicted = new WeakSet<Call>();

  constructor(calls: CallTable, store: Store, fleet: Fleet, clock: Clock) {
    this.#calls = calls;
    this.#store = store;
    this.#fleet = fleet;
    this.#clock = clock;
    // Which door deleted them is not known any more; a relay that did not keep the call says so.
    for (const call of calls.ended()) if (call.endReason === 'delete') this.#returnable.add(call);
  }

  get(callId: string): Call | undefined {
    return this.#calls.get(callId);
  }

  /** Why there is no such call, in words for the client. */
  unknown({ callId }: Pick<DeleteFacts, 'callId'>): Failure {
    if (this.hasEnded(callId)) return new Failure('RTPC_CALL_UNKNOWN', `call ${callId} has ended already`);

    return new Failure('RTPC_CALL_UNKNOWN', `call ${callId} is not known here, and no node has it`);
  }

  hasEnded(callId: string): boolean {
    return this.#calls.getEnded(callId) !== undefined;
  }

  /**
   * Whether a message comes too late: its transaction began an offer of a call that has ended. The parties' own word
   * ends it for good; after a refusal by one gateway the same INVITE may be offered to the next.
   */
  isLate(callId: string, transaction: string | undefined, isReply: boolean): boolean {
    const ended = this.#calls.getEnded(callId);
    if (ended === undefined || transaction === undefined) return false;
    if (transaction !== ended.initial && !ended.offers.includes(transaction)) return false;

    return isReply || ['bye', 'cancel', '487'].includes(ended.endReason ?? '');
  }

  /**
   * Whether a call of this party was ended a short while ago by the parties; one that was lost or forgotten may come back. Somebody
   * who was not in it may begin anew: the next gateway, whose offer comes in its reply.
   */
  wasHungUp(callId: string, tag: string): boolean {
    const ended = this.#calls.getEnded(callId);
    if (ended === undefined || !isHungUp(ended)) return false;

    return tag === ended.callerTag || findTag(ended, tag) !== undefined;
  }

  /** A call that ended by what we found out, as lost by its relay: its parties may go on, on the sides they were on. */
  ended(callId: string): Call | undefined {
    const ended = this.#calls.getEnded(callId) ?? this.#storedEnd(callId);

    return ended === undefined || isHungUp(ended) ? undefined : ended;
  }

  /** Why a request may add nothing to memory, or undefined. */
  limit(
    call: Call | undefined,
    tag: string,
    { branch, toTag }: Pick<CallFacts, 'branch' | 'toTag'>,
  ): Failure | undefined {
    if (call === undefined) {
      if (!this.#calls.isFull) return undefined;

      return new Failure('RTPC_BUSY', `${this.#calls.max} calls live already, the limit calls.max`);
    }
    if (call.legs.length < MAX_LEGS || legOf(call, tag, branch, toTag !== undefined) !== undefined)
      return undefined;

    return new Failure('RTPC_BUSY', `the call has ${MAX_LEGS} legs already`);
  }

  /** A call that was announced without SDP; it gets its node later. */
  async announce(facts: CallFacts, direction: Direction): Promise<void> {
    const call = this.#create(facts, direction, facts.fromTag, facts.setId ?? 0);
    this.#calls.add(call);
    await this.#store.saveCall(call, { isNew: true });
  }

  /** A call found on a node. Who sends first counts as its caller. */
  async adopt(facts: CallFacts, direction: Direction, senderTag: string, member: Member): Promise<Call> {
    const call = this.#create(facts, direction, senderTag, member.node.setId);
    call.nodeId = member.id;
    call.state = 'confirmed';
    this.#calls.add(call);
    this.#found.add(call);
    this.#store.event('call.found', { callId: call.callId, nodeId: member.id });
    await this.#store.saveCall(call, { isNew: true });

    return call;
  }

  /** Whether a call was found on a node, so that what its parties did before is not known. */
  wasFound(call: Call): boolean {
    return this.#found.has(call);
  }

  /**
   * A node has taken an offer: binds the call to it, making the call if it is new.
   * @returns the call, if it was placed on this node just now
   */
  async offered(
    known: Call | undefined,
    facts: CallFacts & { transaction?: string },
    member: Member,
    news: LegNews,
  ): Promise<Call | undefined> {
    const { from, to } = news.sides;
    // The offer that begins a call and names another party comes in a reply: who is named is the caller. OpenSIPS's `rtp_relay` names
    // the callee twice.
    const { fromTag, toTag } = facts;
    const isFromCallee = facts.isFromCallee ?? (toTag !== undefined && toTag !== fromTag);
    const call =
      known ??
      this.#create(
        facts,
        isFromCallee ? { from: to, to: from } : news.sides,
        isFromCallee ? (toTag ?? fromTag) : fromTag,
        facts.setId ?? 0,
      );
    if (known === undefined) this.#calls.add(call);
    const isBound = call.nodeId === member.id;
    const isSaved = isBound && call.memo === news.reply.memo;
    this.#calls.bind(call, member.id);
    if (call.state === 'announced') call.state = 'early';
    call.initial = facts.initial ?? call.initial;
    if (facts.transaction !== undefined && !call.offers.includes(facts.transaction)) {
      call.offers = [...call.offers, facts.transaction].slice(-MAX_OFFERS);
    }
    const leg = this.#putLeg(call, news, facts.toTag !== undefined);
    leg.offering = true;
    const change = { isNew: known === undefined, leg, sdp: news.sdp };
    // A binding is on disk before its answer leaves, with what names its sessions; an offer that changes neither need not wait.
    if (isSaved) this.#store.noteCall(call, change);
    else await this.#store.saveCall(call, change);

    return isBound ? undefined : call;
  }

  /** An answer without SDP, or a further request of its dialog, says that the call is established. */
  async confirmed(call: Call, tag: string): Promise<void> {
    const leg = findTag(call, tag);
    if (call.state === 'confirmed' && leg?.confirmed !== false) return;
    call.state = 'confirmed';
    call.updatedAt = this.#clock.utc();
    if (leg !== undefined) leg.confirmed = true;
    await this.#store.saveCall(call, leg === undefined ? {} : { leg });
  }

  /** The call's node has taken an answer. */
  answered(call: Call, facts: CallFacts, isFinal: boolean, news: LegNews): void {
    if (isFinal) call.state = 'confirmed';
    const leg = this.#putLeg(call, news, true);
    leg.confirmed ||= isFinal;
    leg.offering = false;
    for (const offerer of call.legs) {
      if (offerer.tag !== facts.fromTag || !offerer.offering) continue;
      offerer.offering = false;
      this.#store.noteCall(call, { leg: offerer });
    }
    this.#store.noteCall(call, { leg, sdp: news.sdp });
  }

  /** Forgets legs that left a call which goes on. */
  forget(call: Call, isGone: (leg: Leg) => boolean): void {
    const gone = call.legs.filter(isGone);
    call.legs = call.legs.filter((leg) => !isGone(leg));
    call.updatedAt = this.#clock.utc();
    for (const leg of gone) this.#store.noteCall(call, { forgotten: leg });
  }

  /**
   * Ends a call. A removed node goes with its last one.
   * @param told ends when the node is not needed for this call any more
   */
  async end(call: Call, reason: string, told?: Promise<unknown>): Promise<void> {
    this.#calls.end(call, reason, this.#clock.utc());
    log.info('call.ended', { call_id: call.callId, node: call.nodeId, reason });
    this.#store.noteCall(call);
    await told;
    const member = this.#fleet.get(call.nodeId);
    if (member !== undefined && member.removedAt !== null && this.#calls.countOn(member.id) === 0) {
      this.#fleet.remove(member.id);
    }
  }

  /** The relay of a call that has just ended keeps it for a while, and takes it up again if a party goes on (ng-protocol 8). */
  mayReturn(call: Call): void {
    this.#returnable.add(call);
  }

  /** A call that has ended, and that its relay may still have. */
  returning(callId: string): Call | undefined {
    const ended = this.#calls.getEnded(callId);

    return ended !== undefined && this.#returnable.has(ended) ? ended : undefined;
  }

  /** Its relay has taken it up again. */
  revive(call: Call): void {
    this.#returnable.delete(call);
    call.state = 'confirmed';
    call.endReason = null;
    this.#calls.revive(call);
    log.info('call.revived', { call_id: call.callId, node: call.nodeId });
  }

  /** The node does not know the call any more: the relay restarted, or ended it by its own timers. */
  async lose(call: Call, cause: LossCause = 'request'): Promise<Failure> {
    const { callId, nodeId } = call;
    this.#store.event('call.lost', { callId, ...(nodeId === null ? {} : { nodeId }), cause });
    await this.end(call, 'lost');

    return new Failure('RTPC_CALL_LOST', `node ${nodeId} does not know call ${callId} any more`);
  }

  /** The node of a call has something else of it than before: more, left by a request that failed, or less, without a branch. */
  remember(call: Call, memo: string | null, sessions = call.sessions): void {
    call.memo = memo;
    this.#calls.resize(call, sessions);
    this.#store.noteCall(call);
  }

  /** The relay had forgotten the call and began it anew with an offer of one of its parties. */
  renewed({ callId, nodeId }: Call): void {
    this.#store.event('call.renewed', { callId, ...(nodeId === null ? {} : { nodeId }) });
  }

  /** The relay ended the call because no media came. @param by the kind of the relay that said so */
  async timeOut(call: Call, by: string): Promise<void> {
    const { callId, nodeId } = call;
    this.#store.event('call.timeout', { callId, ...(nodeId === null ? {} : { nodeId }), by });
    await this.end(call, 'media timeout');
  }

  /** Reports, once per call, that a client says another direction than the one remembered. The memory holds. */
  reportContradiction(call: Call | undefined, said: Direction | undefined, used: Direction): void {
    if (call === undefined || said === undefined || this.#contradicted.has(call)) return;
    if (said.from === used.from && said.to === used.to) return;
    this.#contradicted.add(call);
    this.#store.event('call.direction_contradicted', {
      callId: call.callId,
      said: formatDirection(said),
      used: formatDirection(used),
    });
  }

  /** Nothing if the database fails: then the client has to say the direction again. */
  #storedEnd(callId: string): Call | undefined {
    try {
      return this.#store.findEndedCall(callId);
    } catch (error) {
      if (error instanceof SQLiteError) return undefined;
      throw error;
    }
  }

  #create(facts: CallFacts, direction: Direction, callerTag: string, setId: number): Call {
    const now = this.#clock.utc();

    return {
      callId: facts.callId,
      nodeId: null,
      setId,
      direction,
      callerTag,
      state: 'announced',
      initial: facts.initial ?? null,
      offers: [],
      legs: [],
      memo: null,
      sessions: 1,
      createdAt: now,
      updatedAt: now,
      endReason: null,
    };
  }

  #putLeg(call: Call, { tag, branch = '', sides, family, reply }: LegNews, isInDialog: boolean): Leg {
    const now = this.#clock.utc();
    call.updatedAt = now;
    call.memo = reply.memo;
    this.#calls.resize(call, reply.sessions);
    let leg = legOf(call, tag, branch, isInDialog);
    if (leg === undefined) {
      leg = {
        tag,
        branch,
        side: sides.from,
        readerSide: sides.to,
        family,
        confirmed: false,
        offering: false,
        createdAt: now,
        updatedAt: now,
      };
      call.legs.push(leg);
    }
    leg.readerSide = sides.to;
    leg.family = family;
    leg.updatedAt = now;

    return leg;
  }
}

/** The leg of a tag. Only the offers that begin a call have one for each branch; later each request may have a Via of its own. */
function legOf(call: Call, tag: string, branch: string | undefined, isInDialog: boolean): Leg | undefined {
  return findLeg(call, tag, branch) ?? (isInDialog ? findTag(call, tag) : undefined);
}

/** Whether an ended call was ended by its parties or their proxy, not by what we found out about it. */
function isHungUp({ endReason }: Call): boolean {
  return endReason !== null && !FINDINGS.includes(endReason);
}
