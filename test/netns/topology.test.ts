/** The internet of the namespaces is what the calls there rely on: who reaches whom, who must not, and under which address. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  EDGE,
  ENDPOINTS,
  type Host,
  inside,
  Netns,
  namespaceHere,
  outside,
  relayNumber,
  translated,
  whyNoNamespaces,
} from '../lab/netns.ts';
import { poll } from '../lab/processes.ts';

const PORT = 4000;
const [FIRST] = ENDPOINTS;
const RELAY = relayNumber('relay1');

const reason = whyNoNamespaces();
const isDemanded = Bun.env.RTPC_REQUIRE_ALL === '1';
if (reason !== undefined) console.warn(`SKIP test/netns/topology: ${reason}`);

describe.skipIf(reason !== undefined && !isDemanded)('network namespaces', () => {
  const here = namespaceHere();
  const sockets = new Map<Host, Bun.udp.Socket<'buffer'>>();
  /** What arrived: `WHAT at HOST from ADDRESS:PORT`. */
  const arrived: string[] = [];
  let net: Netns;
  let words = 0;

  beforeAll(async () => {
    if (reason !== undefined) throw new Error(reason);
    net = await Netns.up();
    for (const [host, address] of [
      ['edge', inside(EDGE)],
      ['relay1', inside(RELAY)],
      ['inner', inside(FIRST)],
      ['outer', outside(FIRST)],
    ] as const) {
      const socket = await net.place(host).open(address, PORT, (bytes, port, from) => {
        arrived.push(`${bytes} at ${host} from ${from}:${port}`);
      });
      sockets.set(host, socket);
    }
  });
  afterAll(async () => {
    for (const socket of sockets.values()) socket.close();
    await net?.down();
  });

  /** Sends a word of its own to an address; returns the word. */
  function send(from: Host, to: string): string {
    const word = `word${++words}`;
    sockets.get(from)?.send(word, PORT, to);

    return word;
  }

  async function expectArrival(from: Host, to: string, at: Host, seenFrom: string): Promise<void> {
    const wanted = `${send(from, to)} at ${at} from ${seenFrom}:${PORT}`;
    await poll(
      () => (arrived.includes(wanted) ? true : undefined),
      () => `no ${wanted}; there came ${arrived.join(', ')}`,
      2000,
    );
  }

  test('a relay and the inside reach each other by private addresses, which nobody changes', async () => {
    await expectArrival('inner', inside(RELAY), 'relay1', inside(FIRST));
    await expectArrival('relay1', inside(FIRST), 'inner', inside(RELAY));
    await expectArrival('inner', inside(EDGE), 'edge', inside(FIRST));
  });

  test('the outside reaches relay and edge by their public addresses, and sees these; ports stay', async () => {
    await expectArrival('outer', translated(RELAY), 'relay1', outside(FIRST));
    await expectArrival('relay1', outside(FIRST), 'outer', translated(RELAY));
    await expectArrival('outer', translated(EDGE), 'edge', outside(FIRST));
    await expectArrival('edge', outside(FIRST), 'outer', translated(EDGE));
  });

  test('the inside cannot reach anything public', () => {
    for (const address of [outside(FIRST), translated(RELAY), translated(EDGE)]) {
      expect(() => send('inner', address)).toThrow('ENETUNREACH');
    }
  });

  test('the outside cannot reach anything private: the gateway drops it', async () => {
    const lost = [inside(RELAY), inside(FIRST), inside(EDGE)].map((address) => send('outer', address));
    // Whatever was sent before them would be there by now.
    await expectArrival('outer', translated(RELAY), 'relay1', outside(FIRST));
    await expectArrival('outer', translated(EDGE), 'edge', outside(FIRST));
    await expectArrival('relay1', inside(FIRST), 'inner', inside(RELAY));
    for (const word of lost) expect(arrived.filter((line) => line.startsWith(`${word} `))).toEqual([]);
  });

  test('a host whose cable is cut hears nothing until it is mended', async () => {
    net.cut('relay1');
    const lost = send('inner', inside(RELAY));
    await expectArrival('inner', inside(EDGE), 'edge', inside(FIRST));
    expect(arrived.filter((line) => line.startsWith(`${lost} `))).toEqual([]);
    net.mend('relay1');
    await expectArrival('inner', inside(RELAY), 'relay1', inside(FIRST));
  });

  test('this process is still where it was', () => {
    expect(namespaceHere()).toBe(here);
    expect(net.within('inner', namespaceHere)).not.toBe(here);
    expect(namespaceHere()).toBe(here);
  });

  test('taking it down ends what runs in it, and leaves no namespace', async () => {
    const other = await Netns.up();
    const sleeper = other.within('edge', () => Bun.spawn(['sleep', '1000']));
    await other.down();
    expect(await sleeper.exited).not.toBe(0);
    const names = Bun.spawnSync(['ip', 'netns', 'list']).stdout.toString();
    expect(names).not.toContain(other.name('edge').replace(/-.*/, '-'));
    expect(names).toContain(net.name('edge'));
  });
});
