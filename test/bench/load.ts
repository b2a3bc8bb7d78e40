/** Load: calls (offer, answer, delete) over keep-alive connections, and what they took. */

import type { Socket } from 'bun';

/** One HTTP connection that has one request under way at a time; much leaner than fetch, so that the server is measured. */
class Connection {
  #socket: Socket<undefined> | undefined;
  #resolve: ((status: number) => void) | undefined;
  #buffer = '';
  /** What the system has not taken yet. */
  #unsent = '';
  #isClosed = false;

  readonly #url: URL;

  constructor(url: URL) {
    this.#url = url;
  }

  /** Connects, again if the server has closed a connection that was idle for long. */
  async open(): Promise<this> {
    this.#socket = await Bun.connect({
      hostname: this.#url.hostname,
      port: Number(this.#url.port),
      socket: {
        data: (_, bytes) => this.#take(bytes.toString('latin1')),
        drain: () => this.#send(this.#unsent),
        close: () => this.#fail(),
        error: () => this.#fail(),
        end: () => this.#fail(),
      },
    });
    this.#isClosed = false;

    return this;
  }

  /** Sends a request; resolves to its status, 0 if the connection broke. */
  request(text: string): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    this.#resolve = resolve;
    if (this.#isClosed) resolve(0);
    else this.#send(text);

    return promise;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  #send(text: string): void {
    const written = this.#socket?.write(text) ?? 0;
    this.#unsent = text.slice(Math.max(0, written));
  }

  #fail(): void {
    this.#isClosed = true;
    this.#resolve?.(0);
  }

  close(): void {
    this.#socket?.end();
  }

  #take(text: string): void {
    this.#buffer += text;
    const head = this.#buffer.indexOf('\r\n\r\n');
    if (head === -1) return;
    const status = Number(this.#buffer.slice(9, 12));
    const length = Number(/content-length: (\d+)/i.exec(this.#buffer.slice(0, head))?.[1] ?? 0);
    if (this.#buffer.length < head + 4 + length) return;
    this.#buffer = '';
    this.#resolve?.(status);
  }
}

/** The requests of one call. */
export type CallRequests = readonly [offer: string, answer: string, end: string];
export type MakeCall = (callId: string) => CallRequests;

export interface LoadResult {
  readonly calls: number;
  /** Calls with an answer that was not 2xx. */
  readonly failed: number;
  /** Calls that were due while all connections were busy, and so were left out. */
  readonly leftOut: number;
  readonly seconds: number;
  /** Durations of single requests, ms, sorted. */
  readonly times: readonly number[];
}

const run = crypto.randomUUID().slice(0, 8);
let next = 0;

async function placeCall(connection: Connection, make: MakeCall, times: number[]): Promise<boolean> {
  let isGood = true;
  if (connection.isClosed) await connection.open();
  for (const request of make(`${run}-${next++}@bench`)) {
    const start = performance.now();
    const status = await connection.request(request);
    times.push(performance.now() - start);
    if (status < 200 || status > 299) isGood = false;
    if (status === 0) break;
  }

  return isGood;
}

/** As many calls as `inFlight` connections manage, one after the other on each. */
export async function closedLoop(
  url: URL,
  make: MakeCall,
  inFlight: number,
  seconds: number,
): Promise<LoadResult> {
  const connections = await connect(url, inFlight);
  const times: number[] = [];
  let [calls, failed] = [0, 0];
  const start = performance.now();
  const end = start + seconds * 1000;
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() < end) {
        if (await placeCall(connection, make, times)) calls++;
        else failed++;
      }
    }),
  );
  const took = (performance.now() - start) / 1000;
  for (const connection of connections) connection.close();

  return { calls, failed, leftOut: 0, seconds: took, times: times.sort((a, b) => a - b) };
}

/** Calls begun at a fixed rate, whatever the answers take; a late answer counts from when its call was due. */
export async function openLoop(url: URL, make: MakeCall, rate: number, seconds: number): Promise<LoadResult> {
  const free = await connect(url, 64);
  const all = [...free];
  const times: number[] = [];
  const running = new Set<Promise<void>>();
  let [calls, failed, leftOut] = [0, 0, 0];
  const start = performance.now();
  const total = rate * seconds;
  for (let begun = 0; begun < total; ) {
    const due = Math.min(total, Math.floor(((performance.now() - start) / 1000) * rate) + 1);
    for (; begun < due; begun++) {
      const connection = free.pop();
      if (connection === undefined) {
        leftOut++;
        continue;
      }
      const call = placeCall(connection, make, times).then((isGood) => {
        if (isGood) calls++;
        else failed++;
        free.push(connection);
      });
      running.add(call);
      call.then(() => running.delete(call));
    }
    await Bun.sleep(1);
  }
  await Promise.all(running);
  const took = (performance.now() - start) / 1000;
  for (const connection of all) connection.close();

  return { calls, failed, leftOut, seconds: took, times: times.sort((a, b) => a - b) };
}

function connect(url: URL, count: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: count }, () => new Connection(url).open()));
}

/** The value below which `share` of the sorted values lie. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
