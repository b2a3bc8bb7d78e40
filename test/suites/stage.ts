/** What the suite for relay drivers stands on: relays of any kind that can be started and harmed, and calls between two parties. */

import { expect, test } from 'bun:test';
import {
  type DeleteResult,
  type MediaReply,
  type MediaRequest,
  type NgDict,
  type RelayDriver,
  RelayFailure,
  type RelayMonitor,
} from '../../src/relay/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { familyOf } from '../../src/util/ip.ts';
import { poll } from '../lab/processes.ts';
import { mustBe } from '../lab/rtpengine.ts';
import { readSdp } from '../lab/sdp.ts';

/** One relay under test. Its media addresses are 127.0.0.1 and ::1. */
export interface Relay {
  readonly driver: RelayDriver;
  readonly monitor: RelayMonitor;
  /** Whether it runs and answers. */
  readonly isUp: boolean;
  /** Ends it without a word, calls and all: nobody listens there any more. */
  kill(): Promise<void>;
  /** Begins anew where it was, with nothing. */
  revive(): Promise<void>;
  /** From now on it listens and answers nothing. */
  freeze(): Promise<void>;
  thaw(): void;
  /** Ends it and both of its clients. */
  end(): Promise<void>;
}

export interface StageOptions {
  /** It has room for one call of one stream, both of its parties, and nothing more. */
  readonly isScarce?: boolean;
}

/** How relays of a kind are started, and in what the kinds differ. */
export interface Stage {
  start(options?: StageOptions): Promise<Relay>;
  readonly renewsCalls: boolean;
  /** What a relay counts as its sessions. */
  readonly sessions: 'calls' | 'streams';
  readonly listsCalls: boolean;
  /** What becomes of an offer in a call that needs more ports than there are. `refused`: the call has ended. */
  readonly overfull: 'refused' | 'rejected';
  /** Whether it can begin anew where it was: a real rtpproxy cannot at once over TCP. */
  readonly canRevive: boolean;
  /** Whether packets flow. */
  readonly hasMedia: boolean;
  /** Keys of `play media` for a second of audio in PCMA or what becomes it; missing if it plays none. */
  prompt?(): NgDict;
}

/** One end of a call. */
export interface Party {
  readonly tag: string;
  /** Where it wants its media, one port for each stream; 0 for one it does not want. */
  readonly address: string;
  readonly ports: readonly number[];
  /** The relay's address which it must be shown. */
  readonly relay: string;
  /** Which of the relay's sockets faces it, where that is to be said. */
  readonly face?: string;
}

/** Addresses for documentation (RFC 5737): nobody sends there. */
export const ALICE: Party = { tag: 'a-1', address: '192.0.2.5', ports: [4000], relay: '203.0.113.1' };
export const BOB: Party = { tag: 'b-1', address: '198.51.100.7', ports: [5000], relay: '203.0.113.9' };

/** The same party with two streams. */
export function two(party: Party): Party {
  return { ...party, ports: [0, 2].map((more) => (party.ports[0] ?? 0) + more) };
}

export interface BodyOptions {
  /** Address of the c= line, if it is not that of the party. */
  readonly connection?: string;
  readonly mode?: 'sendonly' | 'recvonly';
  /** What follows the port in m= lines. */
  readonly media?: 'audio' | 't38';
}

/** The SDP of a party; one byte of it is no UTF-8. */
export function bodyOf({ address, ports }: Party, options: BodyOptions = {}): string {
  const { connection = address, mode, media = 'audio' } = options;
  const family = familyOf(address);
  const streams = ports.flatMap((port) =>
    media === 't38'
      ? [`m=image ${port} udptl t38`, 'a=T38FaxVersion:0']
      : [`m=audio ${port} RTP/AVP 8`, 'a=odd:\xff', ...(mode === undefined ? [] : [`a=${mode}`])],
  );

  return [
    'v=0',
    `o=- 1 1 IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${connection}`,
    't=0 0',
    ...streams,
    '',
  ].join('\r\n');
}

/** The ports an SDP shows; every stream that is on must be at this address. */
export function portsAt(address: string, shown: string | MediaReply | RelayFailure): number[] {
  const sdp = typeof shown === 'string' ? shown : mustBe(shown as MediaReply | RelayFailure).sdp;
  const { streams } = readSdp(sdp);
  for (const stream of streams) if (stream.port !== 0) expect(stream.address).toBe(address);

  return streams.map(({ port }) => port);
}

/** As `portsAt`, of a stream that must be on. */
export function portAt(address: string, shown: string | MediaReply | RelayFailure): number {
  const [port = 0] = portsAt(address, shown);
  expect(port).toBeGreaterThan(0);

  return port;
}

