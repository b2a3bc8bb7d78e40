/** What is to be written of calls. Bounded by the calls that live, and those that lived when the disk began to fail. */

import type { Call, Leg, LegSdp } from '../domain/call.ts';
import { type CallRows, legKey } from './call-rows.ts';

/** What is to be written of one call. */
interface Unsaved {
  call: Call;
  isNew: boolean;
  /** Whether an earlier call with this Call-ID has a row that still says it lives. */
  readonly replaces: boolean;
  readonly legs: Set<Leg>;
  readonly forgotten: Set<Leg>;
  readonly sdp: Map<Leg, LegSdp>;
}

/** What is to be written of a call besides its own row. */
export interface CallChange {
  /** Whether the call was never written before. */
  readonly isNew?: boolean;
  readonly leg?: Leg;
  /** The last SDP of `leg`. */
  readonly sdp?: LegSdp;
  /** A leg that is gone. */
  readonly forgotten?: Leg;
}

/** Legs whose SDP may wait for a disk that fails; beyond, SDP texts (for people only) are dropped, never bindings. */
const MAX_WAITING_SDP = 10_000;
export class UnsavedCalls {
  readonly #rows: CallRows;
  readonly #unsaved = new Map<string, Unsaved>();
  #waitingSdp = 0;

  constructor(rows: CallRows) {
    this.#rows = rows;
  }

  /** Calls with something to write. */
  get size(): number {
    return this.#unsaved.size;
  }

  /** @param isFailing whether nothing can be written at the moment */
  note(call: Call, { isNew = false, leg, sdp, forgotten }: CallChange, isFailing: boolean): void {
    const unsaved = this.#unsavedOf(call, isNew);
    if (leg !== undefined) unsaved.legs.add(leg);
    if (leg !== undefined && sdp !== undefined) {
      if (!unsaved.sdp.has(leg)) this.#waitingSdp++;
      unsaved.sdp.set(leg, sdp);
    }
    if (forgotten !== undefined) {
      unsaved.legs.delete(forgotten);
      if (unsaved.sdp.delete(forgotten)) this.#waitingSdp--;
      unsaved.forgotten.add(forgotten);
    }
    // A call that began and ended while the disk failed was never in the database and need not get there.
    if (isFailing && unsaved.isNew && !unsaved.replaces && call.state === 'ended') {
      this.#waitingSdp -= unsaved.sdp.size;
      this.#unsaved.delete(call.callId);
    }
  }

  /** The SDP of a call that is not written yet, over what is. */
  addSdp(callId: string, sdp: Map<string, LegSdp>): void {
    for (const [leg, text] of this.#unsaved.get(callId)?.sdp ?? []) sdp.set(legKey(leg), text);
  }

  /** Writes all of it, as part of a transaction of the caller. Throws SQLite's errors. */
  write(): void {
    for (const { call, isNew, legs, forgotten, sdp } of this.#unsaved.values()) {
      if (isNew) this.#rows.insert(call);
      else this.#rows.update(call);
      for (const leg of forgotten) this.#rows.deleteLeg(call, leg);
      for (const leg of legs) this.#rows.writeLeg(call, leg);
      for (const [leg, text] of sdp) this.#rows.writeSdp(call, leg, text);
    }
  }

  /** All of it is written. */
  written(): void {
    this.#unsaved.clear();
    this.#waitingSdp = 0;
  }

  /**
   * The disk fails: SDP texts, which are for people only, are given up when there are too many. Bindings never.
   * @returns how many were given up
   */
  failed(): number {
    if (this.#waitingSdp <= MAX_WAITING_SDP) return 0;
    for (const { sdp } of this.#unsaved.values()) sdp.clear();
    const dropped = this.#waitingSdp;
    this.#waitingSdp = 0;

    return dropped;
  }

  #unsavedOf(call: Call, isNew: boolean): Unsaved {
    let unsaved = this.#unsaved.get(call.callId);
    if (unsaved === undefined || isNew) {
      if (unsaved !== undefined) this.#waitingSdp -= unsaved.sdp.size;
      const replaces = unsaved !== undefined && (!unsaved.isNew || unsaved.replaces);
      unsaved = { call, isNew, replaces, legs: new Set(), forgotten: new Set(), sdp: new Map() };
      this.#unsaved.set(call.callId, unsaved);
    }

    return unsaved;
  }
}
