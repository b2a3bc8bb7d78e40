/** Looks after a Sippy rtpproxy (reference: rtpproxy-protocol 3.4, 3.5 and 9). */

import type { ControlSocket } from '../../domain/node.ts';
import type { Clock } from '../../util/clock.ts';
import type { Family } from '../../util/ip.ts';
import { CHECK_RETRANSMIT_MS, newCanary } from '../checks.ts';
import { RelayFailure, type RelayMonitor, type RelayStatistics } from '../driver.ts';
import { createRtpproxyClient, type RtpproxyClient, type RtpproxyClientOptions } from './client.ts';
import { deleteCommand, streamCommand } from './commands.ts';
import { failureOf, isError, readDone, readPort, unreadable } from './replies.ts';
import { CAPABILITIES, versionOf } from './versions.ts';

/** What V answers: the base protocol. */
const PROTOCOL = '20040107';
/** Lines of the reply to I. */
const TOTALS_LINES = 5;

/** The daemon's totals (I). */
interface Totals {
  readonly created: number;
  readonly active: number;
  readonly received: number;
  readonly sent: number;
}

export class RtpproxyMonitor implements RelayMonitor {
  readonly #client: RtpproxyClient;
  readonly #clock: Clock;
  /** Of the daemon as it runs now; null before it was asked. */
  #version: string | null = null;
  /** The last totals and when they came, monotonic ms. */
  #last: { readonly totals: Totals; readonly at: number } | undefined;

  /** `client` belongs to this monitor alone. */
  constructor(client: RtpproxyClient, clock: Clock) {
    this.#client = client;
    this.#clock = clock;
  }

  async ping(deadline: number): Promise<number | RelayFailure> {
    const from = this.#clock.monotonic();
    const reply = await this.#client.request('V', deadline);
    if (reply instanceof RelayFailure) {
      // It may come back as another release.
      this.#version = null;

      return reply;
    }
    if (reply === PROTOCOL) return this.#clock.monotonic() - from;

    return isError(reply) ? failureOf(reply) : unreadable(reply);
  }

  /** Sessions are counted by stream. Packets a second are those since the time before. Ports and errors the daemon does not tell. */
  async statistics(deadline: number): Promise<RelayStatistics | RelayFailure> {
    const [text, commands] = await Promise.all([
      this.#client.request('I', deadline, TOTALS_LINES),
      this.#client.request('G ncmds_rcvd', deadline),
    ]);
    if (text instanceof RelayFailure) return text;
    if (commands instanceof RelayFailure) return commands;
    const totals = readTotals(text);
    if (totals instanceof RelayFailure) return totals;
    const at = this.#clock.monotonic();
    const before = this.#last;
    this.#last = { totals, at };
    const hasRestarted = before !== undefined && totals.created < before.totals.created;
    if (this.#version === null || hasRestarted) this.#version = await this.#askVersion(deadline);
    const elapsedS = before === undefined ? 0 : (at - before.at) / 1000;
    const packets = before === undefined ? 0 : totals.received - before.totals.received;

    return {
      uptimeS: null,
      sessions: totals.active,
      growing: [
        totals.created,
        totals.received,
        totals.sent,
        ...(/^\d+$/.test(commands) ? [Number(commands)] : []),
      ],
      ports: null,
      packetsPerS: elapsedS > 0 && packets >= 0 ? Math.round(packets / elapsedS) : null,
      bytesPerS: null,
      errorsPerS: null,
      rejected: null,
      version: this.#version,
    };
  }

  async list(): Promise<RelayFailure> {
    return new RelayFailure('rejected', 'an rtpproxy does not tell which calls it has');
  }

  /** The port is given back also when nobody knows whether it was opened. */
  async canary(_address: string, family: Family, deadline: number): Promise<number | RelayFailure> {
    const from = this.#clock.monotonic();
    const name = newCanary();
    const tags = { offerer: 'canary' };
    const order = streamCommand({
      letter: 'U',
      name,
      n: 1,
      tags,
      // Addresses for documentation (RFC 5737, RFC 3849): nobody sends there.
      address: family === 'IP4' ? '192.0.2.1' : '2001:db8::1',
      family,
      port: 9,
      formats: [],
      socket: undefined,
    });
    // A third of the time is kept for the deletion.
    const reply = await this.#client.request(order, from + ((deadline - from) * 2) / 3);
    const opened = reply instanceof RelayFailure ? reply : readPort(reply, true);
    if (opened instanceof RelayFailure && !opened.isUncertain) return opened;
    const answer = await this.#client.request(deleteCommand(name, tags), deadline);
    const deleted = answer instanceof RelayFailure ? answer : readDone(answer);
    if (opened instanceof RelayFailure) return opened;
    if (deleted !== undefined) {
      return new RelayFailure(deleted.kind, `the test call ${name} was not deleted: ${deleted.reason}`);
    }

    return this.#clock.monotonic() - from;
  }

  async limitSessions(): Promise<RelayFailure> {
    return new RelayFailure(
      'rejected',
      'an rtpproxy has no limit that can be set; SIGHUP on its host makes it refuse new calls and end with the last one',
    );
  }

  close(): void {
    this.#client.close();
  }

  /** What the daemon can do tells about how old it is; null if it did not answer. */
  async #askVersion(deadline: number): Promise<string | null> {
    const replies = await Promise.all(
      CAPABILITIES.map((stamp) => this.#client.request(`VF ${stamp}`, deadline)),
    );
    if (replies.some((reply) => reply instanceof RelayFailure)) return null;

    return versionOf(CAPABILITIES.filter((_, index) => replies[index] === '1'));
  }
}

/** The monitor of one rtpproxy node. Opens its socket with the first check; `close` gives it back. */
export function createRtpproxyMonitor(
  address: ControlSocket,
  clock: Clock,
  options: RtpproxyClientOptions = {},
): RtpproxyMonitor {
  const client = createRtpproxyClient(address, clock, { retransmitMs: CHECK_RETRANSMIT_MS, ...options });

  return new RtpproxyMonitor(client, clock);
}

/** `name: value` lines; names differ in nothing between the versions. */
function readTotals(text: string): Totals | RelayFailure {
  if (isError(text)) return failureOf(text);
  const lines = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [, name = '', value = ''] = /^([a-z ]+): (\d+)$/.exec(line.trim()) ?? [];
    if (name !== '') lines.set(name, Number(value));
  }
  const created = lines.get('sessions created');
  const active = lines.get('active sessions');
  if (created === undefined || active === undefined) return unreadable(text);

  return {
    created,
    active,
    received: lines.get('packets received') ?? 0,
    sent: lines.get('packets transmitted') ?? 0,
  };
}
