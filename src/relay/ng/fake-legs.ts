/** Calls, legs and streams of the fake node, and how a `query` shows them (reference: ng-protocol 4.2, 7, 8, 9). */

import { familyOf, isUnspecified } from '../../util/ip.ts';
import type { NgDict, NgValue } from '../driver.ts';
import type { FakePorts } from '../fake/ports.ts';
import { newDict } from './bencode.ts';
import type { FakeMedia } from './fake-sdp.ts';

interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly rtcpPort: number;
}

/** One m= section of one leg. */
export interface FakeStream {
  type: string;
  protocol: string;
  /** The relay's RTP port, to which this leg sends; 0 = none. RTCP is the next one. */
  port: number;
  /** Where this leg receives; undefined until its own SDP came. */
  endpoint: Endpoint | undefined;
  /** The other leg's endpoint for which `port` was opened: another one costs a new port (ng-protocol 4.2). */
  peer: Endpoint | undefined;
}

export interface FakeLeg {
  /** '' until this party answered. */
  tag: string;
  readonly branch: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly streams: FakeStream[];
  /** Legs whose media this one receives, newest first. */
  subscriptions: FakeLeg[];
  isDeleted: boolean;
  /** Whether it made the first offer of the call. */
  readonly isFirst: boolean;
}

/** Tags of one call the fake node remembers; further ones are an error. */
export const MAX_FAKE_LEGS = 64;

export class FakeCall {
  readonly legs: FakeLeg[] = [];
  /** Ports given up by a change of endpoint; they stay open until the call ends. */
  readonly #stale: number[] = [];
  lastSignal: number;

  constructor(
    readonly callId: string,
    readonly createdMs: number,
    readonly createdUs: number,
    readonly ports: FakePorts,
  ) {
    this.lastSignal = Math.floor(createdMs / 1000);
  }

  get isOver(): boolean {
    return this.legs.every((leg) => leg.isDeleted);
  }

  addLeg(tag: string, branch: string, created: number): FakeLeg {
    const leg: FakeLeg = {
      tag,
      branch,
      created,
      streams: [],
      subscriptions: [],
      isDeleted: false,
      isFirst: this.legs.length === 0,
    };
    this.legs.push(leg);

    return leg;
  }

  byTag(tag: string): FakeLeg | undefined {
    return this.legs.find((leg) => leg.tag === tag && !leg.isDeleted);
  }

  byBranch(branch: string): FakeLeg | undefined {
    return this.legs.find((leg) => leg.branch === branch && !leg.isDeleted);
  }

  /** Makes two legs the two ends of the call; legs joined with `a` before go on sending, but no longer receive. */
  join(a: FakeLeg, b: FakeLeg): void {
    for (const leg of this.legs) {
      if (leg !== b) leg.subscriptions = leg.subscriptions.filter((other) => other !== a);
    }
    a.subscriptions = [b, ...a.subscriptions.filter((other) => other !== b)];
    b.subscriptions = [a, ...b.subscriptions.filter((other) => other !== a)];
  }

  /** Legs that receive from this one. */
  subscribersOf(leg: FakeLeg): FakeLeg[] {
    return this.legs.filter((other) => other.subscriptions.includes(leg));
  }

  /** Opens what the m= sections of `sender` need on both legs. False if the ports run out. */
  open(medias: readonly FakeMedia[], sender: FakeLeg, reader: FakeLeg): boolean {
    for (const [i, media] of medias.entries()) {
      const mine = streamAt(sender, i, media);
      const theirs = streamAt(reader, i, media);
      const endpoint = { address: media.address, port: media.port, rtcpPort: media.rtcpPort };
      mine.endpoint = endpoint;
      if (media.port === 0) {
        this.#giveAll([mine, theirs]);
        continue;
      }
      // Who only holds has not moved.
      const isNews = theirs.peer === undefined || !isUnspecified(media.address);
      if (isNews && theirs.port !== 0 && theirs.peer !== undefined && !isSame(theirs.peer, endpoint)) {
        this.#stale.push(theirs.port);
        theirs.port = 0;
      }
      if (isNews) theirs.peer = endpoint;
      theirs.port ||= this.ports.take();
      mine.port ||= this.ports.take();
      if (theirs.port === 0 || mine.port === 0) return false;
    }

    return true;
  }

