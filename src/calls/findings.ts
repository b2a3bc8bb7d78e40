/** What the packets of a call tell a person: who is not heard, since when, and what to look at. Nothing acts on it. */

import type { Side } from '../domain/side.ts';
import type { CallStream } from '../relay/call-streams.ts';
import { sends, wants } from '../sdp/sections.ts';
import { addressHints, qualityHints } from './hints.ts';
import { about, lower, named, type Party, whereOf } from './party.ts';

/**
 * `not-answered`, `too-early`, `held`: why nothing can be told yet, or silence is no fault. `no-packets`: neither party is heard.
 * `one-way`: one is not. `stopped`: it was heard before. `lossy`: a party hears badly. `errors`: packets come and cannot be passed on.
 * `private-address`: a party outside says it is at an address that cannot be reached from there.
 */
export type FindingCode =
  | 'not-answered'
  | 'too-early'
  | 'held'
  | 'no-packets'
  | 'one-way'
  | 'stopped'
  | 'lossy'
  | 'errors'
  | 'private-address';

export interface Finding {
  readonly code: FindingCode;
  /** `problem`: somebody hears nothing. `warning`: look at it. `info`: good to know. */
  readonly level: 'problem' | 'warning' | 'info';
  /** The party it is about, whose packets are missing or who hears badly; null if it is about all. A byte string. */
  readonly tag: string | null;
  readonly side: Side | null;
  /** Which m= line, from 1; null if it is about all. */
  readonly index: number | null;
  /** What it means and what to check. */
  readonly text: string;
}

/** Media of a call this young may just not have begun, ms. */
const FRESH_MS = 3000;
/** Who pauses longer, ms, has stopped: silence suppression sends something every few seconds. */
const STOPPED_MS = 10_000;
/** A call that has answered for so long, ms, does not ring any more. */
const RINGING_MS = 180_000;
/** @param now UTC ms */
export function findingsOf(
  parties: readonly Party[],
  streams: readonly CallStream[],
  now: number,
): Finding[] {
  const media = streams.filter(({ isRtcp }) => !isRtcp);
  const caller = newest(parties.filter(({ isCaller }) => isCaller));
  const callee = calleeOf(parties, media);
  const hints = [...addressHints(parties, media), ...qualityHints(parties, media)];
  if (caller?.said == null || callee?.said == null) {
    const text =
      'The SDP of one party is not known: nobody has answered yet, or the call began elsewhere. So nobody can tell who is to send; the packets show who does.';

    return [general('not-answered', text), ...hints];
  }
  if (!parties.some(({ isConfirmed }) => isConfirmed)) {
    const text =
      'The call rings: there are SDP of both parties, but nobody has answered for good. Until then many phones send nothing, so nobody is missed.';

    return [general('not-answered', text), ...hints];
  }
  if (now - Math.max(caller.changedAt, callee.changedAt) < FRESH_MS) {
    const text = `The last SDP is less than ${FRESH_MS / 1000} s old, so packets may not have come yet.`;

    return [general('too-early', text), ...hints];
  }
  const pair = { caller, callee, media, parties, now };
  const count = Math.min(caller.said.length, callee.said.length);

  return [...Array.from({ length: count }, (_, index) => judge(pair, index)).flat(), ...hints];
}

interface Pair {
  readonly caller: Party;
  readonly callee: Party;
  readonly media: readonly CallStream[];
  readonly parties: readonly Party[];
  readonly now: number;
}

