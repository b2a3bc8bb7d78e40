/** What a fake rtpproxy does with control commands: text in, text out, no socket (reference: rtpproxy-protocol 3). */

import { existsSync } from 'node:fs';
import type { FakeAddresses } from './fake-addresses.ts';
import { type FakeCommand, readCommand } from './fake-command.ts';
import type { FakeMedia } from './fake-media.ts';
import { type FakeSession, type Leg, matchTag, otherSide, type Side } from './fake-session.ts';
import type { FakeSessions } from './fake-sessions.ts';
import { type FakeStatistics, queryReply } from './fake-statistics.ts';
import { readSub, type Sub, showResults } from './fake-subcommands.ts';
import type { Release } from './fake-version.ts';

const BASE_VERSION = '20040107';

export interface FakeCommandsOptions {
  readonly release: Release;
  /** Whether it has a folder for recordings; nothing is written there. */
  readonly canRecord: boolean;
}

export class FakeCommands {
  constructor(
    readonly options: FakeCommandsOptions,
    readonly sessions: FakeSessions,
    readonly addresses: FakeAddresses,
    readonly media: FakeMedia,
    readonly statistics: FakeStatistics,
  ) {}

  /** The reply to the command that begins at `from`, without its line end. `host` is the sender's address. */
  handle(text: string, from: number, host: string): string {
    this.statistics.add('ncmds_rcvd');
    const command = readCommand(text, from, this.options.release);
    const reply = typeof command === 'string' ? command : this.#run(command, host);
    // Port 0 is how L fails.
    const isLost = typeof command !== 'string' && command.name === 'L' && reply.startsWith('0');
    const isFailure = isLost || reply.startsWith('E');
    this.statistics.add(isFailure ? 'ncmds_errs' : 'ncmds_succd');
    this.statistics.add('ncmds_repld');

    return reply;
  }

