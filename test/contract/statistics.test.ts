/** What the appliance tells of the media of calls on real relays: who is not heard, why none is due, and how well a party hears. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { encodeText } from '../../src/relay/ng/bencode.ts';
import { type Appliance, settled, startAppliance } from '../lab/appliance.ts';
import { converse, openUdp, Phone } from '../lab/phone.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { SipProxy } from '../lab/proxy.ts';
import { startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';
import { startRtpproxy, whyNoRtpproxy } from '../lab/rtpproxy.ts';
import { audioOf, buildSdp, type SdpOptions } from '../lab/sdp.ts';

const PACKETS = 20;

interface Stream {
  readonly tag: string;
  readonly side: string;
  readonly rtcp: boolean;
  readonly packets: number;
  readonly local: string | null;
  readonly told: string | null;
  readonly advertised: string | null;
  readonly remote: string | null;
  readonly codec: string | null;
  readonly last_packet_s: number | null;
  readonly loss_percent: number | null;
  readonly jitter_ms: number | null;
  readonly mos: number | null;
}

interface Told {
  readonly node_id: number;
  readonly kind: string;
  readonly streams: readonly Stream[];
  readonly findings: readonly {
    readonly code: string;
    readonly tag: string | null;
    readonly side: string | null;
    readonly text: string;
  }[];
}

interface Relay {
  readonly socket: string;
  stop(): Promise<void>;
}

async function startOne(kind: 'rtpengine' | 'rtpproxy'): Promise<Relay> {
  if (kind === 'rtpproxy') return startRtpproxy({ portMin: 33_000, portMax: 33_198 });
  const ngPort = await freeUdpPort();
  const relay = await startRtpengine({ ngPort, address: '127.0.0.1', portMin: 33_200, portMax: 33_398 });

  return { socket: `udp:127.0.0.1:${ngPort}`, stop: () => relay.stop() };
}

/** A call between two phones, from inside to outside. */
class Talk {
  readonly id = `statistics-${crypto.randomUUID()}`;
  readonly caller: Phone;
  readonly callee: Phone;

  constructor(caller: Phone, callee: Phone) {
    this.caller = caller;
    this.callee = callee;
  }

  static async open(): Promise<Talk> {
    const phone = (side: string, partner: string) =>
      Phone.open({ call: 'statistics', side, partner, address: '127.0.0.1' });

    return new Talk(await phone('caller', 'callee'), await phone('callee', 'caller'));
  }

  /** INVITE and 200; either phone then sends where it was told. */
  async connect(proxy: SipProxy, mode?: SdpOptions['mode'], cseq = 1): Promise<void> {
    const common = { method: 'INVITE', fromTag: 'caller', cseq };
    const more = cseq === 1 ? {} : { toTag: 'callee' };
    const sdp = (phone: Phone, held?: SdpOptions['mode']) =>
      buildSdp({ ...phone.local, version: cseq, ...(held === undefined ? {} : { mode: held }) });
    const offer = await proxy.auto(this.id, { ...common, ...more, dir: 'out', body: sdp(this.caller, mode) });
    const reply = mode === 'sendonly' ? 'recvonly' : mode;
    const answer = await proxy.auto(this.id, {
      ...common,
      toTag: 'callee',
      status: 200,
      body: sdp(this.callee, reply),
    });
    expect([offer.status, answer.status]).toEqual([200, 200]);
    this.callee.pointAt(audioOf(offer.body));
    this.caller.pointAt(audioOf(answer.body));
  }

  async end(proxy: SipProxy): Promise<void> {
    await proxy.auto(this.id, { method: 'BYE', fromTag: 'caller', toTag: 'callee', cseq: 99 });
    this.caller.close();
    this.callee.close();
  }
}

const reasons = { rtpengine: whyNoRtpengine(), rtpproxy: whyNoRtpproxy() };

