/** Media ports of a fake rtpproxy: one row of numbers for each family, in order, and each address has them all (option `-b`). */

import { FakePorts } from '../fake/ports.ts';
import type { Place } from './fake-addresses.ts';

export class FakePortTable {
  readonly #byPlace = new Map<Place, FakePorts>();
  readonly #next = { IP4: 0, IP6: 0 };

  /** Both ends belong to the range. */
  constructor(
    readonly min: number,
    readonly max: number,
  ) {
    this.clear();
  }

  /** Ports taken, two per pair. */
  get used(): number {
    let used = 0;
    for (const ports of this.#byPlace.values()) used += ports.used;

    return used;
  }

  /** The even port of a pair, 0 if there is none. An address the host does not have costs a pair, as a failed bind does. */
  take(place: Place): number {
    const next = this.#next[place.family];
    if (!place.isLocal) {
      this.#next[place.family] = next + 2;

      return 0;
    }
    let ports = this.#byPlace.get(place);
    if (ports === undefined) {
      ports = new FakePorts(this.min, this.max);
      this.#byPlace.set(place, ports);
    }
    const port = ports.take(next);
    if (port !== 0) this.#next[place.family] = port + 2;

    return port;
  }

  give(place: Place, port: number): void {
    this.#byPlace.get(place)?.give(port);
  }

  clear(): void {
    this.#byPlace.clear();
    this.#next.IP4 = this.#next.IP6 = this.min + (this.min % 2);
  }
}
