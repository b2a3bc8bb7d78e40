/** A driver on a scripted control socket, and what it is asked for in these tests. */

import type { MediaReply, MediaRequest } from '../../../../src/relay/driver.ts';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import { RtpproxyDriver } from '../../../../src/relay/rtpproxy/driver.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { type Answers, FakeRtpproxyClient } from '../../../fakes/rtpproxy-client.ts';

export const DEADLINE = 1_000_900;
export const NOTICES = 'tcp:192.0.2.50:9000';

/** A party as its SDP shows it; a port of 0 is a stream that is off. */
export interface Party {
  readonly at?: string;
  readonly ports?: readonly number[];
  /** Formats of every m= line; only for RTP. */
  readonly formats?: string;
  readonly transport?: string;
  readonly attributes?: readonly string[];
}

export const ALICE = { at: '10.0.0.5', ports: [4000] } as const;
export const BOB = { at: '192.0.2.77', ports: [5000] } as const;

export function sdpOf(party: Party = ALICE): string {
  const { at = '10.0.0.5', ports = [4000], formats = '0 8', transport = 'RTP/AVP', attributes = [] } = party;
  const family = at.includes(':') ? 'IP6' : 'IP4';

  return [
    'v=0',
    `o=- 1 1 IN ${family} ${at}`,
    's=caf\xe9',
    `c=IN ${family} ${at}`,
    't=0 0',
    ...ports.flatMap((port, index) => [
      `m=${index === 0 ? 'audio' : 'video'} ${port} ${transport} ${formats}`,
      ...attributes,
    ]),
    '',
  ].join('\r\n');
}

/** The offer that begins a call from A; its answer is shown 203.0.113.9. */
export const FIRST: MediaRequest = {
  callId: 'c1',
  fromTag: 'A',
  sdp: sdpOf(),
  address: '203.0.113.9',
  family: 'IP4',
  isNew: true,
  extra: {},
};

/** An answer by B, or any other request inside the dialog. */
export const INSIDE: MediaRequest = { ...FIRST, toTag: 'B', isNew: false };

export function drive(answers?: Answers, noticeSocket: string | null = null) {
  const clock = new FakeClock();
  const client = new FakeRtpproxyClient(answers);
  const driver = new RtpproxyDriver(client, clock, { noticeSocket });
  const offer = (change: Partial<MediaRequest> = {}) => driver.offer({ ...FIRST, ...change }, DEADLINE);
  const answer = (change: Partial<MediaRequest> = {}) => driver.answer({ ...INSIDE, ...change }, DEADLINE);

  return { clock, client, driver, offer, answer };
}

/** The commands of one offer to a good daemon. */
export async function offered(change: Partial<MediaRequest> = {}): Promise<string[]> {
  const { client, offer } = drive();
  await offer(change);

  return client.commands;
}

/** The commands of one answer to a good daemon. */
export async function answered(change: Partial<MediaRequest> = {}): Promise<string[]> {
  const { client, answer } = drive();
  await answer({ sdp: sdpOf(BOB), ...change });

  return client.commands;
}

export function done(reply: MediaReply | RelayFailure): MediaReply {
  if (reply instanceof RelayFailure) throw new Error(`${reply.kind}: ${reply.reason}`);

  return reply;
}

export function failed(reply: unknown): RelayFailure {
  if (reply instanceof RelayFailure) return reply;
  throw new Error(`no failure but ${JSON.stringify(reply)}`);
}

/** Ports of the m= lines of an SDP. */
export function portsIn({ sdp }: MediaReply): number[] {
  return [...sdp.matchAll(/^m=\S+ (\d+)/gm)].map(([, port]) => Number(port));
}

/** The rows of a memo as they are stored. */
export function rows(memo: string | null | undefined): unknown {
  return JSON.parse(memo ?? 'null');
}
