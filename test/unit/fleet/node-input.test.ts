/** A description of a node by itself: which control sockets are one host, what moves with a node to another, and what each kind may have. */

import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { type NodeFields, type NodeInput, readFields } from '../../../src/fleet/node-input.ts';
import { makeNode, SIDES } from '../../fakes/cluster.ts';

const ADDRESSES = { inner_media_ip: '192.168.2.9', out_media_ip: '1.2.3.9' };

function good(input: NodeInput, before?: NodeFields): NodeFields {
  const fields = readFields(input, before, SIDES);
  if (fields instanceof Failure) throw new Error(fields.message);

  return fields;
}

function fault(input: NodeInput, before?: NodeFields): string {
  const fields = readFields(input, before, SIDES);
  if (fields instanceof Failure) return `${fields.code} ${fields.message}`;
  throw new Error(`this is good: ${fields.socket}`);
}

/** The addresses of a node, as `side address`. */
function addresses({ mediaAddresses }: NodeFields): string[] {
  return mediaAddresses.map(({ side, address }) => `${side} ${address}`);
}

describe('a control socket', () => {
  test.each([
    'udp:224.0.0.1:7890',
    'udp:239.255.255.250:7890',
    'udp:255.255.255.255:7890',
    'udp:0.0.0.0:7890',
    'udp6:[ff02::1]:7890',
    'udp6:[FF05::2]:7890',
    'udp6:[::]:7890',
  ])('%s is that of no host, and refused', (socket) => {
    expect(fault({ ...ADDRESSES, socket })).toBe(
      `RTPC_BAD_PARAMETER socket is "${socket}"; its address must be that of one host, no multicast, broadcast or unspecified one`,
    );
  });

  test.each([
    'udp:192.168.2.3:7890',
    'udp:22.4.0.1:7890',
    'udp:220.0.0.1:7890',
    'udp:223.255.255.254:7890',
    'udp6:[2001:db8::ff02]:7890',
    'udp6:[::1]:7890',
  ])('%s is that of one host', (socket) => {
    expect(good({ ...ADDRESSES, socket }).socket).toBe(socket);
  });
});

describe('a node that moves to another host', () => {
  const before = makeNode(0, { socket: 'udp:192.168.1.1:7890' });
  const socket = 'udp:192.168.1.2:7890';

  test('is refused without its media addresses there, and the message names both hosts and what to give', () => {
    expect(fault({ socket }, before)).toBe(
      'RTPC_BAD_PARAMETER the node moves from udp:192.168.1.1:7890 to udp:192.168.1.2:7890, another host; give its media addresses too (inner_media_ip and out_media_ip, or media_addresses)',
    );
  });

  test('does not take the address of the other side along from the old host', () => {
    expect(addresses(good({ socket, out_media_ip: '1.2.3.9' }, before))).toEqual(['outer 1.2.3.9']);
    expect(addresses(good({ socket, ...ADDRESSES }, before))).toEqual(['inner 192.168.2.9', 'outer 1.2.3.9']);
  });

  test('keeps all else it had', () => {
    const rich = { ...before, weight: 7, tags: ['gpu'], priority: 3, capacity: 9, httpPort: 9900 };
    expect(good({ socket, ...ADDRESSES }, rich)).toMatchObject({
      weight: 7,
      tags: ['gpu'],
      priority: 3,
      capacity: 9,
      httpPort: 9900,
    });
  });
});

describe('a node that stays on its host', () => {
  const before = makeNode(0, { socket: 'udp:192.168.1.1:7890' });

  test('keeps its addresses when only its port changes', () => {
    expect(addresses(good({ socket: 'udp:192.168.1.1:7891' }, before))).toEqual(addresses(before));
  });

  test('keeps the address of the side that is not given', () => {
    expect(addresses(good({ out_media_ip: '1.2.3.9' }, before))).toEqual(['inner 10.0.0.1', 'outer 1.2.3.9']);
  });
});

