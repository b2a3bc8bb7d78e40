/**
 * One call of ours through one node: an offer as any caller's, made and checked by the code that real calls take, an answer and RTP if
 * wanted, and a deletion whatever happens. It is in no table, and no call counts it.
 */

import {
  checkReply,
  relayRequest,
  type SdpRequest,
  type WantedAddress,
  wantedAddress,
} from '../calls/anchor.ts';
import { Failure } from '../domain/errors.ts';
import { addressFor, type Node, type SocketAddress, whereabouts } from '../domain/node.ts';
import type { Side } from '../domain/side.ts';
import { newProbe } from '../relay/checks.ts';
import { type RelayDriver, RelayFailure } from '../relay/driver.ts';
import { connectionOf, outline } from '../sdp/outline.ts';
import type { Clock } from '../util/clock.ts';
import { type Family, familyOf, isLoopback } from '../util/ip.ts';
import { Conversation, type Heard } from './conversation.ts';
import type { MediaNetwork, MediaSocket } from './network.ts';
import type { Route } from './routes.ts';

/** Time for an offer or an answer, for one try to delete, and tries, ms. */
const REQUEST_MS = 700;
const DELETE_MS = 300;
const DELETE_TRIES = 3;
/** Where a party is that only looks at addresses: nobody sends there (RFC 5737, RFC 3849). */
const NOWHERE: Readonly<Record<Family, string>> = { IP4: '192.0.2.1', IP6: '2001:db8::1' };
const DISCARD_PORT = 9;
const [CALLER, CALLEE] = ['probe-caller', 'probe-callee'];

export interface ProbeCallParts {
  readonly driver: RelayDriver;
  readonly network: MediaNetwork;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** The address in one SDP that the node made. */
export interface Shown {
  /** Who reads it. */
  readonly side: Side;
  /** What the reader must see. */
  readonly wanted: WantedAddress;
  /** What the relay wrote before we looked at it; null if it wrote none, or has not answered. */
  readonly written: string | null;
  /** Why the call cannot go on. */
  readonly failure: RelayFailure | Failure | null;
  readonly tookMs: number;
}

/** What came through, from the caller to the callee and back. */
export interface Talk {
  readonly there: Heard;
  readonly back: Heard;
  readonly tookMs: number;
}

export interface ProbeCallResult {
  readonly route: Route;
  readonly callId: string;
  readonly offer: Shown;
  /** Null where only the offer is wanted, or where it failed. */
  readonly answer: Shown | null;
  /** Null if there was no media; a text says why it could not be tried from here. */
  readonly talk: Talk | string | null;
  /** Why the node may still have the call; null if it has not. */
  readonly left: string | null;
}

/** A party: its side, its address as its SDP shows it, and its socket if it talks. */
interface Phone {
  readonly side: Side;
  readonly tag: string;
  readonly address: string;
  readonly family: Family;
  readonly socket: MediaSocket | null;
}

export async function placeProbeCall(
  node: Node,
  route: Route,
  parts: ProbeCallParts,
): Promise<ProbeCallResult> {
  const call = new ProbeCall(node, route, parts);

  return call.run();
}

class ProbeCall {
  readonly #node: Node;
  readonly #route: Route;
  readonly #parts: ProbeCallParts;
  readonly #callId: string;
  readonly #conversation: Conversation;
  #memo: string | null = null;
  readonly #phones: Phone[] = [];

  constructor(node: Node, route: Route, parts: ProbeCallParts) {
    this.#node = node;
    this.#route = route;
    this.#parts = parts;
    this.#callId = newProbe(parts.clock.utc());
    this.#conversation = new Conversation(parts.clock);
  }

