import { describe, expect, test } from 'bun:test';
import { CallTable } from '../../../src/calls/call-table.ts';
import { History } from '../../../src/calls/history.ts';
import { Statistics } from '../../../src/calls/statistics.ts';
import { statisticsRoutes } from '../../../src/http/statistics.ts';
import type { CallStream } from '../../../src/relay/call-streams.ts';
import { innerOf, makeNode, outerOf, phoneSdp } from '../../fakes/cluster.ts';
import { fails } from '../../fakes/driver.ts';
import { flush, makeCall } from '../../fakes/store.ts';
import { type Api, makeApi } from './api.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9', 'IP4', 42_000);

interface Shown {
  readonly code?: string;
  readonly message?: string;
  readonly streams: readonly { readonly tag: string }[];
  readonly findings: readonly { readonly code: string; readonly tag: string | null; readonly text: string }[];
}

/** A call from inside to outside that both have answered, 5 s ago. */
async function callOf(api: Api, callId = 'c1', callee = CALLEE): Promise<void> {
  await api.post(`/v1/media/auto?call-id=${callId}&from-tag=A&method=INVITE&cseq=1&dir=out`, CALLER);
  await api.post(
    `/v1/media/auto?call-id=${callId}&from-tag=A&to-tag=B&method=INVITE&status=200&cseq=1`,
    callee,
  );
  await api.clock.advance(5000);
}

async function ask(api: Pick<Api, 'ask'>, callId = 'c1'): Promise<[number, Shown]> {
  const response = await api.ask('GET', `/v1/statistics/${callId}`);

  return [response.status, (await response.json()) as Shown];
}

function stream(tag: string, changes: Partial<CallStream> = {}): CallStream {
  const local = { address: '192.0.2.30', port: 30_000 };
  const none = { codec: null, remote: null, advertised: null, bytes: null, errors: null, lastPacketAt: null };

  return { tag, index: 1, isRtcp: false, local, packets: 0, heard: null, ...none, ...changes };
}