describe('an rtpproxy', () => {
  const PROXY = { ...ADDRESSES, kind: 'rtpproxy', socket: 'udp:192.168.2.9:7890' };
  const before = good(PROXY);

  test('is stored as it was described, and never asked to impose anything', () => {
    expect(before).toEqual({
      kind: 'rtpproxy',
      socket: 'udp:192.168.2.9:7890',
      setId: 0,
      weight: 100,
      imposeMode: 'media-address',
      priority: 0,
      capacity: null,
      tags: [],
      httpPort: null,
      mediaAddresses: [
        { side: 'inner', family: 'IP4', address: '192.168.2.9', interface: null },
        { side: 'outer', family: 'IP4', address: '1.2.3.9', interface: null },
      ],
    });
  });

  test.each([
    ['udp:192.168.2.9', 'udp:192.168.2.9:22222'],
    [' udp6:[2001:db8::9] ', 'udp6:[2001:db8::9]:22222'],
    ['tcp:192.168.2.9:22222', 'tcp:192.168.2.9:22222'],
    ['tcp6:[2001:db8::9]:1', 'tcp6:[2001:db8::9]:1'],
    ['unix:/run/rtpproxy.sock', 'unix:/run/rtpproxy.sock'],
    ['cunix:/run/:0', 'cunix:/run/:0'],
  ])('with socket %p has %p', (socket, stored) => {
    expect(good({ ...PROXY, socket }).socket).toBe(stored);
  });

  test.each([
    [
      { socket: 'udp:relay' },
      'socket is "udp:relay"; allowed for rtpproxy is udp:IP[:PORT], udp6:[IP][:PORT], tcp:IP:PORT, tcp6:[IP]:PORT, unix:/PATH or cunix:/PATH, as in udp:192.168.2.3:7890',
    ],
    [{ socket: '/run/rtpproxy.sock' }, 'socket is "/run/rtpproxy.sock"; allowed for rtpproxy is'],
    [{ socket: 'tcp:239.0.0.1:1' }, 'its address must be that of one host'],
    [{ http_port: 9900 }, 'http_port is 9900; an rtpproxy has none, only rtpengine has'],
    [{ impose_mode: 'interface' }, 'impose_mode is "interface"; it is for rtpengine only'],
    [{ tags: ['rtpproxy'] }, 'a tag is "rtpproxy"; every node has its kind as a tag already'],
    [{ kind: 'rtpproxi' }, 'kind is "rtpproxi"; it must be "rtpengine" or "rtpproxy"'],
  ])('with %j is refused', (input, message) => {
    expect(fault({ ...PROXY, ...input })).toStartWith('RTPC_BAD_PARAMETER ');
    expect(fault({ ...PROXY, ...input })).toContain(message);
  });

  test('may be told so in words that are its defaults', () => {
    expect(good({ ...PROXY, impose_mode: 'media-address', http_port: null })).toEqual(before);
  });

  describe('moves', () => {
    const local = good({ ...PROXY, socket: 'unix:/run/a.sock' });

    test.each([
      [before, 'udp:192.168.2.9'],
      [before, 'tcp:192.168.2.9:7890'],
      [local, 'cunix:/run/a.sock'],
    ])('not to another way to the same relay (%#)', (old, socket) => {
      expect(addresses(good({ socket }, old))).toEqual(addresses(old));
    });

    test.each([
      [local, 'unix:/run/b.sock', 'moves from unix:/run/a.sock to unix:/run/b.sock, another relay; give'],
      [local, 'udp:127.0.0.1', 'moves from unix:/run/a.sock to udp:127.0.0.1:22222, another host; give'],
      [
        before,
        'unix:/run/a.sock',
        'moves from udp:192.168.2.9:7890 to unix:/run/a.sock, another relay; give',
      ],
    ])('to another path or host with its media addresses there (%#)', (old, socket, message) => {
      expect(fault({ socket }, old)).toContain(message);
      expect(addresses(good({ socket, out_media_ip: '1.2.3.8' }, old))).toEqual(['outer 1.2.3.8']);
    });
  });

  describe('names as interfaces', () => {
    /** The interfaces of a node whose inner and outer address have these. */
    const told = (inner: string | null, outer: string | null, innerAddress = '192.168.2.9') => ({
      kind: 'rtpproxy',
      socket: PROXY.socket,
      media_addresses: [
        { side: 'inner', address: innerAddress, interface: inner },
        { side: 'outer', address: '1.2.3.9', interface: outer },
      ],
    });

    test.each([
      ['internal', 'external'],
      ['external', 'external'],
      ['192.168.2.9', '10.9.9.9'],
      ['priv', 'pub'],
      ['192.168.2.9', 'pub'],
    ])('%p and %p', (inner, outer) => {
      expect(good(told(inner, outer)).mediaAddresses.map((address) => address.interface)).toEqual([
        inner,
        outer,
      ]);
    });

    test('an IPv6 address of its host', () => {
      expect(good(told('fd00::9', '10.9.9.9', '2001:db8::9')).mediaAddresses[0]?.interface).toBe('fd00::9');
    });

    test.each([
      [told('internal', 'pub'), 'some interfaces are "internal" or "external", others are not'],
      [told('10.9.9.8', 'external'), 'some interfaces are "internal" or "external", others are not'],
      [told('internal', null), 'the address 1.2.3.9 of side outer names no interface, but others do'],
      [told(null, 'pub'), 'the address 192.168.2.9 of side inner names no interface, but others do'],
      [
        told('fd00::9', '10.9.9.9'),
        'interface is "fd00::9"; it must have the family of the address beside it, IP4',
      ],
      [told('10.9.9.8', '10.9.9.9', '2001:db8::9'), 'must have the family of the address beside it, IP6'],
      [told('0.0.0.0', '10.9.9.9'), 'interface is "0.0.0.0"; it must be the address of one host'],
      [
        told('priv}', 'pub'),
        'interface is "priv}"; for rtpproxy it must be internal, external, an IP address',
      ],
    ])('nothing that does not go together (%#)', (input, message) => {
      expect(fault(input)).toContain(message);
    });

    test('and a new address without one does not go with the others', () => {
      expect(fault({ inner_media_ip: '192.168.2.8' }, good(told('priv', 'pub')))).toContain(
        'names no interface',
      );
    });
  });

  test('is not what an rtpengine is: a socket of its own tells the kind that was meant', () => {
    expect(fault({ ...ADDRESSES, socket: 'unix:/run/rtpproxy.sock' })).toBe(
      'RTPC_BAD_PARAMETER socket is "unix:/run/rtpproxy.sock"; allowed for rtpengine is udp:IP:PORT or udp6:[IP]:PORT; is its kind rtpproxy?',
    );
  });
});

