/** Nodes as people see them: `node list`, `node show` and `top`. */

import { afterEach, describe, expect, test } from 'bun:test';
import * as node from '../../../src/commands/node.ts';
import { nodeLines } from '../../../src/commands/node-lines.ts';
import * as top from '../../../src/commands/top.ts';
import { type Stub, startStub, testIo } from './stub.ts';

const NOW = 1_795_435_200_000;
const NODE = {
  id: 3,
  kind: 'rtpengine',
  socket: 'udp:192.168.2.3:7890',
  set_id: 0,
  weight: 100,
  impose_mode: 'media-address',
  priority: 0,
  capacity: null,
  tags: ['eu', 'gold'],
  http_port: null,
  media_addresses: [
    { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: null },
    { side: 'outer', family: 'IP4', address: '203.0.113.3', interface: null },
  ],
  calls: 17,
  order: { state: 'ready', by: '', reason: '', at: 0, until: null, relay_told: false },
  health: { state: 'up', since: NOW - 180_000, cause: 'answered a check', ejected_until: null },
  takes_new_calls: 'yes',
  share: 1,
  load: {
    calls: 17,
    sessions: 20,
    ports_in_use: 104,
    ports_total: 1000,
    packets_per_s: 850,
    bytes_per_s: 143_000,
    errors_per_s: 0,
    figures_age_ms: 4000,
  },
  rtt_ms: 0.43,
  version: '10.5 or older',
  uptime_s: 266_400,
  last_change: { at: NOW - 180_000, cause: 'up: answered a check' },
  drain: null,
};
const DRAINING = {
  ...NODE,
  id: 12,
  set_id: 1,
  order: {
    ...NODE.order,
    state: 'drain',
    by: 'root@a',
    reason: 'kernel',
    at: NOW - 60_000,
    until: NOW + 600_000,
  },
  share: 0.4,
  rtt_ms: 12.34,
  takes_new_calls: 'panic',
  drain: { calls_left: 17, per_minute: 12.5, eta_s: 82, is_drained: false },
};
const DOWN = {
  ...NODE,
  id: 4,
  health: { ...NODE.health, state: 'down' },
  load: { ...NODE.load, sessions: null, ports_in_use: null, ports_total: null },
  rtt_ms: null,
};

const PROXY = {
  ...NODE,
  id: 5,
  kind: 'rtpproxy',
  socket: 'unix:/run/rtpproxy.sock',
  media_addresses: [
    { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: 'internal' },
    { side: 'outer', family: 'IP4', address: '203.0.113.3', interface: 'external' },
  ],
  load: { ...NODE.load, ports_in_use: null, ports_total: null },
  uptime_s: null,
};

let stub: Stub | undefined;

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

async function run(
  command: { run: typeof node.run },
  argv: string[],
  nodes: readonly object[],
): Promise<string[]> {
  stub = startStub({ 'GET /v1/nodes': { nodes, calls_begun: 5 } });
  const io = testIo({ RTP_CLUSTER_URL: stub.url });
  expect(await command.run(argv, io)).toBe(0);

  return io.outLines;
}

