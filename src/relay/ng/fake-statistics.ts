/** The `statistics` reply of the fake node, in the shape of rtpengine 10.5 (reference: ng-protocol 9). */

import type { Clock } from '../../util/clock.ts';
import type { NgDict, NgValue } from '../driver.ts';
import type { FakePorts } from '../fake/ports.ts';
import { newDict } from './bencode.ts';

/** ng commands, each with the short form it has in the counters of the control clients. */
const COMMANDS: readonly (readonly [string, string])[] = [
  ['ping', 'ping'],
  ['offer', 'offer'],
  ['answer', 'answer'],
  ['delete', 'delete'],
  ['query', 'query'],
  ['list', 'list'],
  ['start recording', 'startrec'],
  ['stop recording', 'stoprec'],
  ['start forwarding', 'startfwd'],
  ['stop forwarding', 'stopfwd'],
  ['block DTMF', 'blkdtmf'],
  ['unblock DTMF', 'unblkdtmf'],
  ['block media', 'blkmedia'],
  ['unblock media', 'unblkmedia'],
  ['play media', 'playmedia'],
  ['stop media', 'stopmedia'],
  ['play DTMF', 'playdtmf'],
  ['statistics', 'stats'],
  ['silence media', 'slnmedia'],
  ['unsilence media', 'unslnmedia'],
  ['publish', 'pub'],
  ['subscribe request', 'subreq'],
  ['subscribe answer', 'subans'],
  ['unsubscribe', 'unsub'],
];

/** Client addresses counted apart; the reply grows by 1.1 kB for each. */
const MAX_CLIENTS = 16;

interface ClientCounts {
  readonly commands: Map<string, number>;
  errors: number;
}

export class FakeStatistics {
  /** New calls refused because of the session limit. */
  rejected = 0;
  readonly #clock: Clock;
  readonly #clients = new Map<string, ClientCounts>();
  #startedAt: number;
  #managed = 0;
  #durationSec = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
  }

  /** A command was handled for the client at this address. */
  count(command: string, client: string, isError: boolean): void {
    let counts = this.#clients.get(client);
    if (counts === undefined) {
      if (this.#clients.size >= MAX_CLIENTS) return;
      counts = { commands: new Map(), errors: 0 };
      this.#clients.set(client, counts);
    }
    if (isError) counts.errors++;
    else counts.commands.set(command, (counts.commands.get(command) ?? 0) + 1);
  }

  /** A call ended after this many milliseconds. */
  ended(durationMs: number): void {
    this.#managed++;
    this.#durationSec += durationMs / 1000;
  }

  clear(): void {
    this.rejected = 0;
    this.#managed = 0;
    this.#durationSec = 0;
    this.#clients.clear();
    this.#startedAt = this.#clock.monotonic();
  }

  report(calls: number, address: string, ports: FakePorts): NgDict {
    const totals = ports.max - ports.min + 1;
    const uptime = Math.floor((this.#clock.monotonic() - this.#startedAt) / 1000);

    return {
      currentstatistics: {
        sessionsown: calls,
        sessionsforeign: 0,
        sessionstotal: calls,
        ...zeros(
          'transcodedmedia packetrate_user byterate_user errorrate_user packetrate_kernel byterate_kernel ' +
            'errorrate_kernel packetrate byterate errorrate media_userspace media_kernel media_mixed',
        ),
      },
      totalstatistics: {
        uptime: String(uptime),
        managedsessions: this.#managed,
        rejectedsessions: this.rejected,
        ...zeros('timeoutsessions silenttimeoutsessions finaltimeoutsessions offertimeoutsessions'),
        regularterminatedsessions: this.#managed,
        ...zeros(
          'forcedterminatedsessions relayedpackets_user relayedpacketerrors_user relayedbytes_user ' +
            'relayedpackets_kernel relayedpacketerrors_kernel relayedbytes_kernel relayedpackets relayedpacketerrors ' +
            'relayedbytes zerowaystreams onewaystreams',
        ),
        avgcallduration: decimal(this.#managed === 0 ? 0 : this.#durationSec / this.#managed),
        totalcallsduration: decimal(this.#durationSec),
        totalcallsduration2: decimal(0),
        totalcallsduration_stddev: decimal(0),
      },
      intervalstatistics: intervals(),
      mos: {
        mos_total: decimal(0),
        mos2_total: decimal(0),
        mos_samples_total: 0,
        mos_average: decimal(0),
        mos_stddev: decimal(0),
      },
      controlstatistics: this.#control(),
      interfaces: [
        {
          name: 'default',
          address,
          ports: {
            min: ports.min,
            max: ports.max,
            used: ports.used,
            used_pct: totals > 0 ? ((100 * ports.used) / totals).toFixed(2) : '0.00',
            free: totals - ports.used,
            totals,
            last: 0,
          },
        },
      ],
      transcoders: [],
    };
  }

  #control(): NgDict {
    const sums = newDict();
    const proxies: NgValue[] = [];
    for (const [proxy, counts] of this.#clients) {
      const entry = newDict();
      entry.proxy = proxy;
      for (const [command, short] of COMMANDS) {
        entry[`${short}count`] = counts.commands.get(command) ?? 0;
        entry[`${short}duration`] = decimal(0);
      }
      entry.errorcount = counts.errors;
      proxies.push(entry);
    }
    for (const [command, short] of COMMANDS) {
      let sum = 0;
      for (const counts of this.#clients.values()) sum += counts.commands.get(command) ?? 0;
      sums[`total${short}count`] = sum;
    }

    return { proxies, ...sums };
  }
}

/** Minimum, maximum and average per command; a fake has none to tell. */
function intervals(): NgDict {
  const dict = newDict();
  dict.totalcallsduration = decimal(0);
  dict.minmanagedsessions = 0;
  dict.maxmanagedsessions = 0;
  for (const [ending, value] of [
    ['delay', '0.000000'],
    ['requestrate', '0'],
  ] as const) {
    for (const [command] of COMMANDS) {
      for (const start of ['min', 'max', 'avg']) dict[`${start}${command}${ending}`] = value;
    }
  }

  return dict;
}

function zeros(names: string): NgDict {
  return Object.fromEntries(names.split(' ').map((name) => [name, 0]));
}

/** Fractions are strings with six decimals. */
function decimal(value: number): string {
  return value.toFixed(6);
}
