/** A bad network in front of one relay: a UDP port that passes datagrams on, later or not at all. */

/** Clients at a time; the appliance has a few sockets for each node. */
const MAX_CLIENTS = 64;

type UdpSocket = Bun.udp.Socket<'buffer'>;

export class Forwarder {
  /** Time by which replies come later, ms. */
  delayMs = 0;
  /** Share of datagrams lost in each direction, 0 to 1. */
  loss = 0;
  /** By address and port of the client: the socket that stands for it towards the relay. */
  readonly #clients = new Map<string, Promise<UdpSocket>>();
  #front: UdpSocket | undefined;

  private constructor(
    readonly host: string,
    readonly relayPort: number,
  ) {}

  /** Listens on a port of `host`, behind which a relay is at `relayPort`. */
  static async start(host: string, port: number, relayPort: number): Promise<Forwarder> {
    const forwarder = new Forwarder(host, relayPort);
    forwarder.#front = await Bun.udpSocket({
      hostname: host,
      port,
      socket: { data: (_, bytes, fromPort, from) => void forwarder.#toRelay(bytes, from, fromPort) },
    });

    return forwarder;
  }

  async stop(): Promise<void> {
    this.#front?.close();
    for (const socket of await Promise.all(this.#clients.values())) socket.close();
  }

  async #toRelay(bytes: Buffer, from: string, fromPort: number): Promise<void> {
    if (Math.random() < this.loss) return;
    const name = `${from}:${fromPort}`;
    let socket = this.#clients.get(name);
    if (socket === undefined) {
      if (this.#clients.size >= MAX_CLIENTS) return;
      socket = Bun.udpSocket({
        hostname: this.host,
        port: 0,
        socket: { data: (_, reply) => this.#toClient(Buffer.from(reply), from, fromPort) },
      });
      this.#clients.set(name, socket);
    }
    const copy = Buffer.from(bytes);
    (await socket).send(copy, this.relayPort, this.host);
  }

  #toClient(bytes: Buffer, to: string, toPort: number): void {
    if (Math.random() < this.loss) return;
    const send = (): void => void this.#front?.send(bytes, toPort, to);
    if (this.delayMs === 0) send();
    else setTimeout(send, this.delayMs);
  }
}
