import { describe, expect, test } from 'bun:test';
import { CallTable } from '../../../src/calls/call-table.ts';
import { History } from '../../../src/calls/history.ts';
import { explainRoutes } from '../../../src/http/explain.ts';
import { innerOf, makeNode, outerOf, phoneSdp } from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';
import { flush } from '../../fakes/store.ts';
import { type Api, makeApi } from './api.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9', 'IP4', 42_000);

function auto(callId: string, rest: string): string {
  return `/v1/media/auto?call-id=${callId}&from-tag=A&${rest}`;
}

/** The three messages of a call. */
async function invite({ post }: Api, callId = 'c1', more = ''): Promise<number> {
  return (await post(auto(callId, `method=INVITE&cseq=1&dir=out${more}`), CALLER)).status;
}

async function accept({ post }: Api, callId = 'c1'): Promise<number> {
  return (await post(auto(callId, 'to-tag=B&method=INVITE&status=200&cseq=1'), CALLEE)).status;
}

async function hangUp({ post }: Api, callId = 'c1'): Promise<number> {
  return (await post(auto(callId, 'to-tag=B&method=BYE&cseq=2'))).status;
}

/** What the answers of this path have in common. */
interface Explained {
  readonly message: string;
  readonly call_id: string;
  readonly call: unknown;
  readonly steps: readonly {
    readonly message: string;
    readonly reason: string;
    readonly received: unknown;
  }[];
}

async function explain({ ask }: Pick<Api, 'ask'>, path: string) {
  const response = await ask('GET', `/v1/explain/${path}`);
  expect(response.headers.get('content-type')).toContain('application/json');

  return { status: response.status, json: (await response.json()) as Explained };
}

/** The API of our program after a restart: nothing but the database is left. */
function restarted({ store, clock }: Pick<Api, 'store' | 'clock'>): Pick<Api, 'ask'> {
  const app = explainRoutes(new CallTable(10), store, new History(store, clock));

  return { ask: async (method, path) => app.handle(new Request(`http://localhost${path}`, { method })) };
}