describe('GET /v1/statistics/CALL-ID', () => {
  test('tells what the relay received of each stream, and whose it is', async () => {
    const api = makeApi();
    await callOf(api);
    const at = api.clock.utc();
    const heard = { lossPercent: 1, jitterMs: 4, mos: 4.1 };
    api.relay(0).received = [
      stream('A', {
        codec: 'PCMA/8000',
        remote: { address: '10.9.9.9', port: 4444 },
        advertised: { address: '10.9.9.9', port: 41_000 },
        packets: 250,
        bytes: 43_000,
        errors: 0,
        lastPacketAt: at - 2000,
        heard,
      }),
      stream('A', { isRtcp: true, packets: 2 }),
      stream('B', { packets: 100, lastPacketAt: at, remote: { address: '2001:db8::9', port: 42_000 } }),
    ];
    const [status, shown] = await ask(api);
    expect(status).toBe(200);
    expect<unknown>(shown).toEqual({
      call_id: 'c1',
      node_id: 0,
      kind: 'rtpengine',
      at,
      final: false,
      streams: [
        {
          tag: 'A',
          side: 'inner',
          media: 'audio',
          index: 1,
          rtcp: false,
          direction: 'sendrecv',
          codec: 'PCMA/8000',
          local: '192.0.2.30:30000',
          told: `${innerOf(0)}:30000`,
          remote: '10.9.9.9:4444',
          advertised: '10.9.9.9:41000',
          packets: 250,
          bytes: 43_000,
          errors: 0,
          last_packet_s: 2,
          loss_percent: 1,
          jitter_ms: 4,
          mos: 4.1,
        },
        expect.objectContaining({ tag: 'A', rtcp: true, packets: 2, told: null, bytes: null, mos: null }),
        expect.objectContaining({
          tag: 'B',
          side: 'outer',
          told: `${outerOf(0)}:30000`,
          remote: '[2001:db8::9]:42000',
          advertised: '203.0.113.9:42000',
          last_packet_s: 0,
        }),
      ],
      findings: [],
    });
  });

  test('says who is not heard, and that it is too early in a fresh call', async () => {
    const api = makeApi();
    await api.post('/v1/media/auto?call-id=c1&from-tag=A&method=INVITE&cseq=1&dir=out', CALLER);
    const codes = async () => (await ask(api))[1].findings.map(({ code, tag }) => [code, tag]);
    api.relay(0).received = [stream('A', { packets: 7 }), stream('')];
    expect(await codes()).toEqual([['not-answered', null]]);
    await api.post('/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&status=200&cseq=1', CALLEE);
    api.relay(0).received = [stream('A', { packets: 7 }), stream('B')];
    expect(await codes()).toEqual([['too-early', null]]);
    await api.clock.advance(3000);
    expect(await codes()).toEqual([['one-way', 'B']]);
    // A re-INVITE gives it another moment; held, nothing is due.
    const hold = CALLER.replace('m=audio', 'a=inactive\r\nm=audio');
    await api.post('/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&cseq=2', hold);
    await api.post('/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&status=200&cseq=2', CALLEE);
    expect(await codes()).toEqual([['too-early', null]]);
    await api.clock.advance(3000);
    expect(await codes()).toEqual([['held', null]]);
  });

  test('of a callee with a branch takes the SDP of its own branch', async () => {
    const api = makeApi();
    const invite = (branch: string, port: number) =>
      api.post(
        `/v1/media/auto?call-id=c1&from-tag=A&method=INVITE&cseq=1&dir=out&branch=${branch}`,
        phoneSdp('10.9.9.9', 'IP4', port),
      );
    await invite('0', 41_000);
    await invite('1', 41_010);
    await api.post(
      '/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&status=200&cseq=1&branch=1',
      CALLEE,
    );
    await api.clock.advance(5000);
    api.relay(0).received = [stream('A', { packets: 3 }), stream('B', { packets: 3 })];
    const [, { streams, findings }] = await ask(api);
    expect(findings).toEqual([]);
    expect(streams).toMatchObject([
      { tag: 'A', told: `${innerOf(0)}:30000` },
      { tag: 'B', told: `${outerOf(0)}:30000` },
    ]);
  });

  test('knows a party whose tag and address are no UTF-8', async () => {
    const api = makeApi();
    await api.post('/v1/media/auto?call-id=c1&from-tag=caf%E9&method=INVITE&cseq=1&dir=out', CALLER);
    api.relay(0).received = [stream('caf\xe9', { packets: 1 })];
    expect((await ask(api))[1].streams).toMatchObject([{ tag: 'café', side: 'inner' }]);
  });

  test('of an rtpproxy takes the address from what the party was told', async () => {
    const api = makeApi({ nodes: [makeNode(0, { kind: 'rtpproxy' })] });
    await callOf(api);
    api.relay(0).received = [
      stream('B', { local: { address: '', port: 30_000 } }),
      stream('X', { local: { address: '', port: 4 } }),
    ];
    const [, { streams }] = await ask(api);
    expect(streams).toMatchObject([
      { tag: 'B', local: `${outerOf(0)}:30000`, last_packet_s: null },
      { tag: 'X', local: '?:4', side: null, media: null, direction: null, told: null },
    ]);
  });

  test.each([
    ['a/b@c', 'a/b@c'],
    ['a/b@c', 'a%2Fb%40c'],
    ['caf\xe9', 'caf%E9'],
    ['caf\xe9', 'caf%C3%A9'],
  ])('finds Call-ID %j at %s', async (callId, path) => {
    const api = makeApi();
    api.calls.add(makeCall(callId, { nodeId: null, state: 'announced' }));
    const [status, shown] = await ask(api, path);
    expect([status, shown.findings.map(({ code }) => code)]).toEqual([200, ['not-answered']]);
  });

  test('of a call no node has asks nobody', async () => {
    const api = makeApi();
    api.calls.add(makeCall('c1', { nodeId: null, state: 'announced' }));
    expect((await ask(api))[1]).toMatchObject({ node_id: null, kind: null, streams: [] });
    expect(api.asked()).toEqual([]);
  });

  test('leaves no trace in what was done for the call: the page asks every other second', async () => {
    const api = makeApi();
    await callOf(api);
    const before = api.history.of('c1').steps.length;
    for (let i = 0; i < 3; i++) await ask(api);
    expect(api.history.of('c1').steps).toHaveLength(before);
  });

  test('asks the node once for all who ask at the same time', async () => {
    const api = makeApi();
    await callOf(api);
    const { promise, resolve } = Promise.withResolvers<{ result: string }>();
    api.relay(0).next('query', promise);
    const both = [ask(api), ask(api)];
    await api.clock.advance(0);
    resolve({ result: 'ok' });
    const [one, other] = await Promise.all(both);
    expect(one).toEqual(other as typeof one);
    expect(api.relay(0).queries).toHaveLength(1);
    await ask(api);
    expect(api.relay(0).queries).toHaveLength(2);
  });

  test('8 calls are asked about at a time; one more is refused, and none of these waits for it', async () => {
    const api = makeApi({ nodes: [makeNode(0)] });
    for (let i = 0; i < 9; i++) await callOf(api, `c${i}`);
    const { promise, resolve } = Promise.withResolvers<{ result: string }>();
    api.relay(0).always('query', promise);
    const under = Array.from({ length: 8 }, (_, i) => ask(api, `c${i}`));
    await api.clock.advance(0);
    expect((await ask(api, 'c8'))[1].code).toBe('RTPC_BUSY');
    resolve({ result: 'ok' });
    expect((await Promise.all(under)).map(([status]) => status)).toEqual(Array(8).fill(200));
    expect((await ask(api, 'c8'))[0]).toBe(200);
  });
});

