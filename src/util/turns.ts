/** Long work of many, one slice in each turn of the event loop: that many ask at once makes none of the turns longer. */

/** Lets one of many have each turn of the event loop, in the order in which they ask. */
export class Turns {
  #last = Promise.resolve();

  next(): Promise<void> {
    this.#last = this.#last.then(() => new Promise((resolve) => setImmediate(resolve)));

    return this.#last;
  }
}
