/** RTP as the probe speaks it (RFC 3550): silence in PCMU, 20 ms a packet; and what became of the packets. Pure. */

import { randomBytes } from 'node:crypto';

/** Time from a packet to the next, ms. */
export const PACKET_MS = 20;
/** Samples of a packet, at 8000 a second. */
const SAMPLES = 160;
const HEADER = 12;
/** PCMU (RFC 3551 section 6), and its silence. */
const PCMU = 0;
const SILENCE = 0xff;
const VERSION = 0x80;

/** The packets of one party, one after the other. */
export class RtpStream {
  readonly ssrc: number;
  readonly #packet = Buffer.alloc(HEADER + SAMPLES, SILENCE);
  #seq: number;
  #timestamp: number;

  /** Beginnings are random, as RFC 3550 section 5.1 wants them. */
  constructor(random: Buffer = randomBytes(10)) {
    this.ssrc = random.readUInt32BE(0);
    // Far from its end: the sequence numbers of a probe need not wrap.
    this.#seq = random.readUInt16BE(4) & 0x7fff;
    this.#timestamp = random.readUInt32BE(6);
    this.#packet[0] = VERSION;
    this.#packet.writeUInt32BE(this.ssrc, 8);
  }

  /** Number of the packet that comes next. */
  get seq(): number {
    return this.#seq;
  }

  /** The next packet. The bytes are only good until the one after it. */
  next(isFirst: boolean): Buffer {
    // The marker begins a talkspurt (RFC 3551 section 4.1).
    this.#packet[1] = PCMU | (isFirst ? 0x80 : 0);
    this.#packet.writeUInt16BE(this.#seq, 2);
    this.#packet.writeUInt32BE(this.#timestamp, 4);
    this.#seq = (this.#seq + 1) & 0xffff;
    this.#timestamp = (this.#timestamp + SAMPLES) >>> 0;

    return this.#packet;
  }
}

/** Whose packet this is, and its number; undefined if it is no RTP. */
export function readRtp(bytes: Uint8Array): { ssrc: number; seq: number } | undefined {
  if (bytes.length < HEADER || ((bytes[0] ?? 0) & 0xc0) !== VERSION) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

  return { ssrc: view.getUint32(8), seq: view.getUint16(2) };
}

/** What became of the packets of one direction. */
export interface Passage {
  readonly sent: number;
  readonly received: number;
  /** 0 to 100. */
  readonly lossPercent: number;
  /** Half of them took less, from one socket of ours through the relay to the other, ms; null if none came. */
  readonly delayMs: number | null;
  /** Packets that came after a later one. */
  readonly reordered: number;
  /** Packets that came again. */
  readonly duplicates: number;
}

/** Counts the packets of one direction. Times are monotonic ms. */
export class Tally {
  #sent = new Map<number, number>();
  #came = new Set<number>();
  readonly #delays: number[] = [];
  #last = -1;
  #reordered = 0;
  #duplicates = 0;

  get received(): number {
    return this.#came.size;
  }

  get isWhole(): boolean {
    return this.#came.size === this.#sent.size;
  }

  sent(seq: number, at: number): void {
    this.#sent.set(seq, at);
  }

  /** A packet came; one that was not counted when it was sent is none of these. */
  came(seq: number, at: number): void {
    const sentAt = this.#sent.get(seq);
    if (sentAt === undefined) return;
    if (this.#came.has(seq)) {
      this.#duplicates++;

      return;
    }
    this.#came.add(seq);
    this.#delays.push(at - sentAt);
    if (seq < this.#last) this.#reordered++;
    else this.#last = seq;
  }

  get passage(): Passage {
    const [sent, received] = [this.#sent.size, this.#came.size];
    const delays = this.#delays.toSorted((a, b) => a - b);

    return {
      sent,
      received,
      lossPercent: sent === 0 ? 100 : (100 * (sent - received)) / sent,
      delayMs: delays[Math.floor(delays.length / 2)] ?? null,
      reordered: this.#reordered,
      duplicates: this.#duplicates,
    };
  }
}
