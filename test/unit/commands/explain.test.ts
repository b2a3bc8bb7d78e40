import { afterEach, describe, expect, test } from 'bun:test';
import * as explain from '../../../src/commands/explain.ts';
import { makeNode, phoneSdp } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { makeApi } from '../http/api.ts';
import { type Stub, startStub, testIo } from './stub.ts';

let stub: Stub | undefined;

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
});

/** Runs the command against a service that answers so. */
async function run(answers: Record<string, unknown>, ...argv: string[]) {
  stub = startStub(answers);
  const io = testIo({ RTP_CLUSTER_URL: stub.url });
  const code = await explain.run(argv, io);

  return { code, out: io.outLines, err: io.errLines.join('\n') };
}

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9', 'IP4', 42_000);
const PATH = '/v1/media/auto?call-id=c1&from-tag=A';

/** What the service itself says of call c1, after a test did something with it. */
async function said(
  act: (api: ReturnType<typeof makeApi>) => Promise<unknown>,
  options = {},
): Promise<unknown> {
  const api = makeApi(options);
  await act(api);

  return (await api.ask('GET', '/v1/explain/c1')).json();
}

/** What it prints, as one text. */
async function printed(json: unknown): Promise<string> {
  const { code, out, err } = await run({ 'GET /v1/explain/c1': json }, 'c1');
  expect([code, err]).toEqual([0, '']);

  return `\n${out.join('\n')}\n`;
}

