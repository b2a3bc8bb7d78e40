/**
 * What the fake node does with ng commands: the replies, error texts and warnings of rtpengine 10.5.3.5, without any media
 * (reference: ng-protocol 3, 4, 7, 8, 10). No socket: dictionaries in, dictionaries out.
 */

import type { Clock } from '../../util/clock.ts';
import { familyOf, isUnspecified } from '../../util/ip.ts';
import type { NgDict } from '../driver.ts';
import { FakePorts } from '../fake/ports.ts';
import { findLegs, matchLeg } from './fake-dialogue.ts';
import { FakeCall, type FakeLeg } from './fake-legs.ts';
import { error, fold, text, words } from './fake-message.ts';
import { readSdp, rewriteSdp } from './fake-sdp.ts';
import { FakeStatistics } from './fake-statistics.ts';

export interface FakeCallsOptions {
  /** The address media is said to be on, and that of the other family if there is one. */
  readonly address: string;
  readonly address6: string | undefined;
  readonly portMin: number;
  readonly portMax: number;
  /** Calls at most; negative = no limit, 0 = no new calls. May change at run time. */
  maxSessions: number;
  /** Seconds between a delete that names no delay and the end of the call. */
  readonly deleteDelaySec: number;
  /** Text of the refusal of new calls, '' = none. */
  refuse: string;
  /** Shown in SDP in place of the right address, '' = not. */
  wrongAddress: string;
}

/** Calls without ports (left behind by broken offers) would otherwise have no limit. */
const MAX_CALLS = 200_000;
const WARNING = "Call-ID not found or tags didn't match";
const SESSIONS = 'Parallel session limit reached';
/** Limits a `load limit` reply may name; without `supports` all of them are told as the first one. */
const LOAD_LIMITS: ReadonlySet<string> = new Set([
  SESSIONS,
  'CPU usage limit exceeded',
  'Load limit exceeded',
  'Bandwidth limit exceeded',
]);
/** Commands for a known call that do nothing here, and how rtpengine spells the error for an unknown one. */
const ON_CALL: ReadonlyMap<string, string> = new Map([
  ['start recording', 'Unknown call-id'],
  ['stop recording', 'Unknown call-id'],
  ['pause recording', 'Unknown call-id'],
  ...[
    'start forwarding',
    'stop forwarding',
    'block DTMF',
    'unblock DTMF',
    'block media',
    'unblock media',
    'silence media',
    'unsilence media',
    'play media',
    'stop media',
    'play DTMF',
    'subscribe request',
    'subscribe answer',
    'unsubscribe',
  ].map((command): [string, string] => [command, 'Unknown call-ID']),
]);

export class FakeCalls {
  readonly statistics: FakeStatistics;
  readonly #calls = new Map<string, FakeCall>();
  /** Calls, or legs of them, that end later; times are monotonic milliseconds. */
  readonly #ending = new Map<FakeCall, { readonly leg: FakeLeg | undefined; readonly at: number }>();
  #ports: FakePorts;
  #sweptAt = 0;

  constructor(
    readonly options: FakeCallsOptions,
    readonly clock: Clock,
  ) {
    this.#ports = new FakePorts(options.portMin, options.portMax);
    this.statistics = new FakeStatistics(clock);
  }

  /** Calls now, those in their delete delay included. */
  get size(): number {
    return this.#calls.size;
  }

  get usedPorts(): number {
    return this.#ports.used;
  }

  has(callId: string): boolean {
    return this.#calls.has(callId);
  }

  /** Forgets everything, as a restart does. */
  clear(): void {
    this.#calls.clear();
    this.#ending.clear();
    this.#ports = new FakePorts(this.options.portMin, this.options.portMax);
    this.statistics.clear();
  }

  /** Does what a message asks. `client` is the sender's address. */
  handle(message: NgDict, client: string): NgDict {
    this.#sweep();
    const { command } = message;
    if (typeof command !== 'string') return error('Dictionary contains no key "command"');
    const reply = this.#run(command, message);
    this.statistics.count(command, client, reply.result === 'error');

    return reply;
  }

