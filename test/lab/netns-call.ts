/** One call in the namespaces, as its two parties lived through it, and the judgement of it. */

import { inside, type Place, RELAYS, type Relay, relayNumber, translated } from './netns.ts';
import { Phone } from './phone.ts';
import { poll } from './processes.ts';
import { audioOf, readSdp } from './sdp.ts';
import type { Sipp } from './sipp.ts';
import { type SipMessage, sdpsIn } from './sipp-messages.ts';

export type Side = 'inner' | 'outer';

/** What a phone says at a time, and how much of it the other must hear: a busy machine may lose a packet. */
const PACKETS = 15;
const ENOUGH = 12;
/** Of the music one party plays while it holds the call. */
const MUSIC = 10;

/** The address of a relay that is right on one side. */
export function mediaOf(relay: Relay, side: Side): string {
  return (side === 'inner' ? inside : translated)(relayNumber(relay));
}

/** An endpoint as one of its calls sees it. */
export class Party {
  readonly side: Side;
  readonly #role: 'caller' | 'callee';
  readonly #callId: string;
  readonly #sipp: Sipp;
  readonly #place: Place;
  #phone: Phone | undefined;

  constructor(role: 'caller' | 'callee', side: Side, callId: string, sipp: Sipp, place: Place) {
    this.#role = role;
    this.side = side;
    this.#callId = callId;
    this.#sipp = sipp;
    this.#place = place;
  }

  get messages(): readonly SipMessage[] {
    return this.#sipp.messages().filter(({ callId }) => callId === this.#callId);
  }

  /** SDPs that came in. */
  get told(): readonly string[] {
    return sdpsIn(this.messages, true);
  }

  /** Waits until so many messages with this beginning were sent or received. */
  async passed(start: string, count = 1): Promise<void> {
    await poll(
      () =>
        this.messages.filter((message) => message.start.startsWith(start)).length >= count ? true : undefined,
      () =>
        `the ${this.#role} saw no ${start} number ${count}:\n${this.messages.map(({ head }) => head).join('\n\n')}`,
    );
  }

  /** Lets its scenario go on. */
  signal(): Promise<void> {
    return this.#sipp.signal(this.#callId);
  }

  /** Its phone, on the port its SDP told, sending where the last SDP it got says. */
  async phone(): Promise<Phone> {
    const [own] = sdpsIn(this.messages, false);
    const told = this.told.at(-1);
    if (own === undefined || told === undefined) throw new Error(`the ${this.#role} has no SDP yet`);
    this.#phone ??= await Phone.open({
      call: this.#callId,
      side: this.#role,
      partner: this.#role === 'caller' ? 'callee' : 'caller',
      address: audioOf(own).address,
      port: audioOf(own).port,
      open: this.#place.open,
    });
    this.#phone.pointAt(audioOf(told));

    return this.#phone;
  }

  /** What it heard that it should not have heard; undefined if it has not listened. */
  get noise(): string | undefined {
    if (this.#phone === undefined) return undefined;
    const { echo, foreign, elsewhere } = this.#phone.heard;
    const heard = Object.entries({ echo, foreign, elsewhere }).filter(([, count]) => count > 0);

    return heard.map(([what, count]) => `the ${this.#role} heard ${count} packets: ${what}`).join(', ');
  }

  hangUpPhone(): void {
    this.#phone?.close();
  }
}

/** What is to be said of a call. */
export interface Judgement {
  /** Every SDP named the right address, and one relay. */
  readonly isAddressRight: boolean;
  /** Each heard the other whenever it should, and nothing else. Undefined if nobody talked. */
  readonly isHeard: boolean | undefined;
  /** The relay, as the SDPs name it. */
  readonly relay: Relay | undefined;
  readonly complaints: readonly string[];
}

export class LabCall {
  readonly id: string;
  readonly caller: Party;
  readonly callee: Party;
  /** Whose phone rang in vain. */
  readonly #loser: Party | undefined;
  readonly #silences: string[] = [];
  /** How many SDPs each party had when the relay may have become another. */
  #before: readonly number[] = [];
  #hasTalked = false;

  constructor(id: string, caller: Party, callee: Party, loser?: Party) {
    this.id = id;
    this.caller = caller;
    this.callee = callee;
    this.#loser = loser;
  }

  /** The relay its first SDP named; undefined if that was no relay's address. */
  get relay(): Relay | undefined {
    return this.judge().relay;
  }

  /** Both talk at once. */
  async talk(): Promise<void> {
    const [one, other] = [await this.caller.phone(), await this.callee.phone()];
    await this.#sound(PACKETS, ENOUGH, [
      [one, other, 'callee'],
      [other, one, 'caller'],
    ]);
  }

  /** One party plays music, which the other hears. */
  async play(from: 'caller' | 'callee'): Promise<void> {
    const [player, listener] = [
      await this[from].phone(),
      await (from === 'caller' ? this.callee : this.caller).phone(),
    ];
    await this.#sound(MUSIC, 1, [[player, listener, from === 'caller' ? 'callee' : 'caller']]);
  }

  async #sound(packets: number, enough: number, ways: readonly (readonly [Phone, Phone, string])[]) {
    this.#hasTalked = true;
    const before = ways.map(([, listener]) => listener.heard.partner);
    await Promise.all(ways.map(([talker]) => talker.talk(packets)));
    await Promise.all(
      ways.map(async ([, listener, name], index) => {
        const start = before[index] ?? 0;
        if (await listener.hears(start + enough, 500)) return;
        this.#silences.push(`the ${name} heard ${listener.heard.partner - start} of ${packets} packets`);
      }),
    );
  }

  get #parties(): readonly Party[] {
    return [this.caller, this.callee, ...(this.#loser === undefined ? [] : [this.#loser])];
  }

  /** Its relay has lost it: from now on it may be on another one. */
  moves(): void {
    this.#before = this.#parties.map(({ told }) => told.length);
  }

  judge(): Judgement {
    const complaints: string[] = [];
    const named = new Set<Relay>();
    for (const [index, { side, told }] of this.#parties.entries()) {
      for (const [number, sdp] of told.entries()) {
        for (const address of new Set(readSdp(sdp).addresses)) {
          const relay = RELAYS.find((name) => mediaOf(name, side) === address);
          if (relay === undefined) complaints.push(`the ${side} side was told ${address}`);
          else if (number >= (this.#before[index] ?? 0)) named.add(relay);
        }
      }
    }
    const count = this.caller.told.length + this.callee.told.length;
    if (named.size > 1) complaints.push(`two relays: ${[...named].join(', ')}`);
    if (count === 0) complaints.push('no SDP came through');
    const noise = [this.caller.noise, this.callee.noise].filter(Boolean) as string[];
    const unheard = [...this.#silences, ...noise];

    return {
      isAddressRight: complaints.length === 0,
      isHeard: this.#hasTalked ? unheard.length === 0 : undefined,
      relay: [...named][0],
      complaints: [...complaints, ...unheard],
    };
  }

  close(): void {
    this.caller.hangUpPhone();
    this.callee.hangUpPhone();
  }
}
