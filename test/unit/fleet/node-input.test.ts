/** A description of a node by itself: which control sockets are one host, and what moves with a node to another. */

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