for (const kind of ['rtpengine', 'rtpproxy'] as const) {
  const reason = reasons[kind];
  if (reason !== undefined) console.warn(`SKIP test/contract/statistics, ${kind}: ${reason}`);

  describe.skipIf(reason !== undefined)(`statistics of calls on a real ${kind}`, () => {
    let appliance: Appliance;
    let proxy: SipProxy;
    let relay: Relay;

    beforeAll(async () => {
      appliance = await startAppliance();
      proxy = new SipProxy(appliance.url);
      relay = await startOne(kind);
      await appliance.api('POST', '/v1/nodes', {
        id: 1,
        kind,
        socket: relay.socket,
        inner_media_ip: '127.0.0.1',
        out_media_ip: '127.0.0.1',
      });
      await settled(appliance, 1);
    }, 30_000);

    afterAll(async () => {
      await appliance?.stop();
      await relay?.stop();
      sweep();
    });

    const ask = async ({ id }: Talk): Promise<Told> =>
      (await appliance.api('GET', `/v1/statistics/${id}`)) as Told;
    const codes = ({ findings }: Told) =>
      // All addresses of this lab are loopback ones, also outside.
      findings.filter(({ code }) => code !== 'private-address').map(({ code, tag }) => [code, tag]);
    const packets = ({ streams }: Told) =>
      Object.fromEntries(streams.filter(({ rtcp }) => !rtcp).map(({ tag, packets: count }) => [tag, count]));
    /** What is told once a fresh call has had its time. */
    const judged = (talk: Talk): Promise<Told> =>
      poll(
        async () => {
          const told = await ask(talk);

          return codes(told).some(([code]) => code === 'too-early') ? undefined : told;
        },
        () => 'it is too early for ever',
        8000,
      );
    const scene = (name: string, act: (talk: Talk) => Promise<void>): void =>
      test(name, async () => {
        const talk = await Talk.open();
        try {
          await act(talk);
        } finally {
          await talk.end(proxy);
        }
      }, 20_000);

    scene('both are heard: packets and addresses of both, and nothing to complain of', async (talk) => {
      await talk.connect(proxy);
      expect(codes(await ask(talk))).toEqual([['too-early', null]]);
      await converse(talk.caller, talk.callee, PACKETS);
      const told = await judged(talk);
      expect(told).toMatchObject({ node_id: 1, kind });
      expect(packets(told)).toEqual({ caller: PACKETS, callee: PACKETS });
      expect(codes(told)).toEqual([]);
      for (const [tag, side, { local }] of [
        ['caller', 'inner', talk.caller],
        ['callee', 'outer', talk.callee],
      ] as const) {
        const stream = told.streams.find((each) => each.tag === tag && !each.rtcp);
        const end = `${local.address}:${local.port}`;
        expect(stream).toMatchObject({ side, advertised: end, remote: kind === 'rtpengine' ? end : null });
        expect(stream?.local).toBe(stream?.told as string);
        if (kind === 'rtpengine') {
          expect(stream).toMatchObject({ codec: 'PCMA/8000' });
          expect(stream?.last_packet_s).toBeLessThan(10);
        }
      }
    });

    scene('nobody is heard', async (talk) => {
      await talk.connect(proxy);
      const told = await judged(talk);
      expect(packets(told)).toEqual({ caller: 0, callee: 0 });
      expect(codes(told)).toEqual([['no-packets', null]]);
    });

    scene('one is heard, the other is not: it is named by tag and side', async (talk) => {
      await talk.connect(proxy);
      await talk.callee.talk(PACKETS);
      const told = await judged(talk);
      expect(packets(told)).toEqual({ caller: 0, callee: PACKETS });
      expect(codes(told)).toEqual([['one-way', 'caller']]);
      const [finding] = told.findings.filter(({ code }) => code === 'one-way');
      expect(finding?.side).toBe('inner');
      expect(finding?.text).toContain('The callee (side outer) hears nothing');
      // A moment later it sends: the complaint is gone.
      await talk.caller.talk(PACKETS);
      expect(codes(await ask(talk))).toEqual([]);
    });

    scene('on hold from the beginning, one or both ways, silence is no complaint', async (talk) => {
      await talk.connect(proxy, 'inactive');
      expect(codes(await judged(talk))).toEqual([['held', null]]);
      await talk.connect(proxy, 'sendonly', 2);
      await talk.caller.talk(PACKETS);
      expect(codes(await judged(talk))).toEqual([]);
    });

    scene('of a call that was deleted by its Call-ID alone, an old relay tells none', async (talk) => {
      await talk.connect(proxy);
      await talk.end(proxy);
      const response = await fetch(`${appliance.url}/v1/statistics/${talk.id}`);
      expect(response.status).toBe(404);
      expect(await response.json()).toMatchObject({ code: 'RTPC_CALL_UNKNOWN' });
    });

    test.skipIf(kind === 'rtpproxy')(
      'of a call that a party ended through ng the last ones are told: who was not heard',
      async () => {
        const talk = await Talk.open();
        await talk.connect(proxy);
        await talk.callee.talk(PACKETS);
        await judged(talk);
        const body = encodeText({ command: 'delete', 'call-id': talk.id, 'from-tag': 'caller' });
        const reply = await fetch(`${appliance.url}/ng`, {
          method: 'POST',
          headers: { 'content-type': 'application/x-rtpengine-ng' },
          body: `x1 ${body}`,
        });
        expect(await reply.text()).toContain('6:result2:ok');
        const told = await ask(talk);
        expect(told).toMatchObject({ final: true, node_id: 1 });
        expect(packets(told)).toEqual({ caller: 0, callee: PACKETS });
        expect(codes(told)).toEqual([['one-way', 'caller']]);
        talk.caller.close();
        talk.callee.close();
      },
      20_000,
    );

    test.skipIf(kind === 'rtpproxy')(
      'a party that reports losses by RTCP hears badly: the relay tells it under the one who reports',
      async () => {
        const [caller, callee] = [await Reporter.open(111), await Reporter.open(222)];
        const id = `reports-${crypto.randomUUID()}`;
        const common = { method: 'INVITE', fromTag: 'caller', cseq: 1 };
        try {
          const offer = await proxy.auto(id, { ...common, dir: 'out', body: caller.sdp() });
          const answer = await proxy.auto(id, {
            ...common,
            toTag: 'callee',
            status: 200,
            body: callee.sdp(),
          });
          caller.port = audioOf(answer.body).port;
          callee.port = audioOf(offer.body).port;
          // The relay takes one report a second, and works out a score once both parties have sent some.
          for (let round = 0; round < 8; round++) {
            for (let i = 0; i < 10; i++) {
              caller.talk();
              callee.talk();
              await Bun.sleep(40);
            }
            // The caller loses 10 of 100, the callee nothing.
            caller.report(callee, 10);
            await Bun.sleep(30);
            callee.report(caller, 0);
            await Bun.sleep(30);
          }
          const told = (await appliance.api('GET', `/v1/statistics/${id}`)) as Told;
          const heard = (tag: string) => told.streams.find((each) => each.tag === tag && !each.rtcp);
          expect(heard('caller')).toMatchObject({ loss_percent: 10, jitter_ms: 10 });
          expect(heard('callee')).toMatchObject({ loss_percent: 0, jitter_ms: 10 });
          expect(heard('caller')?.mos).toBeLessThan(heard('callee')?.mos ?? 0);
          expect(heard('callee')?.mos).toBeGreaterThan(4);
          expect(told.findings.filter(({ code }) => code === 'lossy')).toMatchObject([
            { tag: 'caller', side: 'inner' },
          ]);
        } finally {
          await proxy.auto(id, { method: 'BYE', fromTag: 'caller', toTag: 'callee', cseq: 2 });
          caller.close();
          callee.close();
        }
      },
      20_000,
    );
  });
}

