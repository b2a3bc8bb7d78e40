/**
 * Two SIP proxies, one at each door, that place calls all the time and ask again for two seconds when nobody answers: what they
 * lose, a caller loses. A program of its own, since it has to run in the network of a machine:
 *
 *     bun traffic.ts CALLS_PER_SECOND    places so many calls at each door until its input ends, then prints a Report as JSON
 */

import { answer, hangUp, offer } from './client.ts';
import { answerOf, NgClient, offerOf, read, shown } from './ng-client.ts';

const URL = 'http://127.0.0.1:7888';
const NG_PORT = 2223;
/** How long a proxy goes on asking, ms. */
const PATIENCE_MS = 2000;
/** How long it waits for an answer before it asks again, ms: `rtpengine_tout_ms` of the documents. */
const TRY_MS = 500;
/** After it was told that nobody listens, ms. */
const PAUSE_MS = 100;
/** How long a call lasts once it is answered, ms. */
const TALK_MS = 500;
/** Of each kind of complaint, in the report. */
const MAX_COMPLAINTS = 5;

export interface DoorReport {
  readonly requests: number;
  /** Requests that had to be repeated. */
  readonly retried: number;
  /** Requests nobody answered in time, and those that were refused. */
  readonly lost: number;
  /** Calls whose answer showed another address than their offer. */
  readonly moved: number;
  /** Of the lost, those that failed because relays did not answer in time: they run on a machine that is busy with the upgrade. */
  readonly silent: number;
  /** What was said about the other lost ones. */
  readonly complaints: readonly string[];
  /** Longest time without any answer, ms. */
  readonly pauseMs: number;
  /** Longest time a request took, repetitions included, ms. */
  readonly longestMs: number;
}

export interface Report {
  readonly http: DoorReport;
  readonly ng: DoorReport;
}

/** Of the requests, that relays may leave unanswered before it is a complaint. */
const MOST_SILENT = 0.1;

/** Nothing lost and no call moved, or what went wrong: a list to compare with the empty one. */
export function complaintsOf({ http, ng }: Report): readonly string[] {
  return [http, ng].flatMap(({ complaints, moved, silent, requests }) => [
    ...complaints,
    ...(silent <= MOST_SILENT * requests ? [] : [`${silent} requests without an answer of their relay`]),
    ...(moved === 0 ? [] : [`${moved} calls moved`]),
  ]);
}

/** A report in one line, for a person. */
export function figuresOf({ http, ng }: Report): string {
  const line = (name: string, door: DoorReport): string =>
    `${name} pause ${door.pauseMs} ms, longest ${door.longestMs} ms, ${door.retried} of ${door.requests} repeated, ${door.lost} lost${door.silent === 0 ? '' : ` (${door.silent} by silent relays)`}`;

  return `${line('HTTP', http)}; ${line('ng', ng)}`;
}

/** One try: the address that was shown, if any; undefined if nobody answered; an error for a refusal. */
type Try = () => Promise<string | undefined>;

/** The three requests of a call. A try that is repeated is the same request. */
interface Requests {
  readonly offer: Try;
  readonly answer: Try;
  readonly hangUp: Try;
}

class Caller {
  readonly #requestsOf: (callId: string) => Requests;
  #requests = 0;
  #retried = 0;
  #lost = 0;
  #moved = 0;
  #silent = 0;
  readonly #complaints: string[] = [];
  #pauseMs = 0;
  #longestMs = 0;
  #answeredAt: number | undefined;

  constructor(requestsOf: (callId: string) => Requests) {
    this.#requestsOf = requestsOf;
  }

