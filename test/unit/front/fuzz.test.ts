import { describe, expect, test } from 'bun:test';
import { Exchange, MAX_COOKIE } from '../../../src/front/exchange.ts';
import type { NgDict, NgValue } from '../../../src/relay/driver.ts';
import { DecodeError, decode, encodeText, isDict, MAX_BYTES } from '../../../src/relay/ng/bencode.ts';
import { deleteMessage, mediaMessage, plainMessage } from '../../../src/relay/ng/message.ts';
import { familyOf } from '../../../src/util/ip.ts';
import { innerOf, outerOf } from '../../fakes/cluster.ts';
import { NgFuzz } from '../../lab/ng-fuzz.ts';
import { makeFront } from './front.ts';
import { logged } from './logged.ts';

/** `FUZZ` asks for another number of datagrams and for a report, `SEED` for other ones. */
const DATAGRAMS = Number(Bun.env.FUZZ ?? 100_000);
const SEED = Number(Bun.env.SEED ?? 20_261_123);
const AT_ONCE = 50;
/** Time between two lots, ms: what is kept for retransmissions is forgotten on the way. */
const PAUSE_MS = 500;
const MAX_GROWTH = 48 * 2 ** 20;
const OURS: ReadonlySet<unknown> = new Set([0, 1].flatMap((id) => [innerOf(id), outerOf(id)]));
const NODES = [0, 1];
/** Commands whose reply brings an SDP for somebody to read. */
const SHOWING: ReadonlySet<unknown> = new Set(['offer', 'answer', 'subscribe request', 'publish']);

const events = logged();

/** What a relay gets of this message, as it reads it; what is wrong with it comes as a text. */
function faultOnWire(message: NgDict, sent: string): string | undefined {
  const text = encodeText(message);
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length > MAX_BYTES) return `it has ${bytes.length} bytes`;
  const read = decode(bytes);
  if (read instanceof DecodeError) return `it cannot be read: ${read.reason}`;
  if (!isDict(read) || encodeText(read) !== text) return 'it is read as something else';
  const own = Object.keys(read).filter((key) => /^(cluster[-_ ]|(direction|rtpp[-_ ]flags)$)/i.test(key));
  if (own.length > 0) return `it has ${own.join(', ')}`;
  const address = read['media-address'];
  // Elsewhere it is a key without a meaning.
  if (!SHOWING.has(message.command) || OURS.has(address)) return undefined;
  // A piece of an SDP for the relay alone: none comes back.
  if (!String(read.sdp).startsWith('v=') && JSON.stringify(read.flags ?? []).includes('fragment'))
    return undefined;
  const isTheirs = typeof address === 'string' && familyOf(address) !== undefined && sent.includes(address);

  return isTheirs ? undefined : `media-address is ${JSON.stringify(address)}`;
}

/** The datagrams of a lot that name the call, for whoever looks for the cause. */
function suspects(lot: readonly Buffer[], { 'call-id': callId }: NgDict): string[] {
  return lot
    .filter((datagram) => datagram.includes(String(callId), 0, 'latin1'))
    .map((each) => each.toString('base64'));
}

/** The reply as a client reads it; undefined if he could not. */
function readReply(datagram: Buffer, reply: Buffer): NgDict | undefined {
  const cookie = datagram.subarray(0, datagram.indexOf(0x20) + 1);
  if (reply.length > MAX_BYTES || !reply.subarray(0, cookie.length).equals(cookie)) return undefined;
  const payload = reply.subarray(cookie.length);
  const value: NgValue | DecodeError =
    payload[0] === 0x7b ? JSON.parse(payload.toString('utf8')) : decode(payload);

  return value instanceof DecodeError || !isDict(value) ? undefined : value;
}

function heapNow(): number {
  Bun.gc(true);

  return process.memoryUsage().heapUsed;
}

