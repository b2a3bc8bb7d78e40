import { afterEach, describe, expect, test } from 'bun:test';
import { run } from '../../../src/commands/doctor.ts';
import { FakeNode } from '../../../src/relay/ng/fake-node.ts';
import { freeUdpPort } from '../../lab/ports.ts';
import { type Stub, startStub, testIo } from './stub.ts';

let stub: Stub | undefined;
afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

const SERVICE = {
  'GET /healthz': { status: 'alive', version: '1.2.3' },
  'GET /readyz': { ready: true, database: 'ok', stopping: false },
};
const node = (id: number, set_id = 0) => ({
  id,
  socket: `udp:10.0.0.${id}:2223`,
  set_id,
  order: { state: 'ready' },
  health: { state: 'up' },
});
const check = (word: string, result: string, detail: string, advice = '') => ({
  check: word,
  side: null,
  family: null,
  result,
  detail,
  advice,
  took_ms: 1,
});
const GOOD = { node_id: 1, result: 'ok', checks: [check('control', 'ok', 'answers')] };
const LOSSY = { node_id: 2, result: 'warning', checks: [check('media', 'warning', 'some lost', 'Look.')] };
const DEAD = { node_id: 3, result: 'failed', checks: [check('control', 'failed', 'no reply', 'Start it.')] };
const FLEET = {
  ...SERVICE,
  'GET /v1/nodes': { nodes: [node(1), node(2), node(3)] },
  'GET /v1/nodes?set=7': { nodes: [node(2, 7)] },
  'POST /v1/nodes/1/check': GOOD,
  'POST /v1/nodes/2/check': LOSSY,
  'POST /v1/nodes/3/check': DEAD,
};

async function doctor(answers: Readonly<Record<string, unknown>>, argv: string[] = []) {
  stub = startStub(answers);
  const io = testIo({ RTP_CLUSTER_URL: stub.url });
  const code = await run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n'), seen: stub.seen };
}

