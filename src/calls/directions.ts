/** Which side sent an SDP, and which will read it. */

import { type Call, findLeg, findTag, sideOfTag } from '../domain/call.ts';
import { Failure } from '../domain/errors.ts';
import { type Direction, parseDirection, reverse, type Side, type Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import { isInNetwork, type Network } from '../util/ip.ts';
import type { AnswerFacts, CallFacts, OfferFacts } from './facts.ts';

/** What the settings say of sides. */
export interface SideSettings {
  readonly sides: Sides;
  /** Networks by the side whose SIP packets come from them. */
  readonly networks: readonly { readonly network: Network; readonly side: Side }[];
}

/** Where an SDP goes from a side if nothing else is said. */
const OPPOSITE: ReadonlyMap<Side | undefined, Side> = new Map([
  ['inner', 'outer'],
  ['outer', 'inner'],
]);

export class Directions {
  readonly #fleet: Fleet;
  readonly #settings: SideSettings;

  constructor(fleet: Fleet, settings: SideSettings) {
    this.#fleet = fleet;
    this.#settings = settings;
  }

  /**
   * Sender's and reader's side when the call is not known: what the client says, else the network the SIP packet came
   * from, else the default of the set (reference: sip-proxies 2.4). Never a guess.
   */
  ofUnknownCall(facts: CallFacts): Direction | Failure {
    const { networks, sides } = this.#settings;
    if (facts.direction !== undefined) return facts.direction;
    const { source, readerSide } = facts;
    const sender =
      source === undefined || networks.length === 0
        ? undefined
        : // Whoever is in none of the networks listed comes from outside.
          (networks.find(({ network }) => isInNetwork(source, network))?.side ?? 'outer');
    // From or to a third side there are several ways.
    const reader = readerSide ?? OPPOSITE.get(sender);
    const from = sender ?? OPPOSITE.get(readerSide);
    if (from !== undefined && reader !== undefined) return { from, to: reader };
    const setId = facts.setId ?? 0;
    const text = this.#fleet.set(setId).direction;
    const byDefault = text === null ? undefined : parseDirection(text, sides);
    // The default is that of the call; it says nothing of an SDP whose sender may be either party.
    if (byDefault !== undefined && !(byDefault instanceof Failure) && facts.isFromCallee !== undefined) {
      const set = facts.isFromCallee ? reverse(byDefault) : byDefault;

      return { from: set.from, to: readerSide ?? set.to };
    }

    return new Failure(
      'RTPC_DIRECTION_UNKNOWN',
      `nothing tells which way the call goes; give "dir" (out, in, a side, or from>to; in ng "direction" with two sides, or "cluster-to"), list the inside networks in the settings, or give set ${setId} a default direction`,
    );
  }

  /** Sender's and reader's side of an offer. What is remembered of a tag wins over what the client says. */
  ofOffer(call: Call | undefined, facts: OfferFacts): Direction | Failure {
    if (call === undefined) return this.ofUnknownCall(facts);
    const sender = findTag(call, facts.fromTag);
    const isNewParty = sender === undefined && facts.fromTag !== call.callerTag;
    // Whoever begins anew under a Call-ID in use is where the client says, or his network.
    const anew = isNewParty && facts.toTag === undefined ? this.ofUnknownCall(facts) : undefined;
    if (anew !== undefined && !(anew instanceof Failure)) return anew;
    const from = sender?.side ?? sideOfTag(call, facts.fromTag);
    const reader = findTag(call, facts.toTag);
    if (reader !== undefined) return { from, to: reader.side };
    if (facts.toTag !== undefined) return { from, to: sideOfTag(call, facts.toTag) };
    const opposite = facts.fromTag === call.callerTag ? call.direction.to : call.direction.from;

    // A further branch may lead to another side than the first, so a reader not seen before is where the client says.
    return { from, to: facts.direction?.to ?? facts.readerSide ?? opposite };
  }

  /** For an SDP which the relay itself makes: who reads it, in the place of both sides where the sender is not said. */
  ofReader({ direction, readerSide, extra }: CallFacts): Direction | Failure {
    if (direction !== undefined) return direction;
    // Whoever names the address has said all there is to say.
    const reader = readerSide ?? (extra['media-address'] === undefined ? undefined : 'outer');
    if (reader !== undefined) return { from: reader, to: reader };

    return new Failure(
      'RTPC_DIRECTION_UNKNOWN',
      'direction is missing; it says which side reads the SDP that comes back (in ng "cluster-to" does too, and "media-address" everywhere)',
    );
  }

  /** Sender's and reader's side of an answer; the client has no say, the offer decided it. */
  ofAnswer(call: Call, facts: AnswerFacts): Direction {
    const offerer = findLeg(call, facts.fromTag, facts.branch) ?? findTag(call, facts.fromTag);
    const answerer = findTag(call, facts.toTag);

    return {
      from: answerer?.side ?? offerer?.readerSide ?? sideOfTag(call, facts.toTag),
      to: offerer?.side ?? sideOfTag(call, facts.fromTag),
    };
  }
}