  #run(command: string, message: NgDict): NgDict {
    switch (command) {
      case 'ping':
        return { result: 'pong' };
      case 'offer':
      case 'answer':
        return this.#media(command, message);
      case 'delete':
        return this.#delete(message);
      case 'query':
        return this.#query(message);
      case 'list':
        return this.#list(message);
      case 'statistics':
        return {
          statistics: this.statistics.report(this.size, this.options.address, this.#ports),
          result: 'ok',
        };
      default:
        return this.#onCall(command, message);
    }
  }

  #onCall(command: string, message: NgDict): NgDict {
    const unknown = ON_CALL.get(command);
    if (unknown === undefined) return error('Unrecognized command');
    const callId = text(message, 'call-id');
    if (callId === undefined) return error('No call-id in message');
    if (!this.#calls.has(callId)) return error(unknown);
    if (command.includes('subscribe')) return error('The fake relay has no subscriptions');
    if (command !== 'play media') return { result: 'ok' };
    const hasSource = ['file', 'blob', 'db-id'].some((key) => message[key] !== undefined);

    return hasSource ? { duration: 1000, result: 'ok' } : error('No media file specified');
  }

  #media(command: 'offer' | 'answer', message: NgDict): NgDict {
    const sdp = text(message, 'sdp') ?? text(message, 'SDP');
    const callId = text(message, 'call-id');
    const fromTag = text(message, 'from-tag');
    const toTag = text(message, 'to-tag');
    if (sdp === undefined) return error('No SDP body in message');
    if (callId === undefined) return error('No call-id in message');
    if (fromTag === undefined) return error('No from-tag in message');
    if (command === 'answer' && toTag === undefined) return error('No to-tag in message');
    // A trickle fragment is taken for any call, known or not (fixture webrtc.04).
    if (words(message, 'flags').includes('fragment')) return { result: 'ok' };
    let call = this.#calls.get(callId);
    if (call === undefined) {
      const refusal = command === 'answer' ? error('Unknown call-id') : this.#refusal(message);
      if (refusal !== undefined) return refusal;
      const now = this.clock.utc();
      call = new FakeCall(callId, now, Math.floor(this.clock.monotonic() * 1000) % 1_000_000, this.#ports);
    }
    const parsed = sdp === '' ? '' : readSdp(sdp);
    if (typeof parsed === 'string') {
      // These two leave a call behind for good: no stream, no timer (ng-protocol 3.1).
      if (parsed === '' || parsed === 'Error rewriting SDP') this.#keep(call);
      return parsed === '' ? { result: 'ok' } : error(parsed);
    }
    const legs = findLegs(call, command, fromTag, toTag, text(message, 'via-branch') ?? '', this.#nowSec());
    if (typeof legs === 'string') return error(legs);
    const [sender, reader] = legs;
    call.lastSignal = this.#nowSec();
    this.#ending.delete(call);
    if (!call.open(parsed.medias, sender, reader)) {
      // Established or not, the call is gone (ng-protocol 3.1).
      this.#drop(call);
      return error('Ran out of ports');
    }
    this.#keep(call);
    const flags = words(message, 'flags').map(fold);
    const replace = words(message, 'replace').map(fold);

    return {
      sdp: rewriteSdp(parsed, {
        ...this.#shownAddress(message, parsed.medias[0]?.address ?? ''),
        ports: parsed.medias.map((media, i) => (media.port === 0 ? 0 : (reader.streams[i]?.port ?? 0))),
        replaceOrigin: replace.includes('origin'),
        replaceSession: replace.includes('session-connection'),
        fullRtcp: flags.includes('full-rtcp-attribute'),
        noRtcp: flags.includes('no-rtcp-attribute'),
        protocol: text(message, 'transport-protocol') ?? '',
        ice: text(message, 'ICE') ?? '',
      }),
      result: 'ok',
    };
  }

  /** The literal of media-address counts, brackets or not; anything else is ignored without error (ng-protocol 5.2). */
  #shownAddress(message: NgDict, sender: string): { address: string; isImposed: boolean } {
    const { address, address6, wrongAddress } = this.options;
    if (wrongAddress !== '') return { address: wrongAddress, isImposed: true };
    const imposed = (text(message, 'media-address') ?? '').replace(/^\[(.*)\]$/, '$1');
    if (familyOf(imposed) !== undefined && !isUnspecified(imposed))
      return { address: imposed, isImposed: true };
    const family = text(message, 'address-family') ?? familyOf(sender) ?? 'IP4';

    return { address: family === 'IP6' ? (address6 ?? address) : address, isImposed: false };
  }

