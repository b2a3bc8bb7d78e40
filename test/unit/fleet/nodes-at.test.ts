import { describe, expect, test } from 'bun:test';
import { nodesAt, tellersAt } from '../../../src/fleet/nodes-at.ts';
import { makeCluster, makeNode } from '../../fakes/cluster.ts';

const { fleet } = makeCluster({
  nodes: [
    makeNode(0, { socket: 'udp:192.168.2.3:7890' }),
    makeNode(1, { socket: 'udp:192.168.2.3:7891' }),
    makeNode(2, { socket: 'udp6:[2001:db8::3]:7890' }),
    makeNode(3, { kind: 'rtpproxy', socket: 'unix:/run/rtpproxy.sock' }),
  ],
});

describe('the nodes at an address', () => {
  test.each([
    ['192.168.2.3', [0, 1], 'of their control sockets'],
    ['::ffff:192.168.2.3', [0, 1], 'as a socket for both families shows it'],
    ['2001:DB8:0::3', [2], 'spelled in another way'],
    ['10.0.0.2', [1], 'for media'],
    ['127.0.0.1', [3], 'of this host, where a path leads to'],
    ['192.0.2.99', [], 'of nobody'],
  ])('%s are %p: %s', (address, ids) => {
    expect([...nodesAt(fleet, address)]).toEqual(ids);
  });
});

describe('a notice that nobody signed', () => {
  test.each([null, '127.0.0.1', '127.8.9.10', '::1', '::ffff:127.0.0.1'])(
    'may be of any node if it comes from this host (%p)',
    (sender) => {
      expect(tellersAt(fleet, sender)).toEqual(new Set());
    },
  );

  test('is of the nodes at its address if it comes from elsewhere', () => {
    expect(tellersAt(fleet, '192.168.2.3')).toEqual(new Set([0, 1]));
  });

  test('is of a stranger otherwise', () => {
    expect(tellersAt(fleet, '192.0.2.99')).toBeUndefined();
    expect(tellersAt(fleet, '1.127.0.0')).toBeUndefined();
  });
});
