/** U and L of a fake rtpproxy: they begin sessions and open legs (reference: rtpproxy-protocol 3.1, 3.2, 4). */

import type { FakeAddresses, Place } from './fake-addresses.ts';
import type { FakeCommand } from './fake-command.ts';
import { type MediaOptions, readOptions } from './fake-modifiers.ts';
import { type FakeSession, type Notice, otherSide, type Side } from './fake-session.ts';
import type { FakeSessions } from './fake-sessions.ts';
import type { FakeStatistics } from './fake-statistics.ts';
import { readSub, type Sub, type SubTarget, showResults } from './fake-subcommands.ts';
import type { Release } from './fake-version.ts';

/** What may change while the node runs. */
export interface FakeLimits {
  /** Sessions at most, negative = no limit; beyond them new ones get E72. */
  maxSessions: number;
  /** Error code for all new sessions, '' = none. */
  refuse: string;
  /** Shown in place of the right address and port, '' and 0 = not. */
  wrongAddress: string;
  wrongPort: number;
}

/** Where U may have time-outs told; `undefined` = it is not to be told, or nobody knows the socket. */
export interface NoticeTargets {
  readonly isEnabled: boolean;
  /** The target a socket name means for a sender at `host`. */
  find(name: string, host: string): string | undefined;
}

/** Sessions there are at most, whatever the ports. */
const MAX_SESSIONS = 200_000;

export class FakeMedia {
  constructor(
    readonly sessions: FakeSessions,
    readonly addresses: FakeAddresses,
    readonly release: Release,
    readonly limits: FakeLimits,
    readonly targets: NoticeTargets,
    readonly statistics: FakeStatistics,
  ) {}

  /** The reply to U or L without its line end. `host` is the sender's address. */
  run({ name, modifiers, words, subs: subWords }: FakeCommand, host: string): string {
    const [callId = '', address = '', port = '', from = '', ...rest] = words;
    // Two words more than the tags are a notify socket and its tag.
    const to = rest.length % 2 === 1 ? rest[0] : undefined;
    const socket = name === 'U' && rest.length > 1 ? rest.at(-2) : undefined;
    const tag = socket === undefined ? '' : unquote(rest.at(-1) ?? '');
    if (tag === undefined) return 'E10';
    const options = readOptions(modifiers, address, port, this.addresses, this.release);
    if (typeof options === 'string') return options;
    const subs: Sub[] = [];
    for (const one of subWords) {
      const sub = readSub(one, { name, hasAnswerer: to !== undefined }, this.addresses, this.release);
      if (sub === undefined) return 'E3';
      subs.push(sub);
    }
    const found = this.sessions.find(callId, from, to);
    if (name === 'L' && found === undefined) return '0';
    if (socket !== undefined && !this.targets.isEnabled && this.release.isStrict) return 'E75';
    // U is about the leg that faces the answerer, L about that of the offerer.
    const side = found === undefined ? 0 : name === 'U' ? found.side : otherSide(found.side);
    const session = found?.session ?? this.#create(callId, from, options);
    if (typeof session === 'string') return session;
    if (found !== undefined && !this.#update(session, side, options, name === 'U')) return 'E71';
    if (name === 'U') session.notice = this.#notice(socket, tag, host);
    session.legs[otherSide(side)].codecs = options.codecs;
    const reply = this.#shown(session, side);
    if (subs.length === 0) return reply;
    const target: SubTarget = { session, input: otherSide(side) };

    return reply + showResults(subs, target, this.sessions, (look) => this.#lookAgain(target, look));
  }

  #create(callId: string, tag: string, { place, places, isWeak }: MediaOptions): FakeSession | string {
    const { refuse, maxSessions } = this.limits;
    if (refuse !== '') return refuse;
    const { size } = this.sessions;
    if ((maxSessions >= 0 && size >= maxSessions) || size >= MAX_SESSIONS) return 'E72';
    const both: readonly [Place, Place] = place === undefined ? places : [place, place];

    return this.sessions.create(callId, tag, both, isWeak) ?? 'E72';
  }

  /** Opens a leg of a session if it has no port yet or wants another one; false if there is none. */
  #update(session: FakeSession, side: Side, options: MediaOptions, isOffer: boolean): boolean {
    const leg = session.legs[side];
    if (leg.port === 0 || options.isNewPort) {
      // Letters move an open leg only if they name both sides.
      const isMoved = options.isNewPort && options.namesBothSides && this.release.movesLegs;
      const moved = isMoved ? options.places[0] : leg.place;
      if (!this.sessions.openPort(leg, options.place ?? moved)) return false;
      if (!session.isComplete) {
        session.isComplete = true;
        session.ttl = session.streamTtl;
        this.statistics.add('nsess_complete');
      }
    }
    if (options.isWeak) leg.isWeak = true;
    else if (isOffer) session.isStrong = true;
    this.sessions.renew(session);

    return true;
  }

  /** `&& L`: opens the other leg in the same command. */
  #lookAgain(target: SubTarget, options: MediaOptions): string | undefined {
    const side = target.input;
    if (!this.#update(target.session, side, options, false)) return undefined;
    target.session.legs[otherSide(side)].codecs = options.codecs;
    target.input = otherSide(side);

    return this.#shown(target.session, side);
  }

  #notice(socket: string | undefined, tag: string, host: string): Notice | undefined {
    const target = socket === undefined ? undefined : this.targets.find(socket, host);

    return target === undefined ? undefined : { target, tag };
  }

  #shown(session: FakeSession, side: Side): string {
    const { port, place } = session.legs[side];
    const { wrongAddress, wrongPort } = this.limits;
    if (wrongAddress === '' && wrongPort === 0) return port + place.shown;
    const shown =
      wrongAddress === '' ? place.shown : ` ${wrongAddress}${wrongAddress.includes(':') ? ' 6' : ''}`;

    return (wrongPort === 0 ? port : wrongPort) + shown;
  }
}

/** Decodes `call%20n1`; undefined if it cannot be (reference: rtpproxy-protocol 3.6, E10). */
export function unquote(text: string): string | undefined {
  if (!text.includes('%') && !text.includes('+')) return text;
  let plain = '';
  for (let at = 0; at < text.length; at++) {
    const letter = text.charAt(at);
    if (letter === '+') plain += ' ';
    else if (letter !== '%') plain += letter;
    else {
      const hex = text.slice(at + 1, at + 3);
      if (!/^[0-9a-f]{2}$/i.test(hex)) return undefined;
      plain += String.fromCharCode(Number.parseInt(hex, 16));
      at += 2;
    }
  }

  return plain;
}
