import { describe, expect, test } from 'bun:test';
import { findLeg, findTag, sideOfTag } from '../../../src/domain/call.ts';
import {
  addressFor,
  faceOf,
  type MediaAddress,
  parseSocket,
  socketFor,
  whereabouts,
  withPort,
} from '../../../src/domain/node.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { makeCall, makeLeg } from '../../fakes/store.ts';

describe('a control socket', () => {
  test.each([
    ['udp:192.168.2.3:7890', 'udp', '192.168.2.3', 7890],
    ['UDP:192.168.2.3:1', 'udp', '192.168.2.3', 1],
    ['udp6:[2001:db8::3]:65535', 'udp', '2001:db8::3', 65_535],
    ['udp6:2001:db8::3:7890', 'udp', '2001:db8::3', 7890],
    ['udp6:[::ffff:10.0.0.1]:7890', 'udp', '::ffff:10.0.0.1', 7890],
    ['tcp:192.168.2.3:7890', 'tcp', '192.168.2.3', 7890],
    ['TCP6:[2001:db8::3]:7890', 'tcp', '2001:db8::3', 7890],
  ])('%p is read', (text, transport, host, port) => {
    expect<unknown>(parseSocket(text)).toEqual({ transport, host, port });
  });

  test.each([
    ['unix:/run/rtpproxy.sock', 'unix', '/run/rtpproxy.sock'],
    ['CUnix:/run/a=b:1', 'cunix', '/run/a=b:1'],
    [`unix:/${'x'.repeat(106)}`, 'unix', `/${'x'.repeat(106)}`],
  ])('%p is read', (text, transport, path) => {
    expect<unknown>(parseSocket(text)).toEqual({ transport, path });
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
    'tcp:192.168.2.3',
    'tcp:[2001:db8::3]:7890',
    '192.168.2.3:7890',
    'udp:192.168.2.3:7890 ',
    'udp:192.168.2.3:7890\nudp:192.168.2.4:7890',
    '/run/rtpproxy.sock',
    'unix:run/rtpproxy.sock',
    'unix:/run/rtp proxy.sock',
    `unix:/${'x'.repeat(107)}`,
    `unix:/${'ä'.repeat(54)}`,
    'ws:192.168.2.3:7890',
  ])('%p is none', (text) => {
    expect(parseSocket(text)).toBeUndefined();
  });
});

describe('the control socket of a kind', () => {
  test.each([
    ['udp:192.168.2.3', 'udp:192.168.2.3:22222'],
    ['udp6:[2001:db8::3]', 'udp6:[2001:db8::3]:22222'],
    ['udp:192.168.2.3:7890', 'udp:192.168.2.3:7890'],
    // Its last group could be meant as the port.
    ['udp6:2001:db8::3', 'udp6:2001:db8::3'],
    ['tcp:192.168.2.3', 'tcp:192.168.2.3'],
    ['unix:/run/rtpproxy.sock', 'unix:/run/rtpproxy.sock'],
  ])('%p has the port of rtpproxy where it names none', (text, whole) => {
    expect(withPort(text)).toBe(whole);
  });

  test('an rtpproxy may have any, and gets its port; an rtpengine has UDP, with a port', () => {
    const others = ['tcp:10.0.0.1:1', 'tcp6:[::1]:1', 'unix:/run/a', 'cunix:/run/a'];
    for (const socket of ['udp:10.0.0.1:1', 'udp6:[::1]:1', ...others])
      expect(socketFor('rtpproxy', socket)).toBe(socket);
    expect(socketFor('rtpproxy', 'udp:10.0.0.1')).toBe('udp:10.0.0.1:22222');
    expect(socketFor('rtpengine', 'udp6:[::1]:1')).toBe('udp6:[::1]:1');
    for (const socket of ['udp:10.0.0.1', ...others]) expect(socketFor('rtpengine', socket)).toBeUndefined();
    expect(socketFor('rtpproxy', 'udp:relay')).toBeUndefined();
  });

  test('tells where the relay is: a host, or a path', () => {
    expect(['udp:10.0.0.1:1', 'tcp6:[::1]:1', 'unix:/run/a', 'cunix:/run/a', 'x'].map(whereabouts)).toEqual([
      '10.0.0.1',
      '::1',
      '/run/a',
      '/run/a',
      '',
    ]);
  });
});

describe('the interface of an rtpproxy', () => {
  test.each([
    ['internal', 'bridge'],
    ['external', 'bridge'],
    ['192.168.2.3', 'address'],
    ['2001:db8::3', 'address'],
    ['pub', 'label'],
    ['int', 'label'],
    ['Internal', 'label'],
    ['eth0.5-a_b', 'label'],
  ] as const)('%p is a %s', (name, face) => {
    expect(faceOf(name)).toBe(face);
  });

  test.each(['', '192.168.2.300', '1', 'a b', 'a}', '[2001:db8::3]', 'fe80::1%eth0', 'a:b', 'x'.repeat(65)])(
    '%p is none',
    (name) => {
      expect(faceOf(name)).toBeUndefined();
    },
  );
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
