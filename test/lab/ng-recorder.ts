/** Stands between the appliance and one rtpengine: passes everything on, notes what the relay is asked, and keeps replies back when told. */

import { parseSocket } from '../../src/domain/node.ts';
import type { NgDict } from '../../src/relay/driver.ts';
import { DecodeError, decode, isDict } from '../../src/relay/ng/bencode.ts';

/** What nodes are asked without a client. */
const CHECKS: ReadonlySet<unknown> = new Set(['ping', 'statistics', 'list']);

/** One request; the datagrams which repeat it are counted. */
export interface Recorded {
  readonly bytes: Buffer;
  /** Undefined if the bytes are no message. */
  readonly message: NgDict | undefined;
  copies: number;
  /** Port it came from. */
  readonly from: number;
}

interface Late {
  readonly bytes: Buffer;
  readonly to: number;
}

export class NgRecorder {
  /** By cookie, in the order in which they came; checks of the node excepted. */
  readonly requests = new Map<string, Recorded>();
  readonly #checks = new Map<string, number>();
  #late: Late[] | undefined;
  #close: () => void = () => undefined;
  #socket = '';
  #send: (late: Late) => void = () => undefined;

  private constructor() {}

  /** @param relay socket of the relay, as in `udp:127.0.0.1:22222` */
  static async open(relay: string): Promise<NgRecorder> {
    const address = parseSocket(relay);
    if (address?.transport !== 'udp') throw new Error(`${relay} is no socket of an rtpengine`);
    const recorder = new NgRecorder();
    const behind = await Bun.udpSocket({
      connect: { hostname: address.host, port: address.port },
      binaryType: 'buffer',
      socket: { data: (_socket, bytes) => recorder.#back(bytes), error: () => undefined },
    });
    const front = await Bun.udpSocket({
      hostname: '127.0.0.1',
      binaryType: 'buffer',
      socket: {
        data(_socket, bytes, from) {
          recorder.#note(bytes, from);
          behind.send(bytes);
        },
        error: () => undefined,
      },
    });
    recorder.#socket = `udp:127.0.0.1:${front.port}`;
    recorder.#send = ({ bytes, to }) => front.send(bytes, to, '127.0.0.1');
    recorder.#close = () => {
      front.close();
      behind.close();
    };

    return recorder;
  }

  /** Where the appliance finds the relay. */
  get socket(): string {
    return this.#socket;
  }

  /** What the relay was asked by this command, once each. */
  asked(command: string): Recorded[] {
    return [...this.requests.values()].filter(({ message }) => message?.command === command);
  }

  /** From now on replies to all but checks wait. */
  hold(): void {
    this.#late ??= [];
  }

  /** Replies that wait go on their way, and later ones do not wait. */
  release(): void {
    for (const late of this.#late?.splice(0) ?? []) this.#send(late);
    this.#late = undefined;
  }

  close(): void {
    this.#close();
  }

  #note(bytes: Buffer, from: number): void {
    const cookie = cookieOf(bytes);
    const known = this.requests.get(cookie);
    if (known !== undefined) {
      known.copies++;

      return;
    }
    const payload = decode(bytes.subarray(bytes.indexOf(0x20) + 1));
    const message = payload instanceof DecodeError || !isDict(payload) ? undefined : payload;
    if (CHECKS.has(message?.command)) this.#checks.set(cookie, from);
    else this.requests.set(cookie, { bytes: Buffer.from(bytes), message, copies: 1, from });
  }

  #back(bytes: Buffer): void {
    const cookie = cookieOf(bytes);
    const request = this.requests.get(cookie);
    const to = request?.from ?? this.#checks.get(cookie);
    if (to === undefined) return;
    this.#checks.delete(cookie);
    const late = { bytes: Buffer.from(bytes), to };
    if (request !== undefined && this.#late !== undefined) this.#late.push(late);
    else this.#send(late);
  }
}

function cookieOf(bytes: Buffer): string {
  return bytes.toString('latin1', 0, bytes.indexOf(0x20));
}
