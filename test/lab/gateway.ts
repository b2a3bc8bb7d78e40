/**
 * Stands for the cloud's 1:1 NAT on a machine that has only loopback: a relay is bound to its inner address; packets to
 * its outer address reach it, and what it sends to the outside arrives there from its outer address. Only addresses
 * change, never ports. A phone on the outside is known to the relays under an address of the gateway, which is what its
 * SDP says.
 */

import { openUdp } from './phone.ts';
import type { Endpoint } from './sdp.ts';

export class Gateway {
  /** Packets on their way in and out. */
  readonly passed = { in: 0, out: 0 };
  readonly #innerByOuter: ReadonlyMap<string, string>;
  readonly #outerByInner: ReadonlyMap<string, string>;
  readonly #address: string;
  readonly #sockets = new Map<string, Bun.udp.Socket<'buffer'>>();
  /** By the phone's own address and port: the socket that stands for it. */
  readonly #phones = new Map<string, Bun.udp.Socket<'buffer'>>();

  /**
   * @param relays outer to inner addresses
   * @param address under which the phones outside are known inside
   */
  constructor(relays: ReadonlyMap<string, string>, address: string) {
    this.#innerByOuter = relays;
    this.#outerByInner = new Map([...relays].map(([outer, inner]) => [inner, outer]));
    this.#address = address;
  }

  /** Whether an address can be reached from outside: the outer addresses of relays, nothing else. */
  readonly reaches = (address: string): boolean => this.#innerByOuter.has(address);

  /** Lets a phone outside be reached. Returns what to write into its SDP. */
  async admit(phone: Endpoint): Promise<Endpoint> {
    const socket = await openUdp(this.#address, 0, (bytes, port, address) => {
      const outer = this.#outerByInner.get(address);
      const exit = outer === undefined ? undefined : this.#sockets.get(name({ address: outer, port }));
      if (exit === undefined) return;
      this.passed.out++;
      exit.send(bytes, phone.port, phone.address);
    });
    this.#phones.set(name(phone), socket);

    return { address: this.#address, port: socket.port };
  }

  /** Opens the outer side of a relay's port. Addresses that are no relay's outer address lead nowhere. */
  async open(outer: Endpoint): Promise<void> {
    const inner = this.#innerByOuter.get(outer.address);
    if (inner === undefined || this.#sockets.has(name(outer))) return;
    const socket = await openUdp(outer.address, outer.port, (bytes, port, address) => {
      const phone = this.#phones.get(name({ address, port }));
      if (phone === undefined) return;
      this.passed.in++;
      phone.send(bytes, outer.port, inner);
    });
    this.#sockets.set(name(outer), socket);
  }

  close(): void {
    for (const socket of [...this.#sockets.values(), ...this.#phones.values()]) socket.close();
  }
}

function name({ address, port }: Endpoint): string {
  return `${address}:${port}`;
}
