/** Looks after a Sipwise rtpengine. */

import type { SocketAddress } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import { type Family, sameAddress } from '../../util/ip.ts';
import { CHECK_RETRANSMIT_MS, newCanary } from '../checks.ts';
import {
  type MediaRequest,
  type NgDict,
  RelayFailure,
  type RelayMonitor,
  type RelayStatistics,
} from '../driver.ts';
import type { DatagramOptions } from '../wire/datagram-client.ts';
import { isDict } from './bencode.ts';
import { createNgDriver, type NgDriver } from './driver.ts';
import { NgHttp } from './http.ts';
import { failureIn } from './message.ts';
import { readStatistics } from './statistics.ts';

/** Calls listed at most where there is only UDP: with Call-IDs of up to 62 bytes they fit into a datagram (ng-protocol 9). */
export const MAX_UDP_LIST = 1000;
/** Largest limit rtpengine can hold, a C int. */
const MAX_LIMIT = 2_147_483_647;

export interface NgMonitorOptions extends DatagramOptions {
  /** TCP port of `listen-http` at the address of the ng port; null = there is none. */
  readonly httpPort: number | null;
}

export class NgMonitor implements RelayMonitor {
  readonly #driver: NgDriver;
  readonly #http: NgHttp | null;
  readonly #clock: Clock;
  #httpTrouble: string | null = null;

  /** `driver` and `http` belong to this monitor alone. */
  constructor(driver: NgDriver, http: NgHttp | null, clock: Clock) {
    this.#driver = driver;
    this.#http = http;
    this.#clock = clock;
  }

  get httpTrouble(): string | null {
    return this.#httpTrouble;
  }

  async ping(deadline: number): Promise<number | RelayFailure> {
    const from = this.#clock.monotonic();
    const reply = await this.#driver.ping(deadline);

    return reply instanceof RelayFailure ? reply : this.#clock.monotonic() - from;
  }

  async statistics(deadline: number): Promise<RelayStatistics | RelayFailure> {
    const message = { command: 'statistics' };
    const reply = (await this.#overHttp(message, deadline)) ?? (await this.#overUdp(message, deadline));
    if (reply instanceof RelayFailure) return reply;

    return isDict(reply.statistics)
      ? readStatistics(reply.statistics)
      : new RelayFailure('garbled', 'the reply has no statistics');
  }

  /**
   * Over UDP at most `MAX_UDP_LIST` calls can be listed, since rtpengine never sends a longer reply. Where there are more and `limit`
   * allows them, this fails as `too-large` rather than to pass a part for the whole.
   */
  async list(limit: number, deadline: number): Promise<readonly string[] | RelayFailure> {
    const whole = await this.#overHttp({ command: 'list', limit }, deadline);
    if (whole !== undefined) return readList(whole);
    const most = Math.min(limit, MAX_UDP_LIST);
    const calls = readList(await this.#overUdp({ command: 'list', limit: most }, deadline));
    if (calls instanceof RelayFailure || calls.length < most || most === limit) return calls;

    return new RelayFailure(
      'too-large',
      `the node has ${most} calls or more, too many to list over UDP: give it an http_port (listen-http of rtpengine)`,
    );
  }

  /** The call is deleted also when the offer failed: some versions keep what they refused (ng-protocol 3.1). */
  async canary(address: string, family: Family, deadline: number): Promise<number | RelayFailure> {
    const from = this.#clock.monotonic();
    const callId = newCanary();
    // A third of the time is kept for the deletion.
    const offered = await this.#driver.offer(
      canaryOffer(callId, address, family),
      from + ((deadline - from) * 2) / 3,
    );
    const deleted = await this.#driver.delete({ callId }, deadline);
    const failure = offered instanceof RelayFailure ? offered : whatIsWrong(offered.sdp, address);
    if (deleted instanceof RelayFailure) {
      const { kind, reason } = failure ?? deleted;
      const also = failure === undefined ? '' : `: ${deleted.reason}`;

      return new RelayFailure(kind, `${reason}; the test call ${callId} was not deleted${also}`);
    }

    return failure ?? this.#clock.monotonic() - from;
  }

  /** Over HTTP where there is a port, else over ng, which takes such commands from 13.3 on (ng-protocol 4). */
  async limitSessions(
    limit: number | null,
    deadline: number,
  ): Promise<{ before: number | null } | RelayFailure> {
    if (limit !== null && !(Number.isInteger(limit) && limit >= 0 && limit <= MAX_LIMIT)) {
      return new RelayFailure(
        'rejected',
        `the limit is ${limit}; allowed are whole numbers from 0 to ${MAX_LIMIT}`,
      );
    }
    const before = await this.#sessionLimit(deadline);
    if (before instanceof RelayFailure) return before;
    if (before !== limit) {
      const said = await this.#cli(`set maxsessions ${limit ?? -1}`, deadline);
      if (said instanceof RelayFailure) return said;
      const now = await this.#sessionLimit(deadline);
      if (now instanceof RelayFailure) return now;
      if (now !== limit) {
        return new RelayFailure('rejected', `the relay did not set its limit: ${said.slice(0, 200)}`);
      }
    }

    return { before };
  }

  close(): void {
    this.#driver.close();
    this.#http?.close();
  }

  /** Undefined where there is no HTTP or none that works: UDP has the other half of the time then. */
  async #overHttp(message: NgDict, deadline: number): Promise<NgDict | RelayFailure | undefined> {
    if (this.#http === null) return undefined;
    const now = this.#clock.monotonic();
    const reply = await this.#http.ng(message, now + (deadline - now) / 2);
    this.#httpTrouble = reply instanceof RelayFailure ? reply.reason : null;
    if (reply instanceof RelayFailure) return undefined;

    return failureIn(reply) ?? reply;
  }

  async #overUdp(message: NgDict, deadline: number): Promise<NgDict | RelayFailure> {
    const reply = await this.#driver.ask(message, deadline);
    // A node that answers neither way is down; that says nothing of its HTTP port.
    if (reply instanceof RelayFailure && reply.isUncertain) this.#httpTrouble = null;

    return reply;
  }

