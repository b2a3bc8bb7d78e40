/** From where requests came. Looked up when somebody wants to know: for every request it would cost calls some time. */

/** What a server knows of its requests. */
type Server = Pick<Bun.Server<undefined>, 'requestIP' | 'protocol'>;

export class Peers {
  readonly #local = new WeakSet<Request>();
  /** Requests of other servers than the first. */
  readonly #servers = new WeakMap<Request, Server>();
  /** What was received in place of a request that had to be written anew. */
  readonly #received = new WeakMap<Request, Request>();
  #first: Server | undefined;

  /** Whether a request came over the unix socket, whose file mode has already said who may. */
  isLocal(request: Request): boolean {
    return this.#local.has(request);
  }

  /** The IP address a request came from, IPv4 as such; '' over the unix socket, or if the client has gone. */
  addressOf(request: Request): string {
    const received = this.#received.get(request) ?? request;
    const address = (this.#servers.get(received) ?? this.#first)?.requestIP(received)?.address ?? '';

    // A socket for both families shows IPv4 so.
    return address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
  }

  /** Whether a request came with TLS to us. A proxy in front that speaks TLS itself is not seen. */
  isSecure(request: Request): boolean {
    const received = this.#received.get(request) ?? request;

    return this.#servers.get(received)?.protocol === 'https';
  }

  /** The server of all requests that nothing else is said of. */
  set first(server: Server) {
    this.#first = server;
  }

  /** Notes that a request came over the unix socket. */
  addLocal(request: Request): void {
    this.#local.add(request);
  }

  /** Notes which server a request came in by. */
  addFrom(server: Server, request: Request): void {
    this.#servers.set(request, server);
  }

  /** Notes that `copy` stands for `received`. */
  addCopy(copy: Request, received: Request): void {
    this.#received.set(copy, received);
  }
}