/** A phone that sends RTP and, by RTCP, tells how it hears the other (RFC 3550 section 6.4.1). */
class Reporter {
  readonly #ssrc: number;
  readonly #rtp: Bun.udp.Socket<'buffer'>;
  readonly #rtcp: Bun.udp.Socket<'buffer'>;
  /** Of the relay. */
  port = 0;
  #sent = 0;
  /** The middle of the NTP time of the last report, and when it was sent. */
  #last = { middle: 0, at: 0 };

  private constructor(ssrc: number, rtp: Bun.udp.Socket<'buffer'>, rtcp: Bun.udp.Socket<'buffer'>) {
    this.#ssrc = ssrc;
    this.#rtp = rtp;
    this.#rtcp = rtcp;
  }

  static async open(ssrc: number): Promise<Reporter> {
    const port = await freeUdpPort();
    const ignore = (): void => undefined;

    return new Reporter(
      ssrc,
      await openUdp('127.0.0.1', port, ignore),
      await openUdp('127.0.0.1', port + 1, ignore),
    );
  }

  sdp(): string {
    return buildSdp({ address: '127.0.0.1', port: this.#rtp.port });
  }

  talk(): void {
    const packet = Buffer.alloc(172);
    packet[0] = 0x80;
    packet[1] = 8;
    packet.writeUInt16BE(this.#sent, 2);
    packet.writeUInt32BE(this.#sent++ * 160, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    this.#rtp.send(packet, this.port, '127.0.0.1');
  }

  /** A sender report with one block about the other. */
  report(other: Reporter, lossPercent: number): void {
    const packet = Buffer.alloc(52);
    const ntp = Date.now() / 1000 + 2_208_988_800;
    packet[0] = 0x81;
    packet[1] = 200;
    packet.writeUInt16BE(12, 2);
    packet.writeUInt32BE(this.#ssrc, 4);
    packet.writeUInt32BE(Math.floor(ntp) >>> 0, 8);
    packet.writeUInt32BE(Math.floor((ntp % 1) * 2 ** 32) >>> 0, 12);
    packet.writeUInt32BE(this.#sent * 160, 16);
    packet.writeUInt32BE(this.#sent, 20);
    packet.writeUInt32BE(other.#ssrc, 28);
    packet[32] = Math.round((lossPercent * 256) / 100);
    packet.writeUInt32BE(other.#sent, 36);
    // 10 ms of a clock of 8 kHz.
    packet.writeUInt32BE(80, 40);
    const { middle, at } = other.#last;
    // As over a network of 10 ms there and back: a relay does not believe in less than nothing.
    const heldMs = Math.max(0, performance.now() - at - 10);
    packet.writeUInt32BE(middle, 44);
    packet.writeUInt32BE(middle === 0 ? 0 : Math.round((heldMs / 1000) * 65_536), 48);
    this.#last = { middle: packet.readUInt32BE(10), at: performance.now() };
    this.#rtcp.send(packet, this.port + 1, '127.0.0.1');
  }

  close(): void {
    this.#rtp.close();
    this.#rtcp.close();
  }
}
