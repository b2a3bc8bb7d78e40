import { afterEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as call from '../../../src/commands/call.ts';
import * as node from '../../../src/commands/node.ts';
import * as set from '../../../src/commands/set.ts';
import { type Stub, startStub, testIo } from './stub.ts';

const NODE = {
  id: 3,
  kind: 'rtpengine',
  socket: 'udp:192.168.2.3:7890',
  set_id: 0,
  weight: 1,
  impose_mode: 'media-address',
  media_addresses: [
    { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: 'priv' },
    { side: 'outer', family: 'IP4', address: '203.0.113.3', interface: null },
    { side: 'mpls', family: 'IP6', address: '2001:db8::3', interface: null },
  ],
  calls: 17,
};

let stub: Stub | undefined;

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

function serve(answers: Record<string, unknown>): Stub {
  stub = startStub(answers);

  return stub;
}

async function run(
  command: { run: typeof node.run },
  argv: string[],
  env: Record<string, string> = {},
): Promise<{ code: number; out: string[]; err: string }> {
  const io = testIo({ RTP_CLUSTER_URL: stub?.url ?? 'http://127.0.0.1:1', ...env });
  const code = await command.run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n') };
}

describe('node list', () => {
  test('shows each node with a column for each side', async () => {
    serve({ 'GET /v1/nodes': { nodes: [NODE] } });
    expect((await run(node, ['list'])).out).toEqual([
      'ID  SOCKET                SET  ORDER  HEALTH  CALLS  SESS  FREE%  RTT/MS  WEIGHT  PRIO  INNER             OUTER        MPLS',
      ' 3  udp:192.168.2.3:7890    0                    17     -      -       -       1        192.168.2.3@priv  203.0.113.3  2001:db8::3',
    ]);
  });

  test('--json prints the answer as it is', async () => {
    serve({ 'GET /v1/nodes': { nodes: [], more: 1 } });
    expect((await run(node, ['list', '--json'])).out).toEqual(['{"nodes":[],"more":1}']);
  });

  test('texts of the service cannot steer the terminal', async () => {
    serve({ 'GET /v1/nodes': { nodes: [{ ...NODE, socket: 'a\u001b[2J\nb' }] } });
    expect((await run(node, ['list'])).out.join('')).not.toMatch(/\p{Cc}/u);
  });
});

describe('node add', () => {
  test('sends the node with its addresses and families', async () => {
    serve({ 'POST /v1/nodes': Response.json(NODE, { status: 201 }) });
    const { code, out } = await run(node, [
      'add',
      NODE.socket,
      ...[
        '--set',
        '0',
        '--inner',
        '192.168.2.3@priv',
        '--outer',
        '203.0.113.3',
        '--address',
        'MPLS=2001:db8::3',
      ],
      ...['--id', '3', '--weight', '2', '--impose', 'interface'],
    ]);
    expect(code).toBe(0);
    expect(out[0]).toBe('node 3 added');
    expect(stub?.seen[0]?.body).toEqual({
      socket: NODE.socket,
      id: 3,
      set_id: 0,
      weight: 2,
      impose_mode: 'interface',
      media_addresses: NODE.media_addresses,
    });
  });

  test('sends an rtpproxy with the sockets that face the sides', async () => {
    serve({ 'POST /v1/nodes': Response.json(NODE, { status: 201 }) });
    const given = ['--inner', '192.168.2.3@internal', '--outer', '203.0.113.3@external'];
    const flags = ['--set', '0', '--kind', 'rtpproxy', ...given];
    expect((await run(node, ['add', 'unix:/run/rtpproxy.sock', ...flags])).code).toBe(0);
    expect(stub?.seen[0]?.body).toEqual({
      socket: 'unix:/run/rtpproxy.sock',
      set_id: 0,
      kind: 'rtpproxy',
      media_addresses: [
        { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: 'internal' },
        { side: 'outer', family: 'IP4', address: '203.0.113.3', interface: 'external' },
      ],
    });
  });

  test.each([
    [['add'], 'wanted is SOCKET, given is nothing'],
    [
      ['add', 'udp:1.2.3:1', '--set', '0', '--inner', '10.0.0.1'],
      'the socket is "udp:1.2.3:1"; allowed is udp:IP:PORT',
    ],
    [
      ['add', 'unix:/run/a', '--set', '0', '--kind', 'rtpengine', '--inner', '10.0.0.1'],
      'the socket is "unix:/run/a"; allowed is udp:IP:PORT or udp6:[IP]:PORT (',
    ],
    [
      ['add', 'udp:relay', '--set', '0', '--kind', 'rtpproxy', '--inner', '10.0.0.1'],
      'the socket is "udp:relay"; allowed is udp:IP[:PORT], udp6:[IP][:PORT], tcp:IP:PORT',
    ],
    [
      ['add', NODE.socket, '--set', '0', '--tags', 'rtpengine', '--inner', '10.0.0.1'],
      '--tags: a tag is "rtpengine"; every node has its kind as a tag already',
    ],
    [['add', NODE.socket, '--inner', '10.0.0.1'], '--set is missing'],
    [['add', NODE.socket, '--set', '0'], 'no media address is given'],
    [['add', NODE.socket, '--set', '0', '--inner', 'host'], 'media address "inner=host"; allowed is SIDE=IP'],
    [
      ['add', NODE.socket, '--set', '0', '--inner', '10.0.0.1', '--address', 'inner=10.0.0.2'],
      'two IP4 addresses',
    ],
    [
      ['add', NODE.socket, '--set', '-1', '--inner', '10.0.0.1'],
      '--set is "-1"; allowed is a whole number from 0',
    ],
    [['add', NODE.socket, '--set', '0', '--weight', '70000', '--inner', '10.0.0.1'], 'from 0 to 65535'],
    [['add', NODE.socket, '--set', '0', '--kind', 'x', '--inner', '10.0.0.1'], 'rtpengine or rtpproxy'],
    [['add', NODE.socket, '--st', '0'], 'there is no flag --st; did you mean --set?'],
    [['add', NODE.socket, '--set', '--inner'], '--set needs a value'],
    [['add', NODE.socket, '--set', '0', '--set', '1'], '--set is given twice'],
    [['show', '1', '--json=yes'], '--json takes no value'],
    [['show', 'one'], 'the node id is "one"'],
    [['lst'], 'there is no "lst"; allowed are list, show'],
    [['lst'], '; did you mean list? (rtp-cluster help node)'],
    [[], 'what to do is missing'],
  ])('%j is refused before anything is sent', async (argv, message) => {
    const { code, err } = await run(node, argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});

describe('node set and node remove', () => {
  test('a change sends what was given; addresses with the others the node has', async () => {
    serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
    expect((await run(node, ['set', '3', '--weight', '0', '--inner', '192.168.2.9'])).code).toBe(0);
    expect((await run(node, ['set', '3', '--weight', '5'])).code).toBe(0);
    expect(stub?.seen.filter(({ method }) => method === 'PUT').map(({ body }) => body)).toEqual([
      {
        weight: 0,
        media_addresses: [
          ...NODE.media_addresses.slice(1),
          { side: 'inner', family: 'IP4', address: '192.168.2.9', interface: 'priv' },
        ],
      },
      { weight: 5 },
    ]);
  });

  test('a change may set priority, capacity, tags and HTTP port, and take the last three away', async () => {
    serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
    const given = ['--priority', '1', '--capacity', '500', '--tags', 'Gold,eu-1,gold', '--http-port', '9900'];
    expect((await run(node, ['set', '3', ...given])).code).toBe(0);
    expect(stub?.seen[1]?.body).toMatchObject({
      priority: 1,
      capacity: 500,
      tags: ['eu-1', 'gold'],
      http_port: 9900,
    });
    expect(
      (await run(node, ['set', '3', '--capacity', 'none', '--tags', 'none', '--http-port', 'none'])).code,
    ).toBe(0);
    expect(stub?.seen[3]?.body).toMatchObject({ capacity: null, tags: [], http_port: null });
  });

  test.each([
    [['--priority', '65536'], '--priority is "65536"; allowed is a whole number from 0 to 65535'],
    [['--capacity', '0'], '--capacity is "0"; allowed is a whole number from 1 to 1000000'],
    [['--http-port', '65536'], '--http-port is "65536"; allowed is a whole number from 1 to 65535'],
    [['--tags', 'a,b c'], '--tags: a tag is "b c"'],
    [['--tags', ','], '--tags: a tag is ""'],
    [['--priority', 'none'], '--priority is "none"'],
  ])('%j is refused before anything is sent', async (flags, message) => {
    serve({});
    const { code, err } = await run(node, ['set', '3', ...flags]);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(stub?.seen).toEqual([]);
  });

  test('show tells them, and says "none" of what is not set', async () => {
    serve({
      'GET /v1/nodes/3': { ...NODE, priority: 2, capacity: null, tags: ['eu', 'gold'], http_port: 9900 },
    });
    const { out } = await run(node, ['show', '3']);
    expect(out.map((line) => line.replace(/\s+/g, ' ').replace(', ', ','))).toEqual(
      expect.arrayContaining(['priority: 2', 'capacity: none', 'tags: eu,gold', 'http port: 9900']),
    );
  });

  test('a change without anything to change is refused', async () => {
    expect((await run(node, ['set', '3'])).err).toContain('nothing to change');
  });

  test.each([
    [0, 'node 3 removed'],
    [1, 'node 3 removed; its call goes on until the end'],
    [7, 'node 3 removed; its 7 calls go on until the end'],
  ])('remove of a node with %d calls says that they go on', async (calls, line) => {
    serve({ 'DELETE /v1/nodes/3': { id: 3, calls } });
    expect(await run(node, ['remove', '3'])).toEqual({ code: 0, out: [line], err: '' });
  });

  test('a socket on another host wants the addresses there, and nothing is sent without them', async () => {
    serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
    const { code, err } = await run(node, ['set', '3', '--socket', 'udp:192.168.2.4:7890']);
    expect(code).toBe(2);
    expect(err).toStartWith(
      'rtp-cluster node set: the node moves from 192.168.2.3 to 192.168.2.4, another host; give its media addresses too, as in --inner IP --outer IP',
    );
    expect(stub?.seen.map(({ method }) => method)).toEqual(['GET']);
  });

  test('another port of the same host, or another way to write it, wants nothing', async () => {
    for (const socket of ['udp:192.168.2.3:7891', 'udp:192.168.2.3:7890']) {
      serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
      expect((await run(node, ['set', '3', '--socket', socket])).code).toBe(0);
      expect(stub?.seen[1]?.body).toEqual({ socket });
      await stub?.stop();
    }
  });

  test('an rtpproxy wants them for another path and for another host, not for its default port', async () => {
    const proxy = { ...NODE, kind: 'rtpproxy', socket: 'udp:192.168.2.3:22222' };
    serve({ 'GET /v1/nodes/3': proxy, 'PUT /v1/nodes/3': proxy });
    expect((await run(node, ['set', '3', '--socket', 'udp:192.168.2.3'])).code).toBe(0);
    const { code, err } = await run(node, ['set', '3', '--socket', 'unix:/run/rtpproxy.sock']);
    expect(code).toBe(2);
    expect(err).toContain('the node moves from 192.168.2.3 to /run/rtpproxy.sock, another relay');
  });

  test('another kind is another relay: its media addresses are sent without those of the old one', async () => {
    serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
    const { code, err } = await run(node, ['set', '3', '--kind', 'rtpproxy']);
    expect(code).toBe(2);
    expect(err).toContain(
      'the node changes from rtpengine to rtpproxy, another relay; give its media addresses too',
    );
    expect((await run(node, ['set', '3', '--kind', 'rtpproxy', '--inner', '192.168.2.3'])).code).toBe(0);
    expect(stub?.seen.at(-1)?.body).toEqual({
      kind: 'rtpproxy',
      media_addresses: [{ side: 'inner', family: 'IP4', address: '192.168.2.3', interface: null }],
    });
    expect((await run(node, ['set', '3', '--kind', 'rtpengine'])).code).toBe(0);
  });

  test('a socket on another host with addresses is sent', async () => {
    serve({ 'GET /v1/nodes/3': NODE, 'PUT /v1/nodes/3': NODE });
    const given = ['--inner', '192.168.2.4', '--outer', '203.0.113.4'];
    expect((await run(node, ['set', '3', '--socket', 'udp:192.168.2.4:7890', ...given])).code).toBe(0);
    expect(stub?.seen[1]?.body).toEqual({
      socket: 'udp:192.168.2.4:7890',
      media_addresses: [
        { side: 'inner', family: 'IP4', address: '192.168.2.4', interface: null },
        { side: 'outer', family: 'IP4', address: '203.0.113.4', interface: null },
      ],
    });
  });

  test('remove tells what the service says', async () => {
    serve({
      'DELETE /v1/nodes/3': new Response(null, { status: 204 }),
      'DELETE /v1/nodes/4': Response.json(
        { code: 'RTPC_NODE_UNKNOWN', message: 'There is no node 4.' },
        { status: 404 },
      ),
    });
    expect(await run(node, ['remove', '3'])).toEqual({ code: 0, out: ['node 3 removed'], err: '' });
    const unknown = await run(node, ['remove', '4']);
    expect(unknown.code).toBe(1);
    expect(unknown.err).toBe('rtp-cluster node remove: There is no node 4 (RTPC_NODE_UNKNOWN)');
  });
});

describe('node check and node reconcile', () => {
  test('check tells what was found and what to do, and fails if something did', async () => {
    const report = (result: string) => ({
      node_id: 3,
      result,
      checks: [
        { check: 'control', side: null, family: null, result: 'ok', detail: 'answers', advice: '' },
        { check: 'address', side: 'outer', family: 'IP4', result, detail: '10.0.0.3', advice: 'look' },
      ],
    });
    serve({ 'POST /v1/nodes/3/check': report('failed') });
    expect(await run(node, ['check', '3'])).toEqual({
      code: 1,
      out: [
        'node 3  failed',
        '  ok      control        answers',
        '  failed  address outer  10.0.0.3',
        '                         do: look',
      ],
      err: '',
    });
    expect(stub?.seen[0]?.body).toEqual({ media: true });
    await stub?.stop();
    serve({ 'POST /v1/nodes/3/check': report('warning') });
    expect((await run(node, ['check', '3', '--no-media'])).code).toBe(0);
    expect(stub?.seen[0]?.body).toEqual({ media: false });
  });

  test('check fails where an older service has nothing to tell', async () => {
    serve({ 'POST /v1/nodes/3/check': { id: 3, health: { state: 'up' } } });
    const { code, err } = await run(node, ['check', '3']);
    expect([code, err]).toEqual([1, expect.stringContaining('older than this command')]);
  });

  test('reconcile says what was found', async () => {
    const report = { asked: 3, kept: 40, lost: 2, strays: 1, foreign: 5, unsure: 0, took_ms: 12 };
    serve({ 'POST /v1/nodes/3/reconcile': report });
    expect(await run(node, ['reconcile', '3'])).toEqual({
      code: 0,
      out: ['3 asked, 40 kept, 2 lost, 1 strays, 5 foreign, 0 unsure'],
      err: '',
    });
    expect((await run(node, ['reconcile', '3', '--json'])).out).toEqual([JSON.stringify(report)]);
  });

  test.each(['check', 'reconcile'])('%s says why the service does not', async (action) => {
    const answer = { code: 'RTPC_NODE_UNKNOWN', message: 'there is no node 3' };
    serve({ [`POST /v1/nodes/3/${action}`]: Response.json(answer, { status: 404 }) });
    expect(await run(node, [action, '3'])).toEqual({
      code: 1,
      out: [],
      err: `rtp-cluster node ${action}: there is no node 3 (RTPC_NODE_UNKNOWN)`,
    });
    expect((await run(node, [action, 'x'])).err).toContain('the node id is "x"');
  });
});

describe('set', () => {
  test('list shows sets', async () => {
    serve({
      'GET /v1/sets': {
        sets: [
          {
            id: 0,
            description: 'main',
            direction: null,
            policy: 'least-load',
            load_by: 'ports',
            port_reserve: 5,
            media_probe: true,
            nodes: 2,
            calls: 5,
          },
        ],
      },
    });
    expect((await run(set, ['list'])).out).toEqual([
      'ID  NODES  CALLS  POLICY      LOAD BY  RESERVE  PROBE  DIRECTION  DESCRIPTION',
      ' 0      2      5  least-load  ports          5  on                main',
    ]);
  });

  test('change says how the set places calls', async () => {
    serve({ 'PUT /v1/sets/1': {} });
    const flags = [
      ...['--policy', 'round-robin', '--load-by', 'ports', '--port-reserve', '50'],
      ...['--media-probe', 'on'],
    ];
    expect((await run(set, ['change', '1', ...flags])).code).toBe(0);
    expect(stub?.seen[0]?.body).toEqual({
      policy: 'round-robin',
      load_by: 'ports',
      port_reserve: 50,
      media_probe: true,
    });
    await run(set, ['change', '1', '--media-probe', 'off']);
    expect(stub?.seen[1]?.body).toEqual({ media_probe: false });
  });

  test.each([
    [['--policy', 'random'], '--policy is "random"; allowed is hash, least-load or round-robin'],
    [['--load-by', 'calls'], '--load-by is "calls"; allowed is sessions or ports'],
    [['--media-probe', 'yes'], '--media-probe is "yes"; allowed is on or off'],
    [['--port-reserve', '51'], '--port-reserve is "51"; allowed is a whole number from 0 to 50'],
  ])('change %j is refused before anything is sent', async (flags, message) => {
    serve({ 'PUT /v1/sets/1': {} });
    const { code, err } = await run(set, ['change', '1', ...flags]);
    expect(code).toBe(2);
    expect(err).toContain(message);
    expect(stub?.seen).toEqual([]);
  });

  test('change sends only what was given; "none" takes the direction away', async () => {
    serve({ 'PUT /v1/sets/1': {} });
    await run(set, ['change', '1', '--direction', 'none']);
    await run(set, ['change', '1', '--description', '']);
    expect(stub?.seen.map(({ body }) => body)).toEqual([{ direction: null }, { description: '' }]);
    expect((await run(set, ['change', '1'])).code).toBe(2);
  });

  test('remove takes a set id and tells what the service says', async () => {
    serve({ 'DELETE /v1/sets/1': {} });
    expect(await run(set, ['remove', '1'])).toEqual({ code: 0, out: ['set 1 removed'], err: '' });
    expect((await run(set, ['remove', 'x'])).err).toStartWith('rtp-cluster set remove: the set id is "x"');
    expect((await run(node, ['remove', 'x'])).err).toStartWith('rtp-cluster node remove: the node id is "x"');
    expect(stub?.seen).toHaveLength(1);
  });
});

describe('call', () => {
  const CALL = {
    call_id: 'a/b@10.0.0.1',
    node_id: 3,
    set_id: 0,
    direction: 'out',
    state: 'ended',
    created_at: 1_795_435_200_123,
    updated_at: 1_795_435_260_000,
    end_reason: 'bye',
    legs: [
      {
        tag: 'A',
        branch: 'z9hG4bK1',
        side: 'inner',
        sdp_received: 'v=0\r\nc=IN IP4 10.0.0.9\r\n',
        sdp_returned: null,
      },
    ],
  };

  test('list passes the filters on and tells how to go on', async () => {
    serve({ 'GET /v1/calls?node=3&state=ended': { calls: [CALL], next: 'x y' } });
    const { out } = await run(call, ['list', '--node', '3', '--state', 'ended']);
    expect(out).toEqual([
      'NODE  SET  DIRECTION  STATE        LEGS  CREATED               CALL-ID',
      '   3    0  out        ended (bye)     1  2026-11-23 12:00:00Z  a/b@10.0.0.1',
      "There are more: --after 'x y'",
    ]);
  });

  test('list says when not all calls were looked through, with what there is and how to go on', async () => {
    serve({ 'GET /v1/calls?search=abc&state=all': { calls: [], next: 'p', is_partial: true } });
    const { out } = await run(call, ['list', '--search', 'abc', '--state', 'all']);
    expect(out).toEqual(['None so far.', "There may be more: --after 'p'"]);
  });

  test('show finds Call-IDs with any character and shows legs with their SDP', async () => {
    serve({ 'GET /v1/calls/a%2Fb%4010.0.0.1': CALL });
    const { out } = await run(call, ['show', 'a/b@10.0.0.1']);
    expect(out).toEqual([
      'call:          a/b@10.0.0.1',
      'node:          3',
      'set:           0',
      'direction:     out',
      'state:         ended (bye)',
      'created:       2026-11-23 12:00:00Z',
      'updated:       2026-11-23 12:01:00Z',
      '',
      'leg 1, side inner',
      '  tag:         A',
      '  branch:      z9hG4bK1',
      '  SDP received:',
      '    v=0',
      '    c=IN IP4 10.0.0.9',
    ]);
  });

  test.each([
    [['list', '--state', 'x'], 'allowed is live, announced, early, confirmed, ended or all'],
    [['list', '--since', 'noon'], '--since is "noon"; allowed is a time ago such as 30m'],
    [['list', '--until', '1w'], '--until is "1w"; allowed is a time ago such as 30m'],
    [['list', '--search', 'ab'], '--search is "ab"; allowed is a part of a Call-ID of 3 characters or more'],
    [['watch', '--search', 'ab'], '--search is "ab"'],
    [['show', '.'], 'the Call-ID is ".", which no address can hold'],
    [['watch', '..'], 'the Call-ID is "..", which no address can hold'],
  ])('%j is refused before anything is sent', async (argv, message) => {
    serve({});
    const { code, err } = await run(call, argv);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
    expect(stub?.seen).toEqual([]);
  });

  test('list takes times as the service does', async () => {
    const path = 'GET /v1/calls?since=1795435200000&until=2026-11-23T12%3A00%3A00Z';
    serve({ [path]: { calls: [], next: null } });
    const argv = ['list', '--since', '1795435200000', '--until', '2026-11-23T12:00:00Z'];
    expect((await run(call, argv)).out).toEqual(['There are no such calls.']);
  });
});

describe('the client', () => {
  test('says what to do when nobody listens', async () => {
    const { code, err } = await run(node, ['list']);
    expect(code).toBe(1);
    expect(err).toContain('no answer from http://127.0.0.1:1/ (ECONNREFUSED); is the service running');
  });

  test('takes the token from the environment or the file, the file first', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
    const file = join(folder, 'token');
    writeFileSync(file, '# mine\nfrom-file\n');
    serve({ 'GET /v1/nodes': { nodes: [] } });
    const env = { RTP_CLUSTER_TOKEN: 'from-environment' };
    await run(node, ['list'], env);
    await run(node, ['list', '--token-file', file], env);
    await run(node, ['list']);
    rmSync(folder, { recursive: true });
    expect(stub?.seen.map(({ authorization }) => authorization)).toEqual([
      'Bearer from-environment',
      'Bearer from-file',
      null,
    ]);
  });

  test('tells how to give a token when one is wanted', async () => {
    serve({ 'GET /v1/nodes': Response.json({ code: 'RTPC_UNAUTHORIZED', message: 'No.' }, { status: 401 }) });
    expect((await run(node, ['list'])).err).toContain('give one with --token-file FILE or RTP_CLUSTER_TOKEN');
  });

  test('does not take an answer of something else for ours, and follows no redirect', async () => {
    serve({
      'GET /v1/nodes': new Response('<html>hello</html>'),
      'GET /v1/sets': Response.redirect('http://127.0.0.1:1/elsewhere'),
    });
    expect((await run(node, ['list'])).err).toContain('something that is not from rtp_cluster');
    expect((await run(set, ['list'])).err).toContain('answered 302');
  });

  test('an error cannot steer the terminal nor turn its line round, whatever the service repeats', async () => {
    const message = 'there is no call "\u001b[31mX\u0007\u009b2J\u202egpj\u2066\u200f\u2028y"';
    serve({ 'GET /v1/calls/c1': Response.json({ code: 'RTPC_CALL_UNKNOWN', message }, { status: 404 }) });
    const { code, err } = await run(call, ['show', 'c1']);
    expect(code).toBe(1);
    expect(err).toBe('rtp-cluster call show: there is no call "?[31mX??2J?gpj???y" (RTPC_CALL_UNKNOWN)');
  });

  test('nor can a word of the command line, which a script may have from a stranger', async () => {
    const { code, err } = await run(node, ['show', '\u001b]0;X\u0007\u202e3']);
    expect(code).toBe(2);
    expect(err).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
    expect(err).toContain('the node id is "?]0;X??3"');
  });

  test('with --json an error prints the answer too', async () => {
    serve({});
    const { code, out } = await run(node, ['list', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out[0] ?? '')).toMatchObject({ code: 'RTPC_NOT_FOUND' });
  });

  test('uses a unix socket', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
    const unix = join(folder, 's');
    const server = Bun.serve({ unix, fetch: () => Response.json({ nodes: [NODE] }) });
    const { code, out } = await run(node, ['list', '--unix', unix]);
    await server.stop(true);
    const gone = await run(node, ['list', '--unix', join(folder, 'none')]);
    rmSync(folder, { recursive: true });
    expect(code).toBe(0);
    expect(out[1]).toContain(NODE.socket);
    expect(gone.err).toContain('(ENOENT)');
  });

  test.each([
    [['list', '--url', 'foo'], '--url is "foo"; allowed is a URL'],
    [['list', '--url', 'http://user:secret@h/'], 'allowed are scheme, host, port and path'],
    [['list', '--url', 'http://h', '--unix', '/s'], 'both given'],
    [['list', '--token-file', '/none'], 'cannot read /none'],
  ])('%j is refused', async (argv, message) => {
    const { code, err } = await run(node, argv);
    expect(code).toBe(2);
    expect(err).toContain(message);
  });
});