describe('of a call that has ended', () => {
  test('what its relay said at the end is told, with what was wrong then, before and after a restart', async () => {
    const api = makeApi();
    await callOf(api);
    await api.clock.advance(60_000);
    const at = api.clock.utc();
    api.relay(0).tellsAtTheEnd = true;
    api.relay(0).received = [
      stream('A', { packets: 3000, lastPacketAt: at - 1000 }),
      stream('B', { packets: 50, lastPacketAt: at - 40_000 }),
    ];
    await api.post('/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=BYE&cseq=2');
    api.relay(0).received = [];
    await flush(api.store);
    const before = await ask(api);
    expect(before).toMatchObject([
      200,
      {
        node_id: 0,
        at,
        final: true,
        streams: [
          { tag: 'A', side: 'inner', packets: 3000, last_packet_s: 1 },
          { tag: 'B', side: 'outer', packets: 50, last_packet_s: 40 },
        ],
        findings: [{ code: 'stopped', tag: 'B', text: expect.stringContaining('40 s ago') }],
      },
    ]);
    await api.clock.advance(10_000);
    const table = new CallTable(10);
    const history = new History(api.store, api.clock);
    const app = statisticsRoutes(table, api.store, new Statistics({ ...api, history }));
    const again = await app.handle(new Request('http://localhost/v1/statistics/c1'));
    expect(await again.json()).toEqual(before[1]);
    expect(api.asked().filter((what) => what === '0 query')).toEqual([]);
  });

  test('explain does not repeat it', async () => {
    const api = makeApi();
    await callOf(api);
    api.relay(0).tellsAtTheEnd = true;
    await api.post('/v1/media/delete?call-id=c1');
    const { steps } = (await (await api.ask('GET', '/v1/explain/c1')).json()) as { steps: object[] };
    expect(steps.map((step) => 'streams' in step)).toEqual([false, false, false]);
  });
});

describe('there are no statistics', () => {
  test('of a call nobody knows, or whose relay said nothing at its end: 404 says which', async () => {
    const api = makeApi();
    await callOf(api);
    await api.post('/v1/media/delete?call-id=c1');
    const [status, ended] = await ask(api);
    expect([status, ended.code]).toEqual([404, 'RTPC_CALL_UNKNOWN']);
    expect(ended.message).toContain('call c1 has ended, and its relay told no statistics then');
    const [unknown, nobody] = await ask(api, 'nobody');
    expect([unknown, nobody.code]).toEqual([404, 'RTPC_CALL_UNKNOWN']);
    expect(nobody.message).toContain('call nobody is not known here');
  });

  test.each([
    ['unknown-call', 502, 'RTPC_CALL_LOST'],
    ['rejected', 502, 'RTPC_RELAY_REFUSED'],
    ['unreachable', 504, 'RTPC_RELAY_SILENT'],
    ['garbled', 502, 'RTPC_RELAY_REFUSED'],
    ['busy', 503, 'RTPC_BUSY'],
  ] as const)('of a relay that fails as %s: %d %s, and the call lives on', async (kind, status, code) => {
    const api = makeApi();
    await callOf(api);
    api.relay(0).next('query', fails(kind));
    const [given, shown] = await ask(api);
    expect([given, shown.code]).toEqual([status, code]);
    expect(api.calls.get('c1')?.state).toBe('confirmed');
  });

  test('of a silent relay, after 900 ms', async () => {
    const api = makeApi();
    await callOf(api);
    api.relay(0).next('query', 'never');
    const answer = ask(api);
    await api.clock.advance(899);
    let isOver = false;
    answer.then(() => (isOver = true));
    await api.clock.advance(0);
    expect(isOver).toBe(false);
    await api.clock.advance(1);
    expect((await answer)[1].code).toBe('RTPC_RELAY_SILENT');
  });

  test('of a node that is down, at once: nobody is asked', async () => {
    const api = makeApi();
    await callOf(api);
    const member = api.fleet.get(0);
    if (member === undefined) throw new Error('no node 0');
    member.opinion = { ...member.opinion, health: 'down', cause: 'it is silent' };
    const asked = api.asked().length;
    const [status, { code, message }] = await ask(api);
    expect([status, code]).toEqual([504, 'RTPC_RELAY_SILENT']);
    expect(message).toContain('it is silent');
    expect(api.asked()).toHaveLength(asked);
  });
});