describe('a node that changes its kind', () => {
  const engine = makeNode(0, {
    socket: 'udp:192.168.1.1:7890',
    httpPort: 9900,
    imposeMode: 'interface',
    weight: 7,
    mediaAddresses: [{ side: 'inner', family: 'IP4', address: '192.168.1.1', interface: 'priv' }],
  });

  test('is another relay: it wants its media addresses, and loses what only the old kind has', () => {
    expect(fault({ kind: 'rtpproxy' }, engine)).toBe(
      'RTPC_BAD_PARAMETER the node changes from rtpengine to rtpproxy, another relay; give its media addresses too (inner_media_ip and out_media_ip, or media_addresses)',
    );
    const proxy = good({ kind: 'rtpproxy', out_media_ip: '1.2.3.9' }, engine);
    expect(proxy).toMatchObject({ kind: 'rtpproxy', httpPort: null, imposeMode: 'media-address', weight: 7 });
    expect(addresses(proxy)).toEqual(['outer 1.2.3.9']);
  });

  test('cannot keep a socket the new kind does not have', () => {
    const proxy = good({ ...ADDRESSES, kind: 'rtpproxy', socket: 'unix:/run/rtpproxy.sock' });
    expect(fault({ ...ADDRESSES, kind: 'rtpengine' }, proxy)).toContain(
      'allowed for rtpengine is udp:IP:PORT',
    );
  });
});

test('an rtpengine is imposed on by interface only if all its addresses have one, also those it had before', () => {
  expect(fault({ impose_mode: 'interface' }, makeNode(0))).toContain(
    'impose_mode is "interface", but the address 10.0.0.1 of side inner names no interface',
  );
});
