/** Hostile ng datagrams: recorded requests of real clients, changed by a seeded generator so that some stay sensible in parts. */

import type { NgDict, NgValue } from '../../src/relay/driver.ts';
import { DecodeError, decode, isDict } from '../../src/relay/ng/bencode.ts';
import { INNER_SDP } from './ng-client.ts';
import { OF_PROXIES, type Pairs, recordedPayloads, writePairs } from './ng-corpus.ts';
import { seeded } from './random.ts';

/** Longest datagram made, bytes: what UDP carries over IPv4. */
export const MAX_DATAGRAM = 65_507;
/** Calls the messages are about, so that they meet each other. */
const CALLS = 40;

export class NgFuzz {
  readonly #random: () => number;
  readonly #payloads: readonly Buffer[];
  #made = 0;

  constructor(seed: number) {
    this.#random = seeded(seed);
    const ofProxies = OF_PROXIES.map((message) => writePairs(Object.entries(message)));
    const recorded = recordedPayloads();
    // A third of all are those that come as far as a relay.
    const often = Array.from({ length: Math.ceil(recorded.length / 2 / ofProxies.length) }, () => ofProxies);
    this.#payloads = [...recorded, ...often.flat()];
  }

  /** One datagram; nearly all have a cookie nobody else has. */
  next(): Buffer {
    const cookie = Buffer.from(`fuzz_${++this.#made} `);
    const datagram = Buffer.concat([cookie, this.#payload()]);

    return (this.#chance(0.03) ? this.#harm(datagram) : datagram).subarray(0, MAX_DATAGRAM);
  }

  #payload(): Buffer {
    const payload = this.#pick(this.#payloads);
    const pairs = this.#pairsOf(payload);
    if (pairs === undefined || this.#chance(0.2)) return this.#harm(payload);
    const changes = this.#below(4);
    for (let i = 0; i < changes; i++) this.#change(pairs);
    if (this.#chance(0.1)) return this.#asJson(pairs);
    const bytes = writePairs(pairs);

    return this.#chance(0.1) ? this.#harm(bytes) : bytes;
  }

  /** The message, about one of a few calls; undefined if it cannot be read. */
  #pairsOf(payload: Buffer): Pairs | undefined {
    let message: unknown = decode(payload);
    if (message instanceof DecodeError && payload[0] === 0x7b) {
      try {
        message = JSON.parse(payload.toString('utf8'));
      } catch {
        return undefined;
      }
    }
    if (message instanceof DecodeError || !isDict(message as NgValue)) return undefined;
    const pairs = Object.entries(message as NgDict).filter(([key]) => key !== 'call-id') as Pairs;

    return this.#chance(0.05) ? pairs : [['call-id', `fuzz-${this.#below(CALLS)}`], ...pairs];
  }

  // --- Bytes.

  #harm(bytes: Buffer): Buffer {
    if (bytes.length === 0) return bytes;
    const at = this.#below(bytes.length);
    switch (this.#below(9)) {
      case 0: {
        const harmed = Buffer.from(bytes);
        for (let left = 1 + this.#below(6); left > 0; left--) {
          const index = this.#below(bytes.length);
          harmed[index] = (harmed[index] ?? 0) ^ (1 << this.#below(8));
        }

        return harmed;
      }
      case 1:
        return bytes.subarray(0, at);
      case 2: {
        const other = this.#pick(this.#payloads);

        return Buffer.concat([bytes.subarray(0, at), other.subarray(this.#below(other.length))]);
      }
      case 3:
        return this.#lie(bytes);
      case 4:
        return Buffer.concat([bytes.subarray(0, at), this.#noise(1 + this.#below(20)), bytes.subarray(at)]);
      case 5:
        return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + this.#below(20))]);
      case 6:
        return Buffer.concat([bytes.subarray(0, at), bytes]);
      case 7:
        return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + this.#below(4)), bytes.subarray(at)]);
      default:
        return this.#bomb();
    }
  }

  /** One of the lengths of strings says something else. */
  #lie(bytes: Buffer): Buffer {
    const text = bytes.toString('latin1');
    const lengths = [...text.matchAll(/\d+(?=:)/g)];
    if (lengths.length === 0) return bytes;
    const { 0: length, index } = this.#pick(lengths);
    const lies = ['0', '00', '-1', '4294967295', '18446744073709551616', '9'.repeat(400), `0${length}`];
    const lie = this.#chance(0.5) ? this.#pick(lies) : String(Number(length) + this.#below(9) - 4);

    return Buffer.from(text.slice(0, index) + lie + text.slice(index + length.length), 'latin1');
  }

  /** Much of one thing. */
  #bomb(): Buffer {
    const many = 10 ** (1 + this.#below(5));
    const text = this.#pick([
      () => 'l'.repeat(many),
      () => 'd1:a'.repeat(many),
      () => `d7:command4:ping1:x${'l'.repeat(many)}${'e'.repeat(many)}e`,
      () => `d7:command5:offer3:sdp${'d1:a'.repeat(many)}`,
      () => `d7:command4:list5:limitl${'0:'.repeat(many)}ee`,
      () =>
        `d${Array.from({ length: Math.min(many, 5000) }, (_, i) => `${String(i).length}:${i}0:`).join('')}e`,
      () => `{"a":`.repeat(many),
      () => `{"command":"ping","x":${'['.repeat(many)}${']'.repeat(many)}}`,
      () => `{"command":"ping","x":[${'0,'.repeat(many)}0]}`,
      () => `{"command":"ping","x":${'9'.repeat(many)}}`,
      () => `{"command":"${'\\u0041'.repeat(many)}"}`,
      () => `d7:command4:ping1:xi${'9'.repeat(many)}ee`,
    ])();

    return Buffer.from(text.slice(0, MAX_DATAGRAM - 40), 'latin1');
  }

  // --- Messages.

  #change(pairs: Pairs): void {
    const at = this.#below(pairs.length + 1);
    const [key = 'x', value = ''] = pairs[Math.min(at, pairs.length - 1)] ?? [];
    switch (this.#below(10)) {
      case 0:
        pairs.splice(at, 1);
        break;
      case 1:
        pairs.splice(at, 0, [key, this.#odd()]);
        break;
      case 2:
        pairs.splice(at, 1, [this.#respell(key), value]);
        break;
      case 3:
        pairs.splice(at, 0, [
          this.#respell(`cluster-${this.#pick(['to', 'from', 'set', 'require', 'x', ''])}`),
          this.#side(),
        ]);
        break;
      case 4:
        pairs.splice(at, 0, [
          this.#pick(['direction', 'direction', 'Direction', 'in-iface', 'to interface']),
          this.#side(),
        ]);
        break;
      case 5:
        pairs.splice(at, 0, [this.#respell('media-address'), this.#address()]);
        break;
      case 6:
        pairs.splice(at, 0, [this.#respell('rtpp-flags'), this.#words()]);
        break;
      case 7:
        pairs.splice(at, 1, ['command', this.#pick(COMMANDS)]);
        break;
      case 8:
        pairs.push(...pairs.slice(0, 3));
        break;
      default:
        pairs.splice(at, 1, [this.#chance(0.5) ? key : 'k'.repeat(10 ** this.#below(4)), this.#odd()]);
    }
  }

  #respell(key: string): string {
    return this.#pick([
      key,
      key,
      key.toUpperCase(),
      key.replaceAll('-', ' '),
      key.replaceAll('-', '_'),
      `${key.charAt(0).toUpperCase()}${key.slice(1)}`,
      ` ${key}`,
      `${key}\0`,
    ]);
  }

  #side(): NgValue {
    return this.#pick<() => NgValue>([
      () => ['priv', 'pub'],
      () => ['pub', 'priv'],
      () => 'inner',
      () => 'outer',
      () => 'priv',
      () => '7',
      () => ['priv'],
      () => ['priv', 'pub', 'priv'],
      () => [['priv'], { a: 'pub' }],
      () => ({ 0: 'priv', 1: 'pub' }),
      () => 0,
      () => this.#odd(),
    ])();
  }

  #address(): NgValue {
    return this.#pick<NgValue>([
      '203.0.113.77',
      '2001:db8::77',
      '[2001:db8::77]',
      '0.0.0.0',
      '::',
      '999.1.1.1',
      '203.0.113.77\r\na=x',
      '203.0.113.77\0',
      'relay.example.net',
      '',
      77,
      ['203.0.113.77'],
      { a: '203.0.113.77' },
    ]);
  }

  #words(): string {
    const words = Array.from({ length: this.#below(8) }, () =>
      this.#pick([
        'cluster-to=outer',
        'cluster-x=[[y',
        'direction=priv',
        'media-address=203.0.113.77',
        'ICE=force',
        'codec=[strip=[all] offer=[a b]]',
        '__proto__=[a=b]',
        'call-id=fuzz-1',
        'to-tag=callee',
        'flags=[a [b [c [d [e [f [g',
        'RTP/SAVPF',
        '='.repeat(50),
        this.#noise(9).toString('latin1'),
      ]),
    );

    return words.join(this.#pick([' ', '  ', '\t', ',']));
  }

  #odd(depth = 0): NgValue {
    return this.#pick<() => NgValue>([
      () => '',
      () => '0',
      () => '<null>',
      () => 'priv',
      () => '__proto__',
      () => '\0\r\n',
      () => 'x'.repeat(10 ** this.#below(5)),
      () => this.#noise(30).toString('latin1'),
      () => this.#below(100) - 50,
      () => Number.MAX_SAFE_INTEGER,
      () =>
        INNER_SDP.replaceAll(
          this.#pick(['m=', 'c=', '\r\n', '4000', 'IP4']),
          this.#pick(['', '\0', 'm=', '99999']),
        ),
      () => Array.from({ length: 10 ** this.#below(4) }, () => this.#pick(['a', 'load limit', 'fatal', ''])),
      () => (depth > 20 ? [] : [this.#odd(depth + 1), this.#odd(depth + 1)]),
      () =>
        depth > 20
          ? {}
          : { [this.#pick(['a', '__proto__', 'constructor', 'cluster-to'])]: this.#odd(depth + 1) },
      () => nested(this.#below(40)),
    ])();
  }

  #asJson(pairs: Pairs): Buffer {
    const parts = pairs.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
    if (this.#chance(0.3))
      parts.push(`"z":${this.#pick(['null', '0.5', '1e400', 'true', '-0', '"\\ud800"', '[{}]'])}`);
    // As latin1 some of it is no UTF-8.
    const encoding = this.#chance(0.2) ? 'latin1' : 'utf8';

    return Buffer.from(`{${parts.join(',')}}`, encoding);
  }

  #noise(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.#below(256)));
  }

  #pick<T>(items: readonly T[]): T {
    return items[this.#below(items.length)] as T;
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }
}

const COMMANDS = [
  ...['offer', 'answer', 'delete', 'query', 'list', 'ping', 'statistics'],
  ...['block media', 'play DTMF', 'start recording', 'subscribe request', 'subscribe answer', 'unsubscribe'],
  ...['publish', 'connect', 'mesh', 'inject start', 'cli', 'fake', 'OFFER', 'offer\0', ''],
];

function nested(depth: number): NgValue {
  let value: NgValue = 'deep';
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };

  return value;
}