describe('doctor', () => {
  test('tells of the service, then of each node what was seen and what to do, and fails if something did', async () => {
    const { code, out, err } = await doctor(FLEET);
    expect([code, err]).toEqual([1, '']);
    expect(out).toEqual([
      'service  ok',
      '  ok       service   alive, version 1.2.3',
      '  ok       database  can be written',
      '  skipped  ng        the address of the service is given, so its settings are not read',
      '',
      'node 1  ok  udp:10.0.0.1:2223, set 0, ready, up',
      '  ok  control  answers',
      '',
      'node 2  warning  udp:10.0.0.2:2223, set 0, ready, up',
      '  warning  media  some lost',
      '                  do: Look.',
      '',
      'node 3  failed  udp:10.0.0.3:2223, set 0, ready, up',
      '  failed  control  no reply',
      '                   do: Start it.',
      '',
      '3 nodes: 1 ok, 1 with warnings, 1 failed',
    ]);
  });

  test('looks at the nodes that are named, or at those of a set; a warning is no failure', async () => {
    expect((await doctor(FLEET, ['1', '2'])).out.at(-1)).toBe('2 nodes: 1 ok, 1 with warnings, 0 failed');
    const ofSet = await doctor(FLEET, ['--set', '7']);
    expect([ofSet.code, ofSet.out.at(-1)]).toEqual([0, '1 node: 0 ok, 1 with warnings, 0 failed']);
  });

  test('sends RTP unless it is told not to', async () => {
    expect((await doctor(FLEET, ['1'])).seen.at(-1)?.body).toEqual({ media: true });
    expect((await doctor(FLEET, ['1', '--no-media'])).seen.at(-1)?.body).toEqual({ media: false });
  });

  test('prints all of it as JSON', async () => {
    const { code, out } = await doctor(FLEET, ['--json']);
    expect(code).toBe(1);
    expect(JSON.parse(out.join('\n'))).toMatchObject({
      result: 'failed',
      service: [
        { check: 'service', result: 'ok' },
        { check: 'database' },
        { check: 'ng', result: 'skipped' },
      ],
      nodes: [
        { ...GOOD, order: 'ready', health: 'up' },
        { ...LOSSY, order: 'ready', health: 'up' },
        { ...DEAD, order: 'ready', health: 'up' },
      ],
    });
  });

  test('says that it wants the role admin, and asks nothing more', async () => {
    const refusal = {
      code: 'RTPC_FORBIDDEN',
      message: 'the token "grafana" has the role read; this wants admin',
    };
    const { code, err, out } = await doctor({
      ...FLEET,
      ...Object.fromEntries(
        [1, 2, 3].map((id) => [`POST /v1/nodes/${id}/check`, Response.json(refusal, { status: 403 })]),
      ),
    });
    expect(code).toBe(1);
    expect(err).toBe(
      'rtp-cluster doctor: the token "grafana" has the role read; this wants admin: doctor makes calls through the relays. Give a token of the role admin by --token-file (RTPC_FORBIDDEN)',
    );
    // What is known of the service is told all the same.
    expect(out[0]).toBe('service  ok');
  });

  test('says what is wrong with the service', async () => {
    const full = { ready: false, database: 'the disk is full', stopping: false };
    const disk = await doctor({ ...FLEET, 'GET /readyz': Response.json(full, { status: 503 }) }, ['1']);
    expect([disk.code, disk.out[0], disk.out[2]]).toEqual([
      1,
      'service  failed',
      '  failed   database  the disk is full; calls go on from memory',
    ]);
    const ending = { ready: false, database: 'ok', stopping: true };
    const stopping = await doctor({ ...FLEET, 'GET /readyz': Response.json(ending, { status: 503 }) }, ['1']);
    expect(stopping.out[1]).toBe('  failed   service  it is stopping');
  });

  test('asks each port of the ng protocol that the settings of this host name', async () => {
    stub = startStub(FLEET);
    const relay = await FakeNode.start();
    const dead = await freeUdpPort();
    const listen = [`0 == udp:127.0.0.1:${relay.address.port}`, `7 == udp:127.0.0.1:${dead}`];
    const io = testIo({
      RTP_CLUSTER_CONFIG: '/dev/null',
      RTP_CLUSTER_HTTP_LISTEN: new URL(stub.url).host,
      RTP_CLUSTER_NG_LISTEN: listen.join(','),
    });
    const code = await run(['1'], io);
    relay.stop();
    expect(code).toBe(1);
    expect(io.outLines.filter((line) => line.includes(' ng '))).toEqual([
      `  ok      ng        127.0.0.1:${relay.address.port} of set 0 answers`,
      `  failed  ng        127.0.0.1:${dead} of set 7 does not answer: nobody listens at its port`,
    ]);
    expect(io.outLines.join(' ')).toContain('do: See the journal of the service for ng.not_listening');
    // Settings that cannot be read keep nobody from the rest.
    const lost = testIo({ ...io.env, RTP_CLUSTER_NG_LISTEN: 'nonsense' });
    await run(['1'], lost);
    expect(lost.outLines.find((line) => line.includes(' ng '))).toContain('skipped');
    expect(lost.outLines.at(-1)).toStartWith('1 node:');
  });

  test('says that there is no service', async () => {
    const io = testIo({ RTP_CLUSTER_URL: `http://127.0.0.1:${await freeUdpPort()}` });
    expect(await run([], io)).toBe(1);
    expect(io.outLines[0]).toBe('service  failed');
    expect(io.errLines[0]).toContain('is the service running there');
    const asJson = testIo(io.env as Record<string, string>);
    expect(await run(['--json'], asJson)).toBe(1);
    expect(JSON.parse(asJson.outLines.join('\n'))).toMatchObject({ result: 'failed', nodes: [] });
  });

  test('says that there are no nodes, and that one is none', async () => {
    const empty = await doctor({ ...SERVICE, 'GET /v1/nodes': { nodes: [] } });
    expect([empty.code, empty.out.at(-1)]).toEqual([0, 'there are no nodes']);
    const unknown = await doctor(FLEET, ['9']);
    expect([unknown.code, unknown.err]).toEqual([
      1,
      'rtp-cluster doctor: there is no node 9; "rtp-cluster node list" shows all',
    ]);
  });

  test('tells a node that was taken away meanwhile as failed, and goes on', async () => {
    const gone = Response.json({ code: 'RTPC_NODE_UNKNOWN', message: 'there is no node 1' }, { status: 404 });
    const { code, out } = await doctor({ ...FLEET, 'POST /v1/nodes/1/check': gone }, ['1', '2']);
    expect([code, out.at(-1)]).toEqual([1, '2 nodes: 0 ok, 1 with warnings, 1 failed']);
  });

  test.each([
    [['x'], 'the node id is "x"'],
    [['--set', 'x'], '--set is "x"'],
    [['--media'], 'there is no flag --media'],
  ])('is called wrongly with %j', async (argv, message) => {
    const { code, err, seen } = await doctor(FLEET, argv);
    expect([code, seen]).toEqual([2, []]);
    expect(err).toContain(message);
  });

  test('shows on a terminal how far it is', async () => {
    stub = startStub(FLEET);
    const drawn: string[] = [];
    const errTerminal = { write: (text: string) => void drawn.push(text), columns: 80, rows: 24 };
    await run(['1'], { ...testIo({ RTP_CLUSTER_URL: stub.url }), errTerminal });
    expect(drawn.join('')).toContain('doctor: 0 of 1 node looked at');
    // The line is gone at the end.
    expect(drawn.at(-1)).toBe('\r\u001b[K');
  });
});