/** What is to be said of one m= line of both parties. */
function judge({ caller, callee, media, parties, now }: Pair, at: number): Finding[] {
  const index = at + 1;
  const [one, other] = [caller.said?.[at], callee.said?.[at]];
  if (one === undefined || other === undefined) return [];
  if (!/^(?:audio|video)$/i.test(one.media) || one.isBundled || other.isBundled) return [];
  if (one.mode === 'off' || other.mode === 'off') return [];
  const ways = [
    {
      party: caller,
      hearer: callee,
      isDue: sends(one) && wants(other),
      ...packetsOf(caller, index, media, parties),
    },
    {
      party: callee,
      hearer: caller,
      isDue: sends(other) && wants(one),
      ...packetsOf(callee, index, media, parties),
    },
  ];
  const due = ways.filter(({ isDue }) => isDue);
  if (due.length === 0) {
    const text = `The ${one.media} is on hold (${one.mode}, ${other.mode}): no packets are due.`;

    return [{ code: 'held', level: 'info', tag: null, side: null, index, text }];
  }
  // Who holds a call may play music, and mostly plays nothing.
  if (due.length === 1) return due.flatMap((way) => holding(way, index, one.media, now));
  const isVideo = /^video$/i.test(one.media);
  const level = isVideo ? 'info' : 'problem';
  const misses = isVideo ? 'sees' : 'hears';
  const excuse = isVideo ? ' A camera that is off sends nothing either.' : ringing(caller, callee, now);
  const silent = due.filter(({ packets }) => packets === 0);
  if (silent.length > 1) {
    const text = `Nobody ${misses} anything: the relay has no ${one.media} packets from either party. ${ways.map(({ party }) => whereOf(party, at)).join(' ')} Check that both can reach these addresses and ports: firewalls, routes, and whether the media addresses of the node are right for the sides.${excuse}`;

    return [{ code: 'no-packets', level, tag: null, side: null, index, text }];
  }
  const stopped = due.filter((way) => hasStopped(way, now));
  // Of one alone no clock is needed: the other one's packets are newer.
  const doubt =
    stopped.length === due.length - silent.length
      ? ' As all packets of the call are that old, the clock of the relay may be slow as well: compare it with the one here.'
      : '';

  return [
    ...silent.map(({ party, hearer }): Finding => {
      const text = `${named(hearer)} ${misses} nothing: no ${one.media} packets of ${lower(party)} have reached the relay, while those of ${lower(hearer)} ${doubt === '' ? 'do' : 'did'}. ${whereOf(party, at)} Check that it can reach this address and port: a firewall or NAT on its side, or a wrong direction of the call, which tells it an address of another network.${excuse}`;

      return { code: 'one-way', level, ...about(party), index, text };
    }),
    ...stopped.map((way): Finding => {
      const text = `${named(way.hearer)} ${misses} nothing any more: the last ${one.media} packet of ${lower(way.party)} came ${ageOf(way, now)} s ago. Its network or device may be gone, or it went on hold or mute without saying so; relays end calls without packets after a while.${doubt}`;

      return {
        code: 'stopped',
        level: doubt === '' || isVideo ? level : 'warning',
        ...about(way.party),
        index,
        text,
      };
    }),
  ];
}

/** Packets of one party to the other. */
interface Way {
  readonly party: Party;
  readonly hearer: Party;
  readonly packets: number;
  /** UTC ms; null if it is not known. */
  readonly lastPacketAt: number | null;
}

function ageOf({ lastPacketAt }: Way, now: number): number | null {
  return lastPacketAt === null ? null : Math.round((now - lastPacketAt) / 1000);
}

function hasStopped({ lastPacketAt }: Way, now: number): boolean {
  return lastPacketAt !== null && now - lastPacketAt >= STOPPED_MS;
}

/** What is to be said of somebody who sends while the other one does not. */
function holding(way: Way, index: number, media: string, now: number): Finding[] {
  if (way.packets > 0 && !hasStopped(way, now)) return [];
  const since = way.packets === 0 ? '' : ` any more (the last packet came ${ageOf(way, now)} s ago)`;
  const text = `The ${media} goes one way only, as on hold: ${lower(way.party)} is to send and sends nothing${since}, so ${lower(way.hearer)} hears silence. If music is to be played, look at the one who holds.`;

  return [{ code: 'held', level: 'info', ...about(way.party), index, text }];
}

/** What speaks for a call that may not be answered yet: only SIP messages tell an answer for good from an early one. */
function ringing(caller: Party, callee: Party, now: number): string {
  return now - Math.max(caller.changedAt, callee.changedAt) < RINGING_MS
    ? ' If it still rings (proxies that name operations in place of SIP messages do not tell), wait for the answer: many phones send nothing before.'
    : '';
}

/**
 * What came from a party. Relays count what a forked callee sends under another one of them when he was told the port of the first
 * (ng-protocol 7), so of a callee without packets those of the callees who did not answer for good count.
 */
function packetsOf(party: Party, index: number, media: readonly CallStream[], parties: readonly Party[]) {
  const own = media.filter((each) => each.index === index && each.tag === party.tag);
  const isHeard = own.some(({ packets }) => packets > 0);
  const counted =
    isHeard || party.isCaller
      ? own
      : media.filter((each) => {
          const sender = parties.find(({ tag }) => tag === each.tag);

          return (
            each.index === index &&
            sender?.isCaller !== true &&
            (sender === party || sender?.isConfirmed !== true)
          );
        });
  const times = counted.flatMap(({ lastPacketAt }) => lastPacketAt ?? []);

  return {
    packets: counted.reduce((sum, { packets }) => sum + packets, 0),
    lastPacketAt: times.length === 0 ? null : Math.max(...times),
  };
}

/** The callee that counts: who answered for good, else who sends, else who spoke last. */
function calleeOf(parties: readonly Party[], media: readonly CallStream[]): Party | undefined {
  const callees = parties.filter(({ isCaller, said }) => !isCaller && said !== null);
  const sending = callees.filter(({ tag }) => media.some((each) => each.tag === tag && each.packets > 0));

  return newest(callees.filter(({ isConfirmed }) => isConfirmed)) ?? newest(sending) ?? newest(callees);
}

function newest(parties: readonly Party[]): Party | undefined {
  return parties.reduce<Party | undefined>(
    (last, party) => (last === undefined || party.changedAt > last.changedAt ? party : last),
    undefined,
  );
}

function general(code: FindingCode, text: string): Finding {
  return { code, level: 'info', tag: null, side: null, index: null, text };
}
