/** Looks for calls the cluster does not know on the nodes: they may have been placed by another instance, or by hand. */

import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import { type NgDict, type RelayCall, RelayFailure } from '../relay/driver.ts';
import { type Clock, turn } from '../util/clock.ts';

/** How long the nodes may take, ms. A node that is silent must not hold up the others' answer. */
const SEARCH_MS = 250;
/** Questions per second, and how many may be asked at once; beyond, a call is simply unknown. A search asks every node. */
const RATE = 500;
const BURST = 1000;
/** Nodes asked before everybody else gets a turn. */
const NODES_PER_TURN = 50;

export class Search {
  readonly counters = { searches: 0, found: 0, overRate: 0 };
  readonly #fleet: Fleet;
  readonly #clock: Clock;
  #tokens = BURST;
  #filledAt: number;

  constructor(fleet: Fleet, clock: Clock) {
    this.#fleet = fleet;
    this.#clock = clock;
    this.#filledAt = clock.monotonic();
  }

  /** The node that has the call, among those of a set, or of all. */
  find(call: RelayCall, setId?: number): Promise<Member | undefined> {
    return this.#ask(setId, async (member, deadline) => {
      const reply = await member.driver.query(call, deadline);

      return reply instanceof RelayFailure ? undefined : member;
    });
  }

  /** Deletes the call wherever it is, and waits for all nodes. Returns the reply of one that had it. */
  async deleteEverywhere(call: RelayCall, setId?: number): Promise<NgDict | undefined> {
    const replies: NgDict[] = [];
    await this.#ask(setId, async (member, deadline): Promise<undefined> => {
      const result = await member.driver.delete(call, deadline);
      if (!(result instanceof RelayFailure) && result.found) replies.push(result.reply);
    });
    if (replies.length > 0) this.counters.found++;

    return replies[0];
  }

  /** Asks all nodes at once; the first that says something wins. */
  async #ask<T>(
    setId: number | undefined,
    ask: (member: Member, deadline: number) => Promise<T | undefined>,
  ): Promise<T | undefined> {
    const asked = this.#asked(setId);
    if (!this.#takeTokens(Math.min(asked.length, BURST))) {
      this.counters.overRate++;

      return undefined;
    }
    this.counters.searches++;
    const deadline = this.#clock.monotonic() + SEARCH_MS;
    const { promise, resolve } = Promise.withResolvers<T | undefined>();
    const answers: Promise<void>[] = [];
    for (const [index, member] of asked.entries()) {
      if (index > 0 && index % NODES_PER_TURN === 0) await turn();
      answers.push(
        ask(member, deadline).then((answer) => {
          if (answer !== undefined) resolve(answer);
        }),
      );
    }
    Promise.all(answers).then(() => resolve(undefined));
    const found = await promise;
    if (found !== undefined) this.counters.found++;

    return found;
  }

  /** Who is asked: removed nodes too, as they may have calls; dead ones not, as everybody would wait for them. */
  #asked(setId: number | undefined): Member[] {
    return [...this.#fleet.all()].filter(
      (member) => (setId === undefined || member.node.setId === setId) && member.verdict('search') === 'yes',
    );
  }

  #takeTokens(count: number): boolean {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(BURST, this.#tokens + ((now - this.#filledAt) / 1000) * RATE);
    this.#filledAt = now;
    if (this.#tokens < count) return false;
    this.#tokens -= count;

    return true;
  }
}
