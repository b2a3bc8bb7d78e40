/** Time as the rest of the program sees it. Tests pass a clock of their own and never sleep. */
export interface Clock {
  /** Milliseconds from an arbitrary start; never goes backwards. For time-outs and durations. */
  monotonic(): number;
  /** UTC milliseconds since 1970. For records and logs. */
  utc(): number;
  /** Calls `run` every `ms` milliseconds until the returned function is called. Never keeps the process alive. */
  every(ms: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  monotonic: () => performance.now(),
  utc: () => Date.now(),
  every(ms, run) {
    const timer = setInterval(run, ms);
    timer.unref();

    return () => clearInterval(timer);
  },
};

/** Resolves after `ms` milliseconds. */
export function after(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const stop = clock.every(Math.max(1, ms), () => {
      stop();
      resolve();
    });
  });
}

/** UTC ms as people read it: `2026-11-23T14:00:00.000Z`. */
export function isoTime(utc: number): string {
  return new Date(utc).toISOString();
}

/** Lets all others have their turn of the event loop: for long work in slices. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