/** When a request to a relay that works must have ended. */
export function soon(ms = 5000): number {
  return systemClock.monotonic() + ms;
}

type Said = BodyOptions & Partial<MediaRequest>;

/** A call as whoever drives a relay knows it: parties, and what is to be remembered. */
export class Call {
  readonly callId = `suite-${crypto.randomUUID()}@example.net`;
  readonly #driver: RelayDriver;
  readonly #tags = new Set<string>();
  memo: string | null = null;

  constructor(driver: RelayDriver) {
    this.#driver = driver;
  }

  get tags(): readonly string[] {
    return [...this.#tags];
  }

  /** The first offer; whoever is to answer has no tag yet. */
  begin(from: Party, to: Party, said: Said = {}): Promise<MediaReply | RelayFailure> {
    return this.#settle(this.#driver.offer(this.#request(from, from, to, { isNew: true, ...said }), soon()));
  }

  offer(from: Party, to: Party, said: Said = {}): Promise<MediaReply | RelayFailure> {
    const request = this.#request(from, from, to, { toTag: to.tag, ...said });

    return this.#settle(this.#driver.offer(request, soon()));
  }

  /** The answer of `to` to an offer of `from`. */
  answer(from: Party, to: Party, said: Said = {}): Promise<MediaReply | RelayFailure> {
    const request = this.#request(from, to, from, { toTag: to.tag, ...said });

    return this.#settle(this.#driver.answer(request, soon()));
  }

  /** Offer and answer; what either party is shown, the offerer's first. */
  async connect(from: Party, to: Party, said: Said = {}): Promise<[string, string]> {
    const offered = mustBe(await this.begin(from, to, said)).sdp;
    const answered = mustBe(await this.answer(from, to, said)).sdp;

    return [answered, offered];
  }

  /** As `connect`, in a call that lives. */
  async reconnect(from: Party, to: Party, said: Said = {}): Promise<[string, string]> {
    const offered = mustBe(await this.offer(from, to, said)).sdp;
    const answered = mustBe(await this.answer(from, to, said)).sdp;

    return [answered, offered];
  }

  delete(): Promise<DeleteResult | RelayFailure> {
    return this.#driver.delete(this, soon());
  }

  query(fromTag?: string): Promise<NgDict | RelayFailure> {
    return this.#driver.query(this, soon(), fromTag);
  }

  #request(offerer: Party, sender: Party, reader: Party, said: Said): MediaRequest {
    const { connection, mode, media, ...rest } = said;
    this.#tags.add(offerer.tag);
    if (rest.toTag !== undefined) this.#tags.add(rest.toTag);
    const body: BodyOptions = {
      ...(connection === undefined ? {} : { connection }),
      ...(mode === undefined ? {} : { mode }),
      ...(media === undefined ? {} : { media }),
    };

    return {
      callId: this.callId,
      memo: this.memo,
      fromTag: offerer.tag,
      sdp: bodyOf(sender, body),
      address: reader.relay,
      family: familyOf(reader.relay) ?? 'IP4',
      isNew: false,
      extra: {},
      ...(sender.face === undefined || reader.face === undefined
        ? {}
        : { interfaces: [sender.face, reader.face] as const }),
      ...rest,
    };
  }

  async #settle(asked: Promise<MediaReply | RelayFailure>): Promise<MediaReply | RelayFailure> {
    const reply = await asked;
    if (reply instanceof RelayFailure) this.memo = reply.left ?? this.memo;
    else this.memo = reply.memo;

    return reply;
  }
}

/** Waits until the relay says that it has so many sessions. */
export async function expectSessions({ monitor }: Relay, wanted: number): Promise<void> {
  let seen: number | undefined;
  await poll(
    async () => {
      seen = mustBe(await monitor.statistics(soon())).sessions;

      return seen === wanted ? true : undefined;
    },
    () => `the relay has ${seen} sessions, not ${wanted}`,
    3000,
  );
}

export type Scene = (
  name: string,
  act: (relay: Relay, call: Call) => Promise<void>,
  options?: StageOptions,
) => void;

/** Tests with a relay of their own: at the end the call is deleted, and the relay has nothing left. */
export function scenesOn(stage: Stage): Scene {
  return (name, act, options) => {
    test(name, async () => {
      const relay = await stage.start(options);
      try {
        const call = new Call(relay.driver);
        await act(relay, call);
        if (!relay.isUp) return;
        if (call.tags.length > 0) mustBe(await call.delete());
        await expectSessions(relay, 0);
      } finally {
        await relay.end();
      }
    });
  };
}