  /** Ends a leg, and with it the legs that are joined with nobody else (ng-protocol 8). */
  end(leg: FakeLeg): void {
    this.#endOne(leg);
    for (const other of this.#joinedWith(leg)) {
      if (!other.isDeleted && this.#joinedWith(other).every((peer) => peer.isDeleted)) this.#endOne(other);
    }
    if (this.isOver) this.endAll();
  }

  endAll(): void {
    for (const leg of this.legs) this.#endOne(leg);
    for (const port of this.#stale.splice(0)) this.ports.give(port);
  }

  /** The reply to a query or delete, `result` not included. */
  report(legs: readonly FakeLeg[], address: string): { [key: string]: NgValue } {
    const tags = newDict();
    for (const leg of legs) {
      const name = leg.tag === '' ? `<untagged ${this.legs.indexOf(leg)}>` : leg.tag;
      tags[name] = this.#describe(leg, address);
    }

    return {
      created: Math.floor(this.createdMs / 1000),
      created_us: this.createdUs,
      'last signal': this.lastSignal,
      SSRC: {},
      tags,
      totals: { RTP: { ...NO_PACKETS }, RTCP: { ...NO_PACKETS } },
    };
  }

  #describe(leg: FakeLeg, address: string): NgDict {
    const peers = (list: readonly FakeLeg[]): NgValue[] =>
      list.map(({ tag }) => ({ tag, type: 'offer/answer' }));
    const flags = ['send', 'recv'];
    const medias = leg.streams.map((stream, i) => ({
      index: i + 1,
      type: stream.type,
      protocol: stream.protocol,
      streams: describeStream(stream, leg, address),
      flags: [
        ...(stream.endpoint === undefined ? [] : ['initialized']),
        ...flags,
        ...(leg.isFirst ? [] : ['ICE controlling']),
      ],
    }));

    return {
      tag: leg.tag,
      ...(leg.branch === '' ? {} : { 'via-branch': leg.branch }),
      created: leg.created,
      subscriptions: peers(leg.subscriptions),
      subscribers: peers(this.subscribersOf(leg)),
      medias,
    };
  }

  #joinedWith(leg: FakeLeg): FakeLeg[] {
    return [...new Set([...leg.subscriptions, ...this.subscribersOf(leg)])];
  }

  #endOne(leg: FakeLeg): void {
    leg.isDeleted = true;
    this.#giveAll(leg.streams);
  }

  #giveAll(streams: readonly FakeStream[]): void {
    for (const stream of streams) {
      if (stream.port !== 0) this.ports.give(stream.port);
      stream.port = 0;
    }
  }
}

const NO_PACKETS = { packets: 0, bytes: 0, errors: 0 };

function streamAt(leg: FakeLeg, index: number, media: FakeMedia): FakeStream {
  const stream = leg.streams[index] ?? {
    type: media.type,
    protocol: media.protocol,
    port: 0,
    endpoint: undefined,
    peer: undefined,
  };
  leg.streams[index] = stream;
  stream.type = media.type;
  stream.protocol = media.protocol;

  return stream;
}

function isSame(a: Endpoint, b: Endpoint): boolean {
  return a.port === b.port && a.address === b.address;
}

function describeStream(stream: FakeStream, leg: FakeLeg, address: string): NgValue[] {
  const family = (host: string): string => (familyOf(host) === 'IP6' ? 'IPv6' : 'IPv4');
  const describe = (kind: 'RTP' | 'RTCP'): NgDict => {
    const { endpoint } = stream;
    const port = kind === 'RTP' ? endpoint?.port : endpoint?.rtcpPort;
    const shown =
      endpoint === undefined
        ? {}
        : { family: family(endpoint.address), address: endpoint.address, port: port ?? 0 };
    const local = { 'local address': address, family: family(address) };

    return {
      ...(stream.port === 0 ? {} : { 'local port': stream.port + (kind === 'RTP' ? 0 : 1), ...local }),
      endpoint: shown,
      'advertised endpoint': { ...shown },
      'last packet': leg.created,
      flags: endpoint === undefined ? [kind] : [kind, 'filled'],
      stats: { ...NO_PACKETS },
    };
  };

  return [describe('RTP'), describe('RTCP')];
}
