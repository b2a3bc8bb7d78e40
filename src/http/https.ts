/**
 * The HTTP API with TLS. The runtime cannot change the certificate of a socket that listens, so a new one is opened beside
 * it; the old one asks its clients to come again for a moment, finishes what is under way, and is closed.
 */

import type { Certificate } from '../util/certificate.ts';
import { after } from '../util/clock.ts';
import { log } from '../util/log.ts';
import {
  CertificateFiles,
  type CertificateParts,
  type CertificatePaths,
  readCertificateFiles,
} from './certificate-files.ts';
import type { Peers } from './peers.ts';
import { type HttpApp, type HttpServer, LIMITS, ListenProblem, routable, stopAll } from './server.ts';

/** How long an old socket goes on beside the new one, ms: clients that ask in it lose no connection. */
const LEAVE_MS = 1000;
/** Old sockets that still finish requests; beyond, the oldest is cut. */
const MAX_OLD = 8;

export interface HttpsOptions {
  readonly host: string;
  /** 0 lets the system choose. */
  readonly port: number;
  readonly paths: CertificatePaths;
  readonly peers: Peers;
  /** Is told for which names the certificate in use is. */
  readonly onNames: (names: readonly string[]) => void;
}

/** One socket and its connections. */
interface Listener {
  readonly server: Bun.Server<undefined>;
  /** Whether answers close their connection. */
  isLeaving: boolean;
}

export class HttpsServer implements HttpServer {
  readonly #app: HttpApp;
  readonly #options: HttpsOptions;
  readonly #parts: CertificateParts;
  readonly #old = new Set<Listener>();
  readonly #files: CertificateFiles;
  #current: Listener;
  #isStopped = false;

  constructor(app: HttpApp, options: HttpsOptions, parts: CertificateParts, certificate: Certificate) {
    this.#app = app;
    this.#options = options;
    this.#parts = parts;
    // Alone at first: another program that has the port is told, instead of sharing it.
    const alone = Bun.serve({
      hostname: options.host,
      port: options.port,
      reusePort: false,
      fetch: () => new Response(),
    });
    const port = alone.port ?? options.port;
    void alone.stop(true);
    this.#current = this.#open(certificate, port);
    this.#files = new CertificateFiles(options.paths, certificate, parts, (next) => this.#take(next));
    options.onNames(certificate.names);
    log.info('https.listening', { host: options.host, port });
    this.#files.start();
  }

  /** The port in use. */
  get port(): number {
    return this.#current.server.port ?? 0;
  }

  /** UTC ms at which the certificate in use expires. */
  get notAfter(): number {
    return this.#files.notAfter;
  }

  /**
   * Reads the files again, or others; they are looked at every 10 s anyway.
   * @returns why they cannot be used, for the operator; the old certificate then stays
   */
  reloadCertificate(paths: CertificatePaths): Promise<string | undefined> {
    return this.#files.reload(paths);
  }

  async stop(graceMs: number): Promise<void> {
    this.#isStopped = true;
    this.#files.stop();
    await stopAll(
      [this.#current, ...this.#old].map(({ server }) => server),
      graceMs,
    );
  }

  #take(certificate: Certificate): string | undefined {
    if (this.#isStopped) return 'the program is stopping';
    const before = this.#current;
    try {
      this.#current = this.#open(certificate, this.port);
    } catch (error) {
      return `a socket with the new certificate cannot be opened: ${messageOf(error)}`;
    }
    this.#options.onNames(certificate.names);
    void this.#leave(before);

    return undefined;
  }

  async #leave(listener: Listener): Promise<void> {
    listener.isLeaving = true;
    this.#old.add(listener);
    const [oldest] = this.#old;
    if (this.#old.size > MAX_OLD && oldest !== undefined) {
      this.#old.delete(oldest);
      void oldest.server.stop(true);
    }
    await after(this.#parts.clock, LEAVE_MS);
    // An event stream may take as long as its client likes.
    await listener.server.stop();
    this.#old.delete(listener);
  }

  #open(certificate: Certificate, port: number): Listener {
    const { host, peers } = this.#options;
    const app = this.#app;
    const listener: Listener = {
      isLeaving: false,
      server: Bun.serve({
        hostname: host,
        port,
        // With its successor, for a moment.
        reusePort: true,
        ...LIMITS,
        tls: { cert: certificate.cert, key: certificate.key },
        async fetch(received, server) {
          const request = routable(received, peers);
          peers.addFrom(server, received);
          const response = await app.fetch(request);
          if (listener.isLeaving) response.headers.set('Connection', 'close');

          return response;
        },
      }),
    };

    return listener;
  }
}

/** Opens the API with TLS; the message of a problem is for the operator. */
export async function listenHttps(
  app: HttpApp,
  options: HttpsOptions,
  parts: CertificateParts,
): Promise<HttpsServer | ListenProblem> {
  const certificate = await readCertificateFiles(options.paths);
  if (typeof certificate === 'string')
    return new ListenProblem(`no TLS without a certificate: ${certificate}`);
  try {
    return new HttpsServer(app, options, parts, certificate);
  } catch (error) {
    return new ListenProblem(
      `cannot listen on ${options.host} port ${options.port}: ${messageOf(error)}; https.listen says where to listen with TLS`,
    );
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