  async run(): Promise<ProbeCallResult> {
    const { from, to, family, hasMedia } = this.#route;
    const caller = await this.#phone(0, from, CALLER, family);
    const offer = await this.#ask('offer', caller, { from, to }, family);
    let answer: SdpShown | null = null;
    let talk: Talk | string | null = null;
    if (hasMedia && offer.failure === null && !this.#parts.signal.aborted) {
      const callee = await this.#phone(1, to, CALLEE, offer.wanted.family);
      answer = await this.#ask('answer', callee, { from: to, to: from }, family);
      if (answer.failure === null) talk = await this.#talk(caller, callee, { offer, answer });
    }
    for (const { socket } of this.#phones) socket?.close();
    const left = await this.#delete(offer);

    return { route: this.#route, callId: this.#callId, offer, answer, talk, left };
  }

  async #phone(index: 0 | 1, side: Side, tag: string, family: Family): Promise<Phone> {
    const { network } = this.#parts;
    const address = this.#route.hasMedia ? await this.#localAddress(side, family) : undefined;
    const socket =
      address === undefined
        ? undefined
        : await network.open(address, {
            onPacket: (bytes) => this.#conversation.hear(index, bytes),
            onRefused: () => this.#conversation.refused(index),
          });
    const phone = { side, tag, address: address ?? NOWHERE[family], family, socket: socket ?? null };
    this.#phones.push(phone);

    return phone;
  }

  /** The address of ours that looks towards the node: its packets have to come back. */
  async #localAddress(side: Side, family: Family): Promise<string | undefined> {
    const host = whereabouts(this.#node.socket);
    const own = addressFor(this.#node, side, family)?.address;
    for (const each of [host, own]) {
      if (each === undefined || familyOf(each) !== family) continue;
      const local = await this.#parts.network.localTowards(each);
      if (local !== undefined) return local;
    }

    return undefined;
  }

  async #ask(
    operation: 'offer' | 'answer',
    phone: Phone,
    sides: SdpRequest['sides'],
    readerFamily: Family,
  ): Promise<SdpShown> {
    const { driver, clock } = this.#parts;
    const sdp = sdpOf(phone, this.#route.hasMedia);
    const facts = { callId: this.#callId, fromTag: CALLER, extra: {} };
    const isOffer = operation === 'offer';
    const request: SdpRequest = {
      facts: isOffer ? facts : { ...facts, toTag: CALLEE },
      sdp,
      sent: outline(sdp),
      sides,
    };
    const anchor = { id: this.#node.id, node: this.#node };
    const started = clock.monotonic();
    const wanted = wantedAddress(anchor, request, readerFamily);
    // The sides are those of the node's own addresses.
    if (wanted instanceof Failure) throw new Error(wanted.message);
    const reply = await driver[operation](
      relayRequest(request, anchor, wanted, { isNew: isOffer, isFinal: !isOffer, memo: this.#memo }),
      started + REQUEST_MS,
    );
    const tookMs = clock.monotonic() - started;
    const shown = { side: sides.to, wanted, tookMs };
    if (reply instanceof RelayFailure) {
      this.#memo = reply.left ?? this.#memo;

      return { ...shown, written: null, failure: reply, sdp: '' };
    }
    this.#memo = reply.memo;
    const written = connectionOf(outline(reply.sdp), 0)?.address ?? null;
    const checked = checkReply(reply.sdp, request, anchor, wanted);

    return checked instanceof Failure
      ? { ...shown, written, failure: checked, sdp: '' }
      : { ...shown, written, failure: null, sdp: checked };
  }

  /** Both talk, if both have a socket and were shown a port. */
  async #talk(
    caller: Phone,
    callee: Phone,
    { offer, answer }: { offer: SdpShown; answer: SdpShown },
  ): Promise<Talk | string> {
    const { clock, signal } = this.#parts;
    if (caller.socket === null || callee.socket === null) {
      const family = caller.socket === null ? caller.family : callee.family;

      return `this host has no way to the node over ${family}, or no socket to spare`;
    }
    const there = this.#targets(answer);
    const back = this.#targets(offer);
    if (there.length === 0 || back.length === 0) return 'the relay gave no port for the audio';
    const started = clock.monotonic();
    const heard = await this.#conversation.run(
      { socket: caller.socket, targets: there },
      { socket: callee.socket, targets: back },
      signal,
    );

    return { there: heard[0], back: heard[1], tookMs: clock.monotonic() - started };
  }

  /**
   * Where the reader of an SDP sends to: what it shows, then the same port at the host of the control socket. A relay of this host may take
   * audio at none of its loopback addresses, so there its other media addresses have their turn too.
   */
  #targets({ sdp }: SdpShown): readonly SocketAddress[] {
    const read = outline(sdp);
    const shown = connectionOf(read, 0);
    const port = read.media[0]?.port ?? 0;
    if (shown === null || port === 0) return [];
    const { socket, mediaAddresses } = this.#node;
    const host = whereabouts(socket);
    const isHere = familyOf(host) === undefined || isLoopback(host);
    const own = [host, ...(isHere ? mediaAddresses.map(({ address }) => address) : [])];
    const hosts = new Set([shown.address, ...own.filter((each) => familyOf(each) === shown.family)]);

    return [...hosts].map((each) => ({ host: each, port }));
  }

  /** Also when the offer failed: some relays keep what they refused, and silence says nothing (reference: ng-protocol 3.1). */
  async #delete({ failure }: Shown): Promise<string | null> {
    const { driver, clock } = this.#parts;
    const isUnsent =
      failure instanceof RelayFailure &&
      (failure.kind === 'busy' || failure.kind === 'bad-sdp' || failure.kind === 'too-large');
    if (isUnsent) return null;
    let left = '';
    for (let count = 0; count < DELETE_TRIES; count++) {
      const call = { callId: this.#callId, memo: this.#memo, tags: [CALLER] };
      const result = await driver.delete(call, clock.monotonic() + DELETE_MS);
      if (!(result instanceof RelayFailure) || result.kind === 'unknown-call') return null;
      left = result.reason;
      // Who is not there has no call, and who says no will say it again.
      if (!result.isUncertain || result.kind === 'unreachable') break;
    }

    return left;
  }
}

/** An SDP that can be used, '' if it cannot. */
interface SdpShown extends Shown {
  readonly sdp: string;
}

/** One audio stream; of a party that only looks, one that nobody sends. */
function sdpOf({ address, family, socket }: Phone, isTalking: boolean): string {
  const place = `IN ${family} ${address}`;

  return [
    'v=0',
    `o=rtp-cluster 1 1 ${place}`,
    's=-',
    `c=${place}`,
    't=0 0',
    `m=audio ${socket?.port ?? DISCARD_PORT} RTP/AVP 0`,
    'a=rtpmap:0 PCMU/8000',
    'a=ptime:20',
    isTalking ? 'a=sendrecv' : 'a=inactive',
    '',
  ].join('\r\n');
}
