/**
 * Phones that know whose audio they hear. The payload of every packet is a digest of (call, side), so a phone tells
 * its partner's packets from its own echo and from anything foreign; silence detection would be fooled by an echo.
 */

import type { Endpoint } from './sdp.ts';

const FRAME_MS = 20;
/** PCMA, 20 ms. */
const PAYLOAD_TYPE = 8;
const SAMPLES = 160;
const HEADER = 12;

/** One clock for all phones of a process. */
class FrameClock {
  /** Ticks that came more than one frame late: if there are many, blame this process, not the relay. */
  late = 0;
  readonly #talkers = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #next = 0;

  add(talker: () => void): void {
    this.#talkers.add(talker);
    if (this.#timer !== undefined) return;
    this.#next = performance.now();
    this.#tick();
  }

  remove(talker: () => void): void {
    this.#talkers.delete(talker);
  }

  readonly #tick = (): void => {
    this.#timer = undefined;
    if (this.#talkers.size === 0) return;
    const now = performance.now();
    if (now - this.#next > FRAME_MS) {
      this.late++;
      this.#next = now;
    }
    for (const talker of [...this.#talkers]) talker();
    this.#next += FRAME_MS;
    this.#timer = setTimeout(this.#tick, Math.max(0, this.#next - performance.now()));
  };
}

export const frames = new FrameClock();

export interface PhoneOptions {
  /** Name of the call, the same for both phones of it. */
  readonly call: string;
  readonly side: string;
  readonly partner: string;
  /** Local address. */
  readonly address: string;
  /** RTP port, the next one being for RTCP; two free ones by default. */
  readonly port?: number;
  /** How its sockets are opened, if not in the network of this process. */
  readonly open?: OpenUdp;
  /** Addresses it has a route to; a packet to any other is lost. All by default. */
  readonly reaches?: (address: string) => boolean;
}

/** What came in. */
export interface Heard {
  /** Packets of the partner, from the address and port that was announced. */
  partner: number;
  /** Own packets that came back. */
  echo: number;
  /** Packets of nobody in this call. */
  foreign: number;
  /** Packets of the partner from an address nobody announced. */
  elsewhere: number;
}

export class Phone {
  readonly heard: Heard = { partner: 0, echo: 0, foreign: 0, elsewhere: 0 };
  readonly local: Endpoint;
  sent = 0;
  /** Packets that were not sent, for want of a route. */
  unroutable = 0;
  readonly #options: PhoneOptions;
  readonly #own: Buffer;
  readonly #partner: Buffer;
  readonly #rtp: Bun.udp.Socket<'buffer'>;
  readonly #rtcp: Bun.udp.Socket<'buffer'>;
  readonly #ssrc = Math.floor(Math.random() * 0xffffffff);
  #remote: Endpoint | undefined;
  #waiters: { readonly count: number; readonly done: () => void }[] = [];

  private constructor(options: PhoneOptions, pair: SocketPair) {
    this.#options = options;
    this.#own = voice(options.call, options.side);
    this.#partner = voice(options.call, options.partner);
    this.#rtp = pair.rtp;
    this.#rtcp = pair.rtcp;
    this.local = { address: options.address, port: pair.rtp.port };
  }

  static async open(options: PhoneOptions): Promise<Phone> {
    let phone: Phone | undefined;
    const pair = await openPair(options, (bytes, port, address) => phone?.hear(bytes, { address, port }));
    phone = new Phone(options, pair);

    return phone;
  }

  /** The payload of all its packets. */
  get voice(): Buffer {
    return this.#own;
  }

  /** Where to send to, and whom to expect packets from: what the other side's SDP says. */
  pointAt(remote: Endpoint): void {
    this.#remote = { address: remote.address, port: remote.port };
  }

  /** Sends so many packets, one each 20 ms. Ends when the last one is sent. */
  talk(count: number): Promise<void> {
    const last = this.sent + this.unroutable + count;

    return new Promise((resolve) => {
      const talker = (): void => {
        this.#sendOne();
        if (this.sent + this.unroutable < last) return;
        frames.remove(talker);
        resolve();
      };
      frames.add(talker);
    });
  }

  /** Ends when so many packets of the partner have come, or the time is up; says which. */
  async hears(count: number, timeoutMs = 2000): Promise<boolean> {
    if (this.heard.partner >= count) return true;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    const timer = setTimeout(() => resolve(false), timeoutMs);
    this.#waiters.push({ count, done: () => resolve(true) });
    const result = await promise;
    clearTimeout(timer);

    return result;
  }

  hear(bytes: Buffer, from: Endpoint): void {
    const payload = bytes.subarray(HEADER);
    if (payload.equals(this.#own)) this.heard.echo++;
    else if (!payload.equals(this.#partner)) this.heard.foreign++;
    else if (from.address !== this.#remote?.address || from.port !== this.#remote.port)
      this.heard.elsewhere++;
    else this.heard.partner++;
    this.#waiters = this.#waiters.filter(({ count, done }) => {
      if (this.heard.partner < count) return true;
      done();

      return false;
    });
  }

  close(): void {
    this.#rtp.close();
    this.#rtcp.close();
  }

  #sendOne(): void {
    const remote = this.#remote;
    if (remote === undefined || this.#options.reaches?.(remote.address) === false) {
      this.unroutable++;

      return;
    }
    const packet = Buffer.alloc(HEADER + SAMPLES);
    packet[0] = 0x80;
    packet[1] = PAYLOAD_TYPE;
    packet.writeUInt16BE(this.sent & 0xffff, 2);
    packet.writeUInt32BE((this.sent * SAMPLES) >>> 0, 4);
    packet.writeUInt32BE(this.#ssrc, 8);
    this.#own.copy(packet, HEADER);
    try {
      this.#rtp.send(packet, remote.port, remote.address);
    } catch {
      // No route.
      this.unroutable++;

      return;
    }
    this.sent++;
  }
}

/** Lets both phones of a call talk at once; both have then heard all of it or waited long enough. */
export async function converse(one: Phone, other: Phone, packets: number): Promise<void> {
  const [wanted, wantedOther] = [one.heard.partner + packets, other.heard.partner + packets];
  await Promise.all([one.talk(packets), other.talk(packets)]);
  await Promise.all([one.hears(wanted), other.hears(wantedOther)]);
}

/** What a party's packets carry. */
function voice(call: string, side: string): Buffer {
  const digest = new Bun.CryptoHasher('sha256').update(`${call}\n${side}`).digest();

  return Buffer.concat(Array.from({ length: SAMPLES / digest.length }, () => digest));
}

interface SocketPair {
  readonly rtp: Bun.udp.Socket<'buffer'>;
  readonly rtcp: Bun.udp.Socket<'buffer'>;
}

/** Two sockets on an even port and the next one, as RTP wants it. */
async function openPair(
  { address, port: wanted, open = openUdp }: PhoneOptions,
  onRtp: (bytes: Buffer, port: number, address: string) => void,
): Promise<SocketPair> {
  for (let attempt = 0; attempt < (wanted === undefined ? 100 : 1); attempt++) {
    const port = wanted ?? 10_000 + 2 * Math.floor(Math.random() * 11_000);
    const opened: Bun.udp.Socket<'buffer'>[] = [];
    try {
      const rtp = await open(address, port, onRtp);
      opened.push(rtp);

      return { rtp, rtcp: await open(address, port + 1, () => undefined) };
    } catch {
      for (const socket of opened) socket.close();
    }
  }
  throw new Error(`no pair of free UDP ports on ${address}${wanted === undefined ? '' : `, port ${wanted}`}`);
}

export type OpenUdp = typeof openUdp;

export function openUdp(
  hostname: string,
  port: number,
  onData: (bytes: Buffer, port: number, address: string) => void,
): Promise<Bun.udp.Socket<'buffer'>> {
  return Bun.udpSocket({
    hostname,
    port,
    binaryType: 'buffer',
    socket: {
      data: (_socket, bytes, fromPort, address) => onData(bytes, fromPort, address),
      // Somebody we sent to has closed his socket.
      error: () => undefined,
    },
  });
}
