/** The media of a call as its relay sees it now, or saw it to the end, joined with what we know of its parties, and what that means. */

import type { Call } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import type { NodeKind } from '../domain/node.ts';
import type { Side } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';
import type { CallStream, StreamEnd } from '../relay/call-streams.ts';
import { RelayFailure } from '../relay/driver.ts';
import { type Mode, type Section, sectionsOf } from '../sdp/sections.ts';
import { legKey } from '../store/call-rows.ts';
import type { Store } from '../store/store.ts';
import type { Clock } from '../util/clock.ts';
import { downFailure, failureOf, relayCall } from './anchor.ts';
import { type Finding, findingsOf } from './findings.ts';
import type { History } from './history.ts';
import type { Party } from './party.ts';
import { Serial } from './serial.ts';

/** A stream with what we know of its sender. */
export interface KnownStream extends CallStream {
  /** Null for a party we do not know. */
  readonly side: Side | null;
  /** `audio`, `video` ... and which way it goes, as the sender's last SDP says; null if that is not known. */
  readonly media: string | null;
  readonly mode: Mode | null;
  /** Where the party was told to send to. */
  readonly told: StreamEnd | null;
  /** How long ago the last packet came, s, if the clocks of the hosts agree; null before the first, and where the relay does not tell. */
  readonly lastPacketS: number | null;
}

export interface CallStatistics {
  readonly callId: string;
  /** Null while no node has the call. */
  readonly nodeId: number | null;
  readonly kind: NodeKind | null;
  /** UTC ms; of an ended call its end. */
  readonly at: number;
  /** Whether the call has ended, so that this is the last that is known. */
  readonly isFinal: boolean;
  readonly streams: readonly KnownStream[];
  readonly findings: readonly Finding[];
}

export interface StatisticsParts {
  readonly fleet: Fleet;
  readonly store: Pick<Store, 'sdpOf'>;
  readonly history: Pick<History, 'of'>;
  readonly clock: Clock;
}

/** Time for the relay, ms. */
const PATIENCE_MS = 900;
/** Calls asked about at a time. Each is a question to a relay, which may hang: they must leave room for the requests of calls there. */
const MAX_ASKED = 8;

export class Statistics {
  readonly #parts: StatisticsParts;
  /** Who asks for the same call at the same time shares the answer. */
  readonly #serial = new Serial();

  constructor(parts: StatisticsParts) {
    this.#parts = parts;
  }

  /** Asks the node of a live call; of an ended one it is what the node said then. */
  async of(call: Call): Promise<CallStatistics | Failure> {
    if (call.state === 'ended') return this.#last(call);
    if (this.#serial.size >= MAX_ASKED && !this.#serial.has(call.callId))
      return new Failure('RTPC_BUSY', `statistics of ${MAX_ASKED} calls are being asked for already`);

    return this.#serial.run(call.callId, '', () => this.#ask(call));
  }

  async #ask(call: Call): Promise<CallStatistics | Failure> {
    const { clock, fleet } = this.#parts;
    const member = fleet.get(call.nodeId);
    if (member === undefined) return this.#report(call, undefined, []);
    if (member.verdict('bound') === 'no') return downFailure(member);
    const streams = await member.driver.streams(relayCall(call), clock.monotonic() + PATIENCE_MS);
    if (!(streams instanceof RelayFailure)) return this.#report(call, member, streams);
    if (streams.kind !== 'unknown-call') return failureOf(member, streams);

    return new Failure(
      'RTPC_CALL_LOST',
      `node ${member.id} does not know call ${call.callId} any more; its next request will tell its parties`,
    );
  }

  #last(call: Call): CallStatistics | Failure {
    const { fleet, history } = this.#parts;
    const told = history.of(call.callId).steps.findLast(({ streams }) => streams != null);
    if (told?.streams != null) return this.#report(call, fleet.get(call.nodeId), told.streams, told.at);

    return new Failure(
      'RTPC_CALL_UNKNOWN',
      `call ${call.callId} has ended, and its relay told no statistics then; rtpengine does from 12.5 on, or to a delete by ng`,
    );
  }

  #report(
    call: Call,
    member: Member | undefined,
    streams: readonly CallStream[],
    at = this.#parts.clock.utc(),
  ): CallStatistics {
    const parties = this.#partiesOf(call);
    // The relay's clock may be ahead of ours.
    const now = streams.reduce((latest, { lastPacketAt }) => Math.max(latest, lastPacketAt ?? 0), at);

    return {
      callId: call.callId,
      nodeId: call.nodeId,
      kind: member?.node.kind ?? null,
      at,
      isFinal: call.state === 'ended',
      streams: streams.map((stream) => known(stream, parties, now)),
      findings: findingsOf(parties, streams, now),
    };
  }

  /** The parties by their last SDP; of a caller with a leg for each branch the last one. */
  #partiesOf(call: Call): Party[] {
    const sdp = this.#parts.store.sdpOf(call.callId);
    const parties = new Map<string, Party>();
    const legs = call.legs.toSorted((a, b) => a.updatedAt - b.updatedAt);
    for (const leg of legs) {
      const { tag, side, confirmed, updatedAt } = leg;
      const isCaller = tag === call.callerTag;
      const said = sdp.get(legKey(leg))?.received;
      const peer = legs.findLast(
        (other) => (other.tag === call.callerTag) !== isCaller && isWith(other, leg.branch),
      );
      const told = peer === undefined ? undefined : sdp.get(legKey(peer))?.returned;
      parties.set(tag, {
        tag,
        side,
        isCaller,
        isConfirmed: confirmed,
        said: said === undefined ? null : sectionsOf(said),
        told: told === undefined ? null : sectionsOf(told),
        changedAt: updatedAt,
      });
    }

    return [...parties.values()];
  }
}

/** Whether a leg belongs to the dialog of a branch, '' being that of all. */
function isWith(leg: { readonly branch: string }, branch: string): boolean {
  return branch === '' || leg.branch === '' || leg.branch === branch;
}

function known(stream: CallStream, parties: readonly Party[], now: number): KnownStream {
  const party = parties.find(({ tag }) => tag === stream.tag);
  const section = party?.said?.[stream.index - 1];
  const told = portOf(party?.told?.[stream.index - 1], stream.isRtcp);
  // An rtpproxy tells ports only; the address is the one the party was told.
  const local =
    stream.local?.address === '' ? { ...stream.local, address: told?.address ?? '?' } : stream.local;

  return {
    ...stream,
    local,
    advertised: stream.advertised ?? portOf(section, stream.isRtcp),
    side: party?.side ?? null,
    media: section?.media ?? null,
    mode: section?.mode ?? null,
    told,
    lastPacketS:
      stream.lastPacketAt === null ? null : Math.max(0, Math.round((now - stream.lastPacketAt) / 1000)),
  };
}

function portOf(section: Section | undefined, isRtcp: boolean): StreamEnd | null {
  if (section === undefined || section.port === 0 || section.address === '' || isRtcp) return null;

  return { address: section.address, port: section.port };
}