describe('node list', () => {
  test('shows order, opinion and load of each node in 120 columns', async () => {
    const lines = await run(node, ['list'], [NODE, DOWN, DRAINING]);
    expect(lines).toEqual([
      'ID  SOCKET                SET  ORDER  HEALTH  CALLS  SESS  FREE%  RTT/MS  WEIGHT     PRIO  INNER        OUTER',
      ' 3  udp:192.168.2.3:7890    0  ready  up         17    20     89     0.4  100           0  192.168.2.3  203.0.113.3',
      ' 4  udp:192.168.2.3:7890    0  ready  down       17     -      -       -  100           0  192.168.2.3  203.0.113.3',
      '12  udp:192.168.2.3:7890    1  drain  up         17    20     89    12.3  100 (40%)     0  192.168.2.3  203.0.113.3',
      expect.stringMatching(/^node 12: drain by \S+ since \d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ/),
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(120);
  });

  test('shows the kind if not all are rtpengines, and a dash for what an rtpproxy does not tell', async () => {
    const lines = await run(node, ['list'], [NODE, PROXY]);
    expect(lines.slice(0, 3)).toEqual([
      'ID  SOCKET                   KIND       SET  ORDER  HEALTH  CALLS  SESS  FREE%  RTT/MS  WEIGHT  PRIO  INNER                 OUTER',
      ' 3  udp:192.168.2.3:7890     rtpengine    0  ready  up         17    20     89     0.4     100     0  192.168.2.3           203.0.113.3',
      ' 5  unix:/run/rtpproxy.sock  rtpproxy     0  ready  up         17    20      -     0.4     100     0  192.168.2.3@internal  203.0.113.3@external',
    ]);
    const [head = '', line = ''] = await run(node, ['list', '--wide'], [PROXY]);
    expect(line.slice(head.indexOf('UPTIME')).trim()).toStartWith('- ');
  });

  test('--wide shows the rest', async () => {
    const [head = '', line = ''] = await run(node, ['list', '--wide'], [NODE]);
    for (const column of ['NEW', 'KIND', 'CAPACITY', 'TAGS', 'PKT/S', 'VERSION', 'UPTIME', 'CAUSE'])
      expect(head).toContain(column);
    for (const cell of [
      'yes',
      'rtpengine',
      'eu, gold',
      '850',
      '10.5 or older',
      '3 d 2 h',
      'answered a check',
    ])
      expect(line).toContain(cell);
  });
});

test('node show says all of a node, and why it is as it is', () => {
  expect(nodeLines(DRAINING, NOW)).toEqual([
    'node:        12',
    'kind:        rtpengine',
    'socket:      udp:192.168.2.3:7890',
    'set:         1',
    'order:       drain by root@a, 1 min ago: kernel',
    'until:       2026-11-23 12:10:00Z (in 10 min)',
    'drain:       17 calls left, 12.5 ended per minute, about 1 min 22 s to go',
    'health:      up for 3 min: answered a check',
    'last change: 3 min ago: up: answered a check',
    'new calls:   only while most of its set is gone',
    'calls:       17',
    'sessions:    20',
    'ports:       104 of 1000 in use',
    'media:       850 packets/s, 143 kB/s, 0 errors/s (4 s ago)',
    'round trip:  12.34 ms',
    'version:     10.5 or older',
    'uptime:      3 d 2 h',
    'weight:      100, of which 40 % count while it comes up',
    'impose:      media-address',
    'priority:    0',
    'capacity:    none',
    'tags:        eu, gold',
    'http port:   none',
    'inner:       192.168.2.3',
    'outer:       203.0.113.3',
  ]);
});

test('node show of an rtpproxy leaves out what only rtpengine has, and what it does not tell', () => {
  const names = nodeLines(PROXY, NOW).map((line) => line.replace(/\s+/g, ' '));
  expect(names).toContain('kind: rtpproxy');
  expect(names).toContain('inner: 192.168.2.3@internal');
  expect(names.filter((line) => /^(impose|http port|ports|uptime):/.test(line))).toEqual([]);
});

describe('top without a terminal', () => {
  test('shows once how the whole is, then the nodes by set and id', async () => {
    const lines = await run(top, [], [DRAINING, NODE]);
    expect(lines[0]).toBe('nodes up 2/2   calls 34   sessions 40   new calls -/s');
    expect(lines[1]).toBe('');
    expect(lines.slice(3).map((line) => line.slice(0, 2))).toEqual([' 3', '12', 'no']);
    expect(lines.join('')).not.toContain('\u001b');
  });

  test('names the sets most of whose weight is gone; nodes that people took out do not count', async () => {
    const lines = await run(top, [], [{ ...NODE, weight: 10 }, DOWN, { ...DRAINING, health: DOWN.health }]);
    expect(lines.slice(0, 3)).toEqual([
      'nodes up 1/3   calls 51   sessions 40   new calls -/s',
      'set 0 is in PANIC: 10 of 110 of its weight is healthy; bad nodes are tried too',
      '',
    ]);
  });

  test.each(['0s', 'often'])('an interval of %s is refused', async (interval) => {
    const io = testIo();
    expect(await top.run(['--interval', interval], io)).toBe(2);
    expect(io.errLines.join()).toContain('--interval is');
  });
});