  get report(): DoorReport {
    return {
      requests: this.#requests,
      retried: this.#retried,
      lost: this.#lost,
      moved: this.#moved,
      silent: this.#silent,
      complaints: this.#complaints,
      pauseMs: Math.round(this.#pauseMs),
      longestMs: Math.round(this.#longestMs),
    };
  }

  async call(callId: string): Promise<void> {
    const requests = this.#requestsOf(callId);
    const offered = await this.#request('offer', requests.offer);
    if (offered === undefined) return;
    const answered = await this.#request('answer', requests.answer);
    if (answered !== undefined && nodeOf(answered) !== nodeOf(offered)) this.#moved++;
    await Bun.sleep(TALK_MS);
    await this.#request('delete', requests.hangUp);
  }

  async #request(name: string, attempt: Try): Promise<string | undefined> {
    const startedAt = performance.now();
    this.#requests++;
    for (let tries = 0; performance.now() - startedAt < PATIENCE_MS; tries++) {
      if (tries === 1) this.#retried++;
      try {
        const shownAddress = await attempt();
        if (shownAddress !== undefined) {
          this.#note(startedAt);

          return shownAddress;
        }
      } catch (error) {
        return this.#lose(`${name}: ${error}`);
      }
    }

    return this.#lose(`${name}: no answer within ${PATIENCE_MS} ms`);
  }

  #note(startedAt: number): void {
    const now = performance.now();
    this.#longestMs = Math.max(this.#longestMs, now - startedAt);
    if (this.#answeredAt !== undefined) this.#pauseMs = Math.max(this.#pauseMs, now - this.#answeredAt);
    this.#answeredAt = now;
  }

  #lose(complaint: string): undefined {
    this.#lost++;
    if (complaint.includes('RTPC_RELAY_SILENT')) this.#silent++;
    else if (this.#complaints.length < MAX_COMPLAINTS) this.#complaints.push(complaint);
  }
}

/** Nodes of the lab have the same last byte on both sides. */
function nodeOf(address: string): string {
  return address.split('.').at(-1) ?? '';
}

function overHttp(callId: string): Requests {
  const attempt = (ask: typeof offer): Try => {
    let isRepeated = false;

    return async () => {
      const given = await Promise.race([
        ask(URL, callId).catch(() => undefined),
        Bun.sleep(TRY_MS).then(() => undefined),
      ]);
      if (given === undefined || given.status === 503) {
        isRepeated = true;
        await Bun.sleep(PAUSE_MS);

        return undefined;
      }
      // The first one has done it, and only its answer was lost (docs/errors.md, RTPC_CALL_UNKNOWN).
      if (ask === hangUp && isRepeated && given.status === 404) return '';
      if (given.status !== 200) throw new Error(`${given.status} ${given.text}`);
      const { sdp } = given.body;

      return typeof sdp === 'string' ? shown({ result: 'ok', sdp }) : '';
    };
  };

  return { offer: attempt(offer), answer: attempt(answer), hangUp: attempt(hangUp) };
}

function overNg(client: NgClient, callId: string): Requests {
  const attempt = (message: ReturnType<typeof offerOf>): Try => {
    const cookie = client.cookie();

    return async () => {
      const refusals = client.refused;
      client.send(cookie, message);
      const replies = await client.heard(cookie, 1, TRY_MS).catch(() => undefined);
      if (replies === undefined) {
        if (client.refused > refusals) await Bun.sleep(PAUSE_MS);

        return undefined;
      }
      const reply = read(replies[0] ?? '');

      return reply.sdp === undefined && reply.result === 'ok' ? '' : shown(reply);
    };
  };
  const end = { command: 'delete', 'call-id': callId, 'from-tag': 'caller' };

  return { offer: attempt(offerOf(callId)), answer: attempt(answerOf(callId)), hangUp: attempt(end) };
}

if (import.meta.main) {
  const rate = Number(process.argv[2]);
  const client = await NgClient.connect({ port: NG_PORT });
  const proxies = { http: new Caller(overHttp), ng: new Caller((callId) => overNg(client, callId)) };
  const calls = new Set<Promise<void>>();
  const timer = setInterval(() => {
    for (const [door, proxy] of Object.entries(proxies)) {
      const call = proxy.call(`${crypto.randomUUID()}@${door}`).finally(() => calls.delete(call));
      calls.add(call);
    }
  }, 1000 / rate);
  for await (const _ of Bun.stdin.stream());
  clearInterval(timer);
  await Promise.all(calls);
  console.log(JSON.stringify({ http: proxies.http.report, ng: proxies.ng.report }));
  process.exit(0);
}
