/** Media ports of a fake node, counted but not opened: even/odd pairs, handed out upwards from the last one. */
export class FakePorts {
  readonly #first: number;
  /** One byte per pair: 1 = taken. */
  readonly #taken: Uint8Array;
  #next = 0;
  #used = 0;

  /** Both ends belong to the range; a half pair at either end is not used. */
  constructor(
    readonly min: number,
    readonly max: number,
  ) {
    this.#first = min + (min % 2);
    this.#taken = new Uint8Array(Math.max(0, Math.floor((max + 1 - this.#first) / 2)));
  }

  /** Pairs not taken. */
  get free(): number {
    return this.#taken.length - this.#used;
  }

  /** Ports taken, two per pair. */
  get used(): number {
    return this.#used * 2;
  }

  /** The even port of a pair, the first one free after the last taken, or from `from` on; 0 if none is free. */
  take(from?: number): number {
    if (from !== undefined) this.#next = ((from - this.#first) / 2) % this.#taken.length;
    for (let tries = this.#taken.length; tries > 0 && this.free > 0; tries--) {
      const pair = this.#next;
      this.#next = (pair + 1) % this.#taken.length;
      if (this.#taken[pair] === 1) continue;
      this.#taken[pair] = 1;
      this.#used++;

      return this.#first + pair * 2;
    }

    return 0;
  }

  give(port: number): void {
    const pair = (port - this.#first) / 2;
    if (this.#taken[pair] !== 1) return;
    this.#taken[pair] = 0;
    this.#used--;
  }
}