describe(`${DATAGRAMS} hostile datagrams`, () => {
  test('never throw, are answered with what can be read, make no memory grow, and no relay gets anything that is not ours to send', async () => {
    const front = makeFront();
    const { clock } = front;
    const exchange = new Exchange(front.commands.handle, clock);
    const fuzz = new NgFuzz(SEED);
    const faults: unknown[] = [];
    const results = new Map<string, number>();
    const relayed = new Map<string, number>();
    const count = (map: Map<string, number>, key: string): void => {
      map.set(key, (map.get(key) ?? 0) + 1);
    };

    /** Takes what the fake relays were asked since the last time. */
    const checkRelays = (lot: readonly Buffer[]): void => {
      const sent = lot.map((datagram) => datagram.toString('latin1')).join('\n');
      for (const id of NODES) {
        const relay = front.relay(id);
        const messages = [
          ...relay.offers.splice(0).map((request) => mediaMessage('offer', request)),
          ...relay.answers.splice(0).map((request) => mediaMessage('answer', request)),
          ...relay.deletes.splice(0).map(deleteMessage),
          ...relay.commands.splice(0).map(plainMessage),
        ];
        for (const message of messages) {
          count(relayed, String(message.command));
          const fault = faultOnWire(message, sent);
          if (fault !== undefined) faults.push([fault, message, suspects(lot, message)]);
        }
        for (const list of [relay.queries, relay.commanded, relay.deadlines]) list.length = 0;
      }
      front.trace.length = 0;
    };

    const checkReply = (datagram: Buffer, reply: Buffer | undefined): void => {
      const space = datagram.indexOf(0x20);
      if (space <= 0 || space > MAX_COOKIE) {
        if (reply !== undefined) faults.push(['a reply without a cookie', datagram.toString('base64')]);
        count(results, 'silence');

        return;
      }
      const read = reply === undefined ? undefined : readReply(datagram, reply);
      if (typeof read?.result !== 'string') {
        faults.push(['no reply that can be read', datagram.toString('base64'), reply?.toString('latin1')]);
      }
      const { result, 'error-reason': reason } = read ?? {};
      count(results, result === 'error' ? String(reason).split(' ').slice(0, 2).join(' ') : String(result));
    };

    const run = async (datagrams: number): Promise<void> => {
      for (let left = datagrams; left > 0 && faults.length < 3; left -= AT_ONCE) {
        const lot = Array.from({ length: AT_ONCE }, () => fuzz.next());
        const replies = await Promise.all(
          lot.map((datagram, index) => exchange.take(datagram, `127.0.0.${index % 3}`, 0)),
        );
        for (const [index, datagram] of lot.entries()) checkReply(datagram, replies[index]);
        checkRelays(lot);
        await clock.advance(PAUSE_MS);
        checkRelays(lot);
      }
    };

    // Calls, traces and what is remembered for a while are there after these.
    await run(DATAGRAMS / 4);
    const before = heapNow();
    await run((DATAGRAMS * 3) / 4);
    const grown = heapNow() - before;

    expect(faults.slice(0, 1)).toEqual([]);
    expect(exchange.underWay).toBe(0);
    expect(exchange.counters.defects).toBe(0);
    expect([...results.keys()].filter((result) => /^(Internal|RTPC_INTERNAL)/.test(result))).toEqual([]);
    expect((await events()).filter(({ event }) => String(event).endsWith('.defect'))).toEqual([]);
    expect(grown).toBeLessThan(MAX_GROWTH);
    if (Bun.env.FUZZ !== undefined) console.log({ grown, counters: exchange.counters, results, relayed });
    // The generator is worth something: much comes through to a relay, and all kinds of it.
    expect(['delete', 'play media', 'block media'].filter((command) => !relayed.has(command))).toEqual([]);
    expect(relayed.get('offer')).toBeGreaterThan(DATAGRAMS / 50);
    expect(relayed.get('answer')).toBeGreaterThan(DATAGRAMS / 200);
  }, 600_000);
});
