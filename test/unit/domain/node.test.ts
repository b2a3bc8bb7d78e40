import { describe, expect, test } from 'bun:test';
import { findLeg, findTag, sideOfTag } from '../../../src/domain/call.ts';
import { addressFor, type MediaAddress, parseSocket } from '../../../src/domain/node.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { makeCall, makeLeg } from '../../fakes/store.ts';

describe('a control socket', () => {
  test.each([
    ['udp:192.168.2.3:7890', '192.168.2.3', 7890],
    ['UDP:192.168.2.3:1', '192.168.2.3', 1],
    ['udp6:[2001:db8::3]:65535', '2001:db8::3', 65_535],
    ['udp6:2001:db8::3:7890', '2001:db8::3', 7890],
    ['udp6:[::ffff:10.0.0.1]:7890', '::ffff:10.0.0.1', 7890],
  ])('%p is read', (text, host, port) => {
    expect(parseSocket(text)).toEqual({ host, port });
  });

  test.each([
    '',
    'udp:192.168.2.3',
    'udp:192.168.2.3:0',
    'udp:192.168.2.3:65536',
    'udp:192.168.2.3:',
    'udp:192.168.2:7890',
    'udp:relay.example.org:7890',
    'udp:[2001:db8::3]:7890',
    'udp6:192.168.2.3:7890',
    'udp6:[fe80::1%eth0]:7890',
    'tcp:192.168.2.3:7890',
    '192.168.2.3:7890',
    'udp:192.168.2.3:7890 ',
    'udp:192.168.2.3:7890\nudp:192.168.2.4:7890',
  ])('%p is none', (text) => {
    expect(parseSocket(text)).toBeUndefined();
  });
});

describe('the address of a node', () => {
  const address = (side: string, family: 'IP4' | 'IP6', text: string): MediaAddress => ({
    side,
    family,
    address: text,
    interface: null,
  });
  const node = makeNode(0, {
    mediaAddresses: [
      address('inner', 'IP4', '10.0.0.1'),
      address('outer', 'IP6', '2001:db8::1'),
      address('outer', 'IP4', '198.51.100.1'),
      address('mpls', 'IP6', 'fd00::1'),
    ],
  });

  test('has the wanted family if there is one of it on that side', () => {
    expect(addressFor(node, 'outer', 'IP4')?.address).toBe('198.51.100.1');
    expect(addressFor(node, 'outer', 'IP6')?.address).toBe('2001:db8::1');
  });

  test('has the other family if there is no other, and there is none on a side the node is not on', () => {
    expect(addressFor(node, 'mpls', 'IP4')?.address).toBe('fd00::1');
    expect(addressFor(node, 'inner', 'IP6')?.address).toBe('10.0.0.1');
    expect(addressFor(node, 'carrier2', 'IP4')).toBeUndefined();
  });
});

describe('the legs of a call', () => {
  const call = makeCall('c', {
    legs: [makeLeg('A', { branch: 'b0' }), makeLeg('A', { branch: 'b1' }), makeLeg('B')],
  });

  test('are found by tag and branch, or by tag alone', () => {
    expect(findLeg(call, 'A', 'b1')).toBe(call.legs[1]);
    expect(findLeg(call, 'A')).toBeUndefined();
    expect(findLeg(call, 'B')).toBe(call.legs[2]);
    expect(findTag(call, 'A')).toBe(call.legs[0]);
    expect(findTag(call, 'C')).toBeUndefined();
    expect(findTag(undefined, 'A')).toBeUndefined();
  });

  test('the caller tag is on the caller side, every other tag on the other', () => {
    expect([sideOfTag(call, 'A'), sideOfTag(call, 'B'), sideOfTag(call, 'Z')]).toEqual([
      'inner',
      'outer',
      'outer',
    ]);
  });
});