  #run(command: FakeCommand, host: string): string {
    const { name, modifiers, words } = command;
    switch (name) {
      case 'U':
      case 'L':
        return this.media.run(command, host);
      case 'D':
        return this.#delete(modifiers, words);
      case 'V':
        return BASE_VERSION;
      case 'VF':
        return this.options.release.knows(words[0] ?? '', this.media.targets.isEnabled) ? '1' : '0';
      case 'Q':
        return this.#query(command);
      case 'I':
        return this.statistics.info(modifiers);
      case 'G':
        return this.statistics.counters(modifiers, words, this.options.release.countsLoss);
      case 'X':
        this.sessions.endAll();

        return '0';
      case 'P':
        return this.#play(modifiers, words);
      case 'S':
        return this.#stopPlaying(words);
      case 'R':
        return this.#record(modifiers, words);
      case 'N':
        return this.#stopRecording(modifiers, words);
      default:
        return this.#copy(modifiers, words);
    }
  }

  #delete(modifiers: string, [callId = '', from = '', to]: readonly string[]): string {
    for (const letter of modifiers) if (letter !== 'w' && letter !== 'W') return 'E8';

    return this.sessions.delete(callId, from, to, modifiers !== '') ? '0' : 'E50';
  }

  #query({ name, modifiers, words, subs: subWords }: FakeCommand): string {
    const [callId = '', from = '', to, ...names] = words;
    const { release } = this.options;
    const subs: Sub[] = [];
    for (const one of subWords) {
      const sub = readSub(one, { name, hasAnswerer: to !== undefined }, this.addresses, release);
      if (sub === undefined) return 'E3';
      subs.push(sub);
    }
    const found = this.sessions.find(callId, from, to);
    if (found === undefined) return 'E50';
    const reply = queryReply(modifiers, names, this.sessions.remaining(found.session), release.countsLoss);
    if (subs.length === 0 || reply.startsWith('E')) return reply;
    const target = { session: found.session, input: otherSide(found.side) };

    return reply + showResults(subs, target, this.sessions, () => undefined);
  }

  #play(count: string, [callId = '', prompt = '', codecs = '', from = '', to]: readonly string[]): string {
    if (count !== '' && !/^[+-]?\d+$/.test(count)) return 'E17';
    const found = this.sessions.find(callId, from, to);
    if (found === undefined) return 'E50';
    const leg = found.session.legs[otherSide(found.side)];
    this.sessions.stopPlaying(leg);
    const types = codecs === 'session' ? leg.codecs : codecs;
    if (types === undefined) return 'E35';
    if (Number(count || '1') === 0) return '0';
    // A prompt is a file per payload type on the node.
    if (!types.split(',').some((type) => existsSync(`${prompt}.${type}`))) return 'E60';
    leg.isPlaying = true;
    this.statistics.add('nplrs_created');

    return '0';
  }

  #stopPlaying([callId = '', from = '', to]: readonly string[]): string {
    const found = this.sessions.find(callId, from, to);
    if (found === undefined) return 'E50';
    this.sessions.stopPlaying(found.session.legs[otherSide(found.side)]);

    return '0';
  }

  #record(modifiers: string, [callId = '', from = '', to]: readonly string[]): string {
    const defect = this.#recordDefect(modifiers);
    if (defect !== undefined) return defect;
    let recorded = 0;
    for (const [session, side] of this.#matching(callId, from, to)) {
      if (this.#toFile(session.legs[side])) recorded++;
    }

    return recorded === 0 ? 'E50' : '0';
  }

  #recordDefect(modifiers: string, isCopy = false): string | undefined {
    for (const letter of modifiers.toLowerCase()) {
      if (letter === 's') continue;
      if (letter !== 'p' || !this.options.release.hasLabels) return 'E7';
      if (!isCopy) return 'E6';
    }

    return undefined;
  }

  #stopRecording(modifiers: string, [callId = '', from = '', to]: readonly string[]): string {
    const isAll = /^a/i.test(modifiers);
    if (modifiers.length > (isAll ? 1 : 0)) return isAll ? 'E6' : 'E7';
    let stopped = 0;
    for (const [session, side] of this.#matching(callId, from, to)) {
      if (this.sessions.stopCopy(session.legs[side])) stopped++;
      if (isAll && this.sessions.stopCopy(session.legs[otherSide(side)])) stopped++;
    }

    return stopped === 0 ? 'E50' : '0';
  }

  #copy(modifiers: string, [callId = '', target = '', from = '', to]: readonly string[]): string {
    const defect = this.#recordDefect(modifiers, true);
    if (defect !== undefined) return defect;
    const found = this.sessions.find(callId, from, to);
    if (found === undefined) return 'E50';
    const leg = found.session.legs[otherSide(found.side)];
    const tellsPort = /p/i.test(modifiers);
    if (target.startsWith('udp:')) return this.#copyTo(target.slice(4), leg, tellsPort) ?? 'E65';

    return !tellsPort && this.#toFile(leg, target) ? '0' : 'E65';
  }

  /** Copies a leg into a file, unless it is copied somewhere already; a folder within that of recordings does not exist. */
  #toFile(leg: Leg, name = ''): boolean {
    if (leg.copy === undefined && this.options.canRecord && !name.includes('/')) leg.copy = 'file';

    return leg.copy !== undefined;
  }

  /** Sends a leg's packets to HOST:PORT too, from a port of its own. */
  #copyTo(target: string, leg: Leg, tellsPort: boolean): string | undefined {
    const colon = target.lastIndexOf(':');
    const place = colon < 0 ? undefined : this.addresses.towards(target.slice(0, colon));
    if (place === undefined) return undefined;
    if (!this.options.release.copiesFromPort) {
      leg.copy ??= 'file';

      return '0';
    }
    const port = this.sessions.ports.take(place);
    if (port === 0) return undefined;
    if (leg.copy === undefined) leg.copy = { place, port };
    else this.sessions.ports.give(place, port);

    return tellsPort ? port + place.shown : '0';
  }

  /** Sessions that tags mean with or without their media number, and the leg of the party named first. */
  #matching(callId: string, from: string, to: string | undefined): [FakeSession, Side][] {
    const matching: [FakeSession, Side][] = [];
    for (const session of this.sessions.of(callId)) {
      if (matchTag(session.tag, from) !== 0) matching.push([session, 1]);
      else if (to !== undefined && matchTag(session.tag, to) !== 0) matching.push([session, 0]);
    }

    return matching;
  }
}