  /** Why a new call is not taken, if it is not. */
  #refusal(message: NgDict): NgDict | undefined {
    const { maxSessions, refuse } = this.options;
    const isFull = (maxSessions >= 0 && this.#calls.size >= maxSessions) || this.#calls.size >= MAX_CALLS;
    if (!isFull && refuse === '') return undefined;
    if (isFull) this.statistics.rejected++;
    const reason = isFull || refuse === 'load limit' ? SESSIONS : refuse;
    if (!LOAD_LIMITS.has(reason)) return error(reason);

    return words(message, 'supports').includes('load limit')
      ? { result: 'load limit', message: reason }
      : error(SESSIONS);
  }

  #delete(message: NgDict): NgDict {
    const callId = text(message, 'call-id');
    if (callId === undefined) return error('No call-id in message');
    const call = this.#calls.get(callId);
    const fromTag = text(message, 'from-tag') ?? '';
    const toTag = text(message, 'to-tag') ?? '';
    const branch = text(message, 'via-branch') ?? '';
    const leg = call === undefined || fromTag === '' ? undefined : matchLeg(call, fromTag, toTag, branch);
    if (call === undefined || (fromTag !== '' && leg === undefined)) {
      return words(message, 'flags').includes('fatal') ? error(WARNING) : { warning: WARNING, result: 'ok' };
    }
    const shown = call.byTag(toTag) ?? call.byTag(fromTag) ?? leg;
    const report =
      leg === undefined || shown === undefined
        ? {}
        : call.report([shown, ...shown.subscriptions], this.options.address);
    const asked = Number(message['delete-delay'] ?? message['delete delay'] ?? -1);
    const delayMs = 1000 * (asked >= 0 ? asked : this.options.deleteDelaySec);
    if (delayMs > 0) this.#ending.set(call, { leg, at: this.clock.monotonic() + delayMs });
    else this.#end(call, leg);

    return { ...report, result: 'ok' };
  }

  #query(message: NgDict): NgDict {
    const callId = text(message, 'call-id');
    if (callId === undefined) return error('No call-id in message');
    const call = this.#calls.get(callId);
    if (call === undefined) return error('Unknown call-id');
    const tag = text(message, 'from-tag') ?? text(message, 'to-tag');
    const leg = tag === undefined ? undefined : call.byTag(tag);
    const legs = tag === undefined ? call.legs : leg === undefined ? [] : [leg, ...leg.subscriptions];

    return { ...call.report(legs, this.options.address), result: 'ok' };
  }

  #list(message: NgDict): NgDict {
    const limit = Number(message.limit ?? 32);
    if (limit < 0) return error('invalid limit, must be >= 0');
    const calls: string[] = [];
    for (const callId of this.#calls.keys()) {
      if (calls.length >= limit) break;
      calls.push(callId);
    }

    return { calls, result: 'ok' };
  }

  #keep(call: FakeCall): void {
    this.#calls.set(call.callId, call);
  }

  #end(call: FakeCall, leg: FakeLeg | undefined): void {
    this.#ending.delete(call);
    if (leg === undefined) call.endAll();
    else call.end(leg);
    if (call.isOver) this.#drop(call);
  }

  #drop(call: FakeCall): void {
    call.endAll();
    this.#ending.delete(call);
    if (this.#calls.delete(call.callId)) this.statistics.ended(this.clock.utc() - call.createdMs);
  }

  /** Ends what is due, at most ten times a second. */
  #sweep(): void {
    if (this.#ending.size === 0) return;
    const now = this.clock.monotonic();
    if (now - this.#sweptAt < 100) return;
    this.#sweptAt = now;
    for (const [call, { leg, at }] of this.#ending) {
      if (at <= now) this.#end(call, leg);
    }
  }

  #nowSec(): number {
    return Math.floor(this.clock.utc() / 1000);
  }
}
