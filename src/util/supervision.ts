/** Keeps the supervisor up to date: ready, reloading, stopping, a line of status, and that we are alive. */

import type { Clock } from './clock.ts';
import type { Systemd } from './systemd.ts';

/** The line of status is written at most so often, ms: each one wakes process 1. */
export const STATUS_MS = 5000;
/**
 * How often in an interval of the watchdog we try to show that we are alive. Half of it would not do: on a slow disk a proof
 * takes some seconds, and the next one begins only after it.
 */
const BEATS = 4;

export interface SupervisionParts {
  readonly systemd: Systemd;
  readonly clock: Clock;
  /** How things are, in one line. */
  readonly status: () => string;
  /** Resolves when a piece of the real work has come to its end, well or not; never if it hangs. */
  readonly prove: () => Promise<void>;
}

export class Supervision {
  readonly #parts: SupervisionParts;
  #told = '';
  #isProving = false;
  #isStopping = false;
  #timers: (() => void)[] = [];

  constructor(parts: SupervisionParts) {
    this.#parts = parts;
  }

  /** The start is done: says so, and from now on how things are. */
  start(): void {
    const { systemd, clock } = this.#parts;
    if (!systemd.isPresent) return;
    this.#ready();
    this.#timers = [clock.every(STATUS_MS, () => this.#refresh())];
    if (systemd.watchdogMs !== undefined)
      this.#timers.push(clock.every(Math.max(1, systemd.watchdogMs / BEATS), () => this.#beat()));
  }

  /** Runs a reload, and says so before and after; none while stopping. */
  reload(run: () => void): void {
    // Who is told to stop and to reload stops.
    if (this.#isStopping) return;
    this.#parts.systemd.reloading();
    run();
    this.#ready();
  }

  /**
   * The stop begins: says so, and nothing more.
   * @param withinMs how long it may take
   */
  stop(withinMs: number): void {
    this.#isStopping = true;
    for (const stop of this.#timers.splice(0)) stop();
    this.#parts.systemd.stopping('stopping', withinMs);
  }

  #ready(): void {
    this.#told = this.#parts.status();
    this.#parts.systemd.ready(this.#told);
  }

  #refresh(): void {
    const status = this.#parts.status();
    if (status === this.#told) return;
    this.#told = status;
    this.#parts.systemd.status(status);
  }

  /** That this runs shows that the event loop turns; the rest must be shown too before we are called alive. */
  #beat(): void {
    if (this.#isProving) return;
    this.#isProving = true;
    void this.#parts.prove().then(() => {
      this.#isProving = false;
      if (!this.#isStopping) this.#parts.systemd.alive();
    });
  }
}