describe('rtp-cluster explain', () => {
  test('shows a call from its placement to its end', async () => {
    const json = await said(
      async ({ post, relay, clock }) => {
        relay(0).next('offer', 'never');
        const invite = post(`${PATH}&method=INVITE&cseq=1&dir=out`, CALLER);
        await clock.advance(300);
        await invite;
        await clock.advance(4200);
        await post(`${PATH}&to-tag=B&method=INVITE&status=200&cseq=1`, CALLEE);
        await clock.advance(60_000);
        await post(`${PATH}&to-tag=B&method=BYE&cseq=2`);
      },
      {
        nodes: [
          makeNode(0),
          makeNode(10, { priority: 1, capacity: 50 }),
          makeNode(2, { weight: 0, priority: 2 }),
        ],
      },
    );
    expect(await printed(json)).toBe(`
call c1  set 0  out  ended (bye)  node 10

2027-01-15 08:16:40.000Z  INVITE (offer)  inner>outer  node 10  ok  300 ms
  placed by hash
    1.  node 0   first  priority 0  weight 100  0 calls
    2.  node 10  first  priority 1  weight 100  0 calls
  left out
    -  node 2  weight  weight 0
  tries
    node 0   silent  300 ms  the relay says silent
    node 10  ok      0 ms
  sdp    audio 10.9.9.9:41000 -> audio 198.51.100.11:30000

2027-01-15 08:16:44.500Z  200 INVITE (answer)  outer>inner  node 10  ok  0 ms
  sdp    audio 203.0.113.9:42000 -> audio 10.0.0.11:30000

2027-01-15 08:17:44.500Z  BYE (delete)  node 10  ok  0 ms
`);
  });

  test('shows a call that no node took: which were left out, and by which figures', async () => {
    const json = await said(({ post }) => post(`${PATH}&method=INVITE&cseq=1&dir=out&require=gpu`, CALLER), {
      nodes: [makeNode(0), makeNode(1, { weight: 0 })],
    });
    expect(await printed(json)).toBe(`
call c1: no node took it

2027-01-15 08:16:40.000Z  INVITE (offer)  inner>outer  RTPC_NO_NODE  0 ms
  no node of set 0 can take the call (node 0: lacks tag gpu; node 1: weight 0); see "rtp-cluster node list"
  placed by hash
  left out
    -  node 0  tags    lacks tag gpu
    -  node 1  weight  weight 0
  sdp    audio 10.9.9.9:41000 -> nothing
`);
  });

  test('shows a call whose steps are not known any more', async () => {
    const json = {
      call_id: 'c1',
      call: { set_id: 0, direction: 'inner>outer', state: 'confirmed', node_id: 3 },
      steps: [],
    };
    expect(await printed(json)).toBe(`
call c1  set 0  inner>outer  confirmed  node 3

What was done for it is not known any more.
`);
  });

  test('says when the set was in panic, and shows a request that was given up, with its only try', async () => {
    const json = await said(
      async ({ post, relay, fleet }) => {
        for (const member of fleet.all()) member.opinion = { ...member.opinion, health: 'down' };
        relay(0).next('offer', fails('rejected'));
        await post(`${PATH}&method=INVITE&cseq=1&dir=out`, CALLER);
      },
      { nodes: [makeNode(0)] },
    );
    expect(await printed(json)).toBe(`
call c1: no node took it

2027-01-15 08:16:40.000Z  INVITE (offer)  inner>outer  RTPC_RELAY_REFUSED  0 ms
  node 0 (udp:127.0.0.1:7890): the relay says rejected
  placed by hash; the set is in panic: less than half of it is healthy
    1.  node 0  panic  priority 0  weight 100  0 calls
  tries
    node 0  rejected  0 ms  the relay says rejected
  sdp    audio 10.9.9.9:41000 -> nothing
`);
  });

  test('shows ports where the relay tells them, and a call that has no node yet', async () => {
    const json = {
      call_id: 'c1',
      call: { set_id: 2, direction: 'outer>inner', state: 'announced', node_id: null, end_reason: null },
      steps: [
        {
          at: 0,
          operation: 'offer',
          message: null,
          took_ms: 1.25,
          result: 'ok',
          reason: '',
          node_id: 4,
          sides: 'outer>inner',
          placement: {
            policy: 'least-load',
            panic: false,
            candidates: [
              { node_id: 4, rank: 'first', priority: 0, weight: 10.5, sessions: 99, ports_free: 1200 },
            ],
            left_out: [],
          },
          tries: [{ node_id: 4, result: 'ok', reason: '', took_ms: 1 }],
          received: ['audio [2001:db8::1]:4000', 'video [2001:db8::1]:4002'],
          returned: ['audio 192.0.2.1:5000'],
        },
      ],
    };
    expect(await printed(json)).toBe(`
call c1  set 2  outer>inner  announced  on no node

1970-01-01 00:00:00.000Z  offer  outer>inner  node 4  ok  1.25 ms
  placed by least-load
    1.  node 4  first  priority 0  weight 10.5  99 calls  1200 ports free
  sdp    audio [2001:db8::1]:4000 -> audio 192.0.2.1:5000
  sdp    video [2001:db8::1]:4002 -> nothing
`);
  });

  test('--sdp shows the whole SDP of each request, with the lines the relay took out and put in', async () => {
    const step = {
      at: 0,
      operation: 'offer',
      message: 'INVITE',
      door: 'ng',
      took_ms: 1,
      result: 'ok',
      reason: '',
      node_id: 4,
      sides: 'outer>inner',
      placement: null,
      tries: [],
      received: ['audio 10.0.0.9:4000'],
      returned: ['audio 192.0.2.1:5000'],
      sdp_received: 'v=0\r\nc=IN IP4 10.0.0.9\r\na=x\u001b\r\n',
      sdp_returned: 'v=0\r\nc=IN IP4 192.0.2.1\r\na=x\u001b\r\n',
      sdp_cut: false,
    };
    const steps = [
      step,
      { ...step, sdp_returned: null, sdp_cut: true },
      { ...step, door: null, sdp_received: null, sdp_returned: null },
    ];
    const { out } = await run({ 'GET /v1/explain/c1': { call_id: 'c1', call: {}, steps } }, 'c1', '--sdp');
    expect(out.slice(2)).toEqual([
      '1970-01-01 00:00:00.000Z  INVITE (offer)  ng  outer>inner  node 4  ok  1 ms',
      '  sdp received (-) and returned (+)',
      '      v=0',
      '    - c=IN IP4 10.0.0.9',
      '    + c=IN IP4 192.0.2.1',
      '      a=x?',
      '',
      '1970-01-01 00:00:00.000Z  INVITE (offer)  ng  outer>inner  node 4  ok  1 ms',
      '  sdp received, none returned, not kept whole',
      '      v=0',
      '      c=IN IP4 10.0.0.9',
      '      a=x?',
      '',
      '1970-01-01 00:00:00.000Z  INVITE (offer)  outer>inner  node 4  ok  1 ms',
      '  sdp    audio 10.0.0.9:4000 -> audio 192.0.2.1:5000',
    ]);
  });

  test('asks for the Call-ID as it is, slashes and all', async () => {
    const path = `/v1/explain/${encodeURIComponent('a/b c@é')}`;
    const { code } = await run({ [`GET ${path}`]: { call_id: 'x', call: null, steps: [] } }, 'a/b c@é');
    expect(code).toBe(0);
    expect(stub?.seen.map(({ path }) => path)).toEqual([path]);
  });

  test('--json prints the answer as it is', async () => {
    const json = { call_id: 'c1', call: null, steps: [{ more: 1 }] };
    const { out } = await run({ 'GET /v1/explain/c1': json }, 'c1', '--json');
    expect(out).toEqual([JSON.stringify(json)]);
  });

  test('a call nothing is known of is an error in the words of the service', async () => {
    const body = { code: 'RTPC_CALL_UNKNOWN', message: 'nothing is known of call c1' };
    const { code, out, err } = await run(
      { 'GET /v1/explain/c1': Response.json(body, { status: 404 }) },
      'c1',
    );
    expect([code, out]).toEqual([1, []]);
    expect(err).toContain('rtp-cluster explain: ');
    expect(err).toContain('nothing is known of call c1');
  });

  test('wants one Call-ID', async () => {
    for (const argv of [[], ['a', 'b']]) {
      const { code, err } = await run({}, ...argv);
      expect([code, stub?.seen]).toEqual([2, []]);
      expect(err).toContain('wanted is CALL-ID');
    }
  });

  test('texts of strangers cannot steer the terminal, wherever they stand', async () => {
    const evil = 'a\u001b[2J\u2028\nb';
    const step = {
      at: 0,
      operation: evil,
      message: evil,
      took_ms: 1,
      result: evil,
      reason: evil,
      node_id: evil,
      sides: evil,
      placement: {
        policy: evil,
        panic: false,
        candidates: [
          { node_id: evil, rank: evil, priority: evil, weight: evil, sessions: evil, ports_free: evil },
        ],
        left_out: [{ node_id: evil, rule: evil, figure: evil }],
      },
      tries: [{ node_id: evil, result: evil, reason: evil, took_ms: evil }],
      received: [evil],
      returned: [evil],
    };
    const call = { set_id: evil, direction: evil, state: evil, node_id: evil, end_reason: evil };
    const json = { call_id: evil, call, steps: [step, { ...step, message: null }] };
    const { out } = await run({ 'GET /v1/explain/c1': json }, 'c1');
    expect(out.join('')).not.toMatch(/[\p{Cc}\u2028]/u);
    const clean = await run(
      { 'GET /v1/explain/c1': JSON.parse(JSON.stringify(json).replaceAll('\\n', '')) },
      'c1',
    );
    expect(out.length).toBe(clean.out.length);
  });

  test.each([
    ['a list', []],
    ['a text', 'x'],
    ['steps that are none', { call_id: 'c1', call: 3, steps: [1, null, {}] }],
    ['a time that is none', { call_id: 'c1', call: {}, steps: [{ at: 1e300, tries: 'x', received: 3 }] }],
  ])('an answer that is %s is no crash', async (_, json) => {
    const { code } = await run({ 'GET /v1/explain/c1': json }, 'c1');
    expect(code).toBe(0);
  });
});