describe('GET /v1/explain/CALL-ID', () => {
  test('tells of each request what was done and why, with figures, tries and addresses', async () => {
    const api = makeApi({ nodes: [0, 1, 2].map((id) => makeNode(id, id === 2 ? { weight: 0 } : {})) });
    api.relay(0).next('offer', fails('refused'));
    const start = api.clock.utc();
    await invite(api);
    await accept(api);
    const { status, json } = await explain(api, 'c1');
    expect(status).toBe(200);
    expect<unknown>(json).toMatchObject({
      call_id: 'c1',
      call: {
        call_id: 'c1',
        node_id: 1,
        set_id: 0,
        direction: 'out',
        state: 'confirmed',
        end_reason: null,
      },
    });
    expect<unknown>(json.steps).toEqual([
      {
        at: start,
        operation: 'offer',
        message: 'INVITE',
        door: 'http',
        took_ms: 0,
        result: 'ok',
        reason: '',
        node_id: 1,
        sides: 'inner>outer',
        tag: 'A',
        placement: {
          policy: 'hash',
          panic: false,
          candidate_count: 2,
          left_out_count: 1,
          candidates: [
            { node_id: 0, rank: 'first', priority: 0, weight: 100, sessions: 0, ports_free: null },
            { node_id: 1, rank: 'first', priority: 1, weight: 100, sessions: 0, ports_free: null },
          ],
          left_out: [{ node_id: 2, rule: 'weight', figure: 'weight 0' }],
        },
        tries: [
          { node_id: 0, result: 'refused', reason: 'the relay says refused', took_ms: 0 },
          { node_id: 1, result: 'ok', reason: '', took_ms: 0 },
        ],
        received: ['audio 10.9.9.9:41000'],
        returned: [`audio ${outerOf(1)}:30000`],
        sdp_received: CALLER,
        sdp_returned: anchored(outerOf(1)),
        sdp_cut: false,
      },
      {
        at: start,
        operation: 'answer',
        message: '200 INVITE',
        door: 'http',
        took_ms: 0,
        result: 'ok',
        reason: '',
        node_id: 1,
        sides: 'outer>inner',
        tag: 'B',
        placement: null,
        tries: [],
        received: ['audio 203.0.113.9:42000'],
        returned: [`audio ${innerOf(1)}:30000`],
        sdp_received: CALLEE,
        sdp_returned: anchored(innerOf(1)),
        sdp_cut: false,
      },
    ]);
  });

  test('tells of a call that no node took, which has no other trace', async () => {
    const api = makeApi();
    expect(await invite(api, 'c1', '&require=gpu')).toBe(503);
    const { status, json } = await explain(api, 'c1');
    expect(status).toBe(200);
    expect<unknown>(json).toMatchObject({
      call_id: 'c1',
      call: null,
      steps: [
        {
          result: 'RTPC_NO_NODE',
          node_id: null,
          tries: [],
          placement: {
            candidates: [],
            left_out: [
              { node_id: 0, rule: 'tags' },
              { node_id: 1, rule: 'tags' },
            ],
          },
        },
      ],
    });
    expect(json.steps[0]?.reason).toContain('node 0: lacks tag gpu; node 1: lacks tag gpu');
  });

  test('tells the same before and after the steps are written', async () => {
    const api = makeApi();
    await invite(api);
    await accept(api);
    const before = await explain(api, 'c1');
    await api.clock.advance(3000);
    expect(await explain(api, 'c1')).toEqual(before);
    expect(api.store.stepsOf('c1').rows.length).toBe(1);
  });

  test('tells of a call that ended before our program was restarted', async () => {
    const api = makeApi();
    await invite(api);
    await accept(api);
    await hangUp(api);
    const before = await explain(api, 'c1');
    api.history.stop();
    await flush(api.store);
    const after = await explain(restarted(api), 'c1');
    expect(after).toEqual(before);
    expect(after.json.call).toMatchObject({ state: 'ended', end_reason: 'bye', node_id: 0 });
    expect(after.json.steps.map(({ message }) => message)).toEqual(['INVITE', '200 INVITE', 'BYE']);
  });

  test('tells of a call no node took after a restart, too', async () => {
    const api = makeApi();
    await invite(api, 'c1', '&require=gpu');
    api.history.stop();
    await flush(api.store);
    const { status, json } = await explain(restarted(api), 'c1');
    expect([status, json.call, json.steps.length]).toEqual([200, null, 1]);
  });

  test('is 404 for a call nothing is known of, and says for how long it would be', async () => {
    const { status, json } = await explain(makeApi(), 'nobody%20knows');
    expect(status).toBe(404);
    expect<unknown>(json).toMatchObject({ code: 'RTPC_CALL_UNKNOWN' });
    expect(json.message).toContain('nothing is known of call nobody knows');
  });

  test.each([
    ['a/b@10.0.0.1', 'a/b@10.0.0.1'],
    ['a%2Fb@10.0.0.1', 'a/b@10.0.0.1'],
    ['a/b@10.0.0.1?x=1', 'a/b@10.0.0.1'],
  ])('finds a Call-ID with slashes by the path %s', async (path, callId) => {
    const api = makeApi();
    await invite(api, 'a%2Fb@10.0.0.1');
    expect((await explain(api, path)).json.call_id).toBe(callId);
  });

  test.each([
    ['placed', ''],
    ['taken by no node', '&require=gpu'],
  ])('a %s call whose Call-ID is no UTF-8 is found by its bytes and as it is shown', async (_, more) => {
    const api = makeApi();
    await invite(api, 'caf%E9', more);
    for (const path of ['caf%E9', encodeURIComponent('café')]) {
      const { status, json } = await explain(api, path);
      expect([path, status, json.call_id, json.steps?.length]).toEqual([path, 200, 'café', 1]);
    }
    await invite(api, 'tsch%C3%BCss', more);
    expect((await explain(api, encodeURIComponent('tschüss'))).json).toMatchObject({ call_id: 'tschüss' });
  });

  test('shows texts of strangers as text: a host name in UTF-8, the words of a relay', async () => {
    const api = makeApi({ nodes: [makeNode(0)] });
    const sdp = CALLER.replaceAll('10.9.9.9', Buffer.from('tschüss.example').toString('latin1'));
    await api.post(auto('c1', 'method=INVITE&cseq=1&dir=out'), sdp);
    expect((await explain(api, 'c1')).json.steps[0]?.received).toEqual(['audio tschüss.example:41000']);
  });
});