  /** The limit in force; null = none. */
  async #sessionLimit(deadline: number): Promise<number | null | RelayFailure> {
    const said = await this.#cli('list maxsessions', deadline);
    if (said instanceof RelayFailure) return said;
    // "Maximum sessions configured on rtpengine: -1"; the same words in 10.5 and 26.3.
    const limit = /^Maximum sessions [^:]*: (-?\d{1,10})$/.exec(said)?.[1];
    if (limit === undefined)
      return new RelayFailure('garbled', `the relay does not tell its limit: ${said.slice(0, 200)}`);

    return Number(limit) < 0 ? null : Number(limit);
  }

  async #cli(command: string, deadline: number): Promise<string | RelayFailure> {
    if (this.#http !== null) return this.#http.cli(command, deadline);
    const reply = await this.#driver.ask({ command: 'cli', body: command }, deadline);
    if (reply instanceof RelayFailure) {
      if (reply.kind !== 'rejected') return reply;

      return new RelayFailure(
        'rejected',
        `this relay takes no CLI commands over ng, which came with 13.3 (${reply.reason}): give the node an http_port (listen-http of rtpengine)`,
      );
    }

    return typeof reply.response === 'string'
      ? reply.response.trim()
      : new RelayFailure('garbled', 'the reply has no response of the CLI');
  }
}

/** The monitor of one rtpengine node. Opens its socket with the first check; `close` gives it back. */
export function createNgMonitor(address: SocketAddress, clock: Clock, options: NgMonitorOptions): NgMonitor {
  const { httpPort, ...client } = options;
  const driver = createNgDriver(address, clock, { retransmitMs: CHECK_RETRANSMIT_MS, ...client });
  const http = httpPort === null ? null : new NgHttp({ host: address.host, port: httpPort }, clock);

  return new NgMonitor(driver, http, clock);
}

function readList(reply: NgDict | RelayFailure): string[] | RelayFailure {
  if (reply instanceof RelayFailure) return reply;
  const { calls } = reply;
  if (!Array.isArray(calls)) return new RelayFailure('garbled', 'the reply has no list of calls');

  return calls.filter((call) => typeof call === 'string');
}

/** One audio stream that nobody sends; the phone's address is one for documentation (RFC 5737, RFC 3849). */
function canaryOffer(callId: string, address: string, family: Family): MediaRequest {
  const phone = `IN ${family} ${family === 'IP4' ? '192.0.2.1' : '2001:db8::1'}`;
  const lines = [
    'v=0',
    `o=- 1 1 ${phone}`,
    's=-',
    `c=${phone}`,
    't=0 0',
    'm=audio 9 RTP/AVP 8',
    'a=inactive',
    '',
  ];

  return { callId, fromTag: 'canary', sdp: lines.join('\r\n'), address, family, isNew: true, extra: {} };
}

function whatIsWrong(sdp: string, address: string): RelayFailure | undefined {
  const shown = /^c=IN IP[46] (\S+)/m.exec(sdp)?.[1];
  if (shown === undefined || !/^m=audio [1-9]/m.test(sdp)) {
    return new RelayFailure('garbled', 'the SDP of the test call has no address or no port');
  }

  return sameAddress(shown, address)
    ? undefined
    : new RelayFailure('garbled', `the SDP of the test call shows ${shown}; asked for was ${address}`);
}
