import { describe, expect, test } from 'bun:test';
import { nextCheckIn } from '../../../src/domain/check-pace.ts';
import type { Evidence } from '../../../src/domain/evidence.ts';
import { type HealthState, initialHealth, step } from '../../../src/domain/health.ts';
import { type Health, verdict } from '../../../src/domain/state.ts';
import { seeded } from '../../lab/random.ts';

/** From one transmission of a request to the next, ms: the fourth is followed by giving up. */
const CHECK_GAP_MS = 125;
const CALL_GAP_MS = 75;
const TRANSMISSIONS = 4;
const CALLS_PER_S = 12;
/** From a call's offer to its answer, and to its delete, ms. */
const ANSWER_AFTER_MS = 2000;
const DELETE_AFTER_MS = 30_000;

interface Relay {
  readonly name: string;
  isAlive: boolean;
  state: HealthState;
  isChecking: boolean;
  checkedAt: number;
  nextCheckAt: number;
}

/** A set of four relays behind a network that loses packets, with our checks and our calls. Its clock is a counter, ms. */
class Lab {
  now = 0;
  readonly relays: Relay[];
  /** Every opinion that was held of a relay, in order. */
  readonly seen: { at: number; relay: Relay; health: Health }[] = [];
  readonly silentCalls: { at: number; relay: Relay }[] = [];
  readonly #loss: number;
  readonly #random: () => number;
  readonly #due = new Map<number, (() => void)[]>();
  #calls = 0;

  /** `loss`: part of the packets that are lost, each way. */
  constructor(loss: number, seed: number) {
    this.#loss = loss;
    this.#random = seeded(seed);
    this.relays = ['a', 'b', 'c', 'd'].map((name) => ({
      name,
      isAlive: true,
      state: initialHealth(0),
      isChecking: false,
      checkedAt: 0,
      nextCheckAt: 0,
    }));
  }

  run(durationMs: number): this {
    for (const end = this.now + durationMs; this.now < end; this.now++) {
      for (const act of this.#due.get(this.now) ?? []) act();
      this.#due.delete(this.now);
      for (const relay of this.relays) {
        if (!relay.isChecking && this.now >= relay.nextCheckAt) this.#check(relay);
      }
      if (this.#random() < CALLS_PER_S / 1000) this.#call();
    }

    return this;
  }

  #check(relay: Relay): void {
    relay.isChecking = true;
    relay.checkedAt = this.now;
    this.#ask(relay, CHECK_GAP_MS, (isAnswered) => {
      relay.isChecking = false;
      this.#tell(relay, { kind: isAnswered ? 'check-ok' : 'check-silent' });
    });
  }

  #call(): void {
    const callId = `call-${this.#calls++}`;
    this.#offer(callId, this.relays);
  }

  /** Tries one relay after the other, as real calls do, and goes on with the one that answers. */
  #offer(callId: string, untried: readonly Relay[]): void {
    const relay = this.#choose(untried);
    if (relay === undefined) return;
    this.#request(relay, callId, (isAnswered) => {
      if (!isAnswered)
        return this.#offer(
          callId,
          untried.filter((other) => other !== relay),
        );
      for (const delay of [ANSWER_AFTER_MS, DELETE_AFTER_MS]) {
        this.#after(delay, () => {
          if (verdict('ready', relay.state.health, 'bound') === 'yes') this.#request(relay, callId, () => {});
        });
      }
    });
  }

  #choose(relays: readonly Relay[]): Relay | undefined {
    for (const wanted of ['yes', 'spare', 'panic']) {
      const fit = relays.filter(({ state }) => verdict('ready', state.health, 'new') === wanted);
      if (fit.length > 0) return fit[Math.floor(this.#random() * fit.length)];
    }

    return undefined;
  }

  #request(relay: Relay, callId: string, then: (isAnswered: boolean) => void): void {
    this.#ask(relay, CALL_GAP_MS, (isAnswered) => {
      if (!isAnswered) this.silentCalls.push({ at: this.now, relay });
      this.#tell(relay, isAnswered ? { kind: 'call-ok' } : { kind: 'call-silent', callId });
      then(isAnswered);
    });
  }

  #ask(relay: Relay, gapMs: number, then: (isAnswered: boolean) => void, left = TRANSMISSIONS): void {
    const isLost = this.#random() < this.#loss || this.#random() < this.#loss;
    if (left === 0) then(false);
    else if (relay.isAlive && !isLost) this.#after(1, () => then(true));
    else this.#after(gapMs, () => this.#ask(relay, gapMs, then, left - 1));
  }

  #tell(relay: Relay, evidence: Evidence): void {
    const isOneOut = this.relays.some(({ state }) => state.health === 'ejected');
    const { state, recheck } = step(relay.state, evidence, this.now, () => !isOneOut);
    if (state.health !== relay.state.health) this.seen.push({ at: this.now, relay, health: state.health });
    relay.state = state;
    relay.nextCheckAt = recheck ? this.now : relay.checkedAt + nextCheckIn(state, this.#random());
  }

  #after(delayMs: number, act: () => void): void {
    const at = this.now + delayMs;
    const acts = this.#due.get(at);
    if (acts === undefined) this.#due.set(at, [act]);
    else acts.push(act);
  }
}

const SEEDS = [1, 2, 3, 4, 5];

describe('a network that loses three packets of ten each way, for ten minutes', () => {
  test.each(SEEDS)('marks no good node down and ejects none (seed %d)', (seed) => {
    const { seen, relays } = new Lab(0.3, seed).run(600_000);
    const healths = new Set(seen.map(({ health }) => health));
    expect([...healths].sort()).toEqual(['falling', 'up']);
    expect(relays.map(({ state }) => state.ejections)).toEqual([0, 0, 0, 0]);
  });
});

describe.each([0, 0.3])('a node that dies, with %d of the packets lost each way', (loss) => {
  test.each(SEEDS)(
    'gets no new call after the first silent one and is down 2 s after it (seed %d)',
    (seed) => {
      const lab = new Lab(loss, seed).run(60_000);
      const [victim] = lab.relays;
      if (victim !== undefined) victim.isAlive = false;
      const died = lab.now;
      lab.run(5000);

      const first = lab.silentCalls.find(({ at, relay }) => relay === victim && at >= died)?.at ?? Infinity;
      const later = lab.seen.filter(({ at, relay }) => relay === victim && at >= first);
      const down = later.find(({ health }) => health === 'down')?.at ?? Infinity;
      expect(first - died).toBeLessThan(1000);
      expect(later.map(({ health }) => health)).not.toContain('up');
      expect(down - first).toBeLessThanOrEqual(2000);
      expect(victim?.state.health).toBe('down');
    },
  );

  test('comes back by itself', () => {
    const lab = new Lab(loss, 1).run(10_000);
    for (const relay of lab.relays) relay.isAlive = false;
    lab.run(10_000);
    expect(lab.relays.map(({ state }) => state.health)).toEqual(['down', 'down', 'down', 'down']);
    for (const relay of lab.relays) relay.isAlive = true;
    lab.run(10_000);
    for (const { state } of lab.relays) expect(['up', 'falling']).toContain(state.health);
  });
});
