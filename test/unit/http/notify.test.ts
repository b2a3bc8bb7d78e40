/** Notices of relays, and the comparison on demand, at the door: who may, and what comes back. */

import { describe, expect, test } from 'bun:test';
import { ListenProblem, listen } from '../../../src/http/server.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { makeCall } from '../../fakes/store.ts';
import { type Api, admins, makeApi } from './api.ts';

const TOKEN = 'a-token-of-sixteen-characters';
const NOTICE =
  '<?xml version="1.0"?><methodCall><methodName>teardown</methodName><params><param><value><string>c1</string></value></param></params></methodCall>';
const PATH = '/v1/notify/rtpengine';

/** A call on node 0 which the relay has ended. */
function live({ calls, store, clock }: Api) {
  const call = makeCall('c1', { state: 'confirmed', updatedAt: clock.utc() });
  calls.add(call);
  store.noteCall(call, { isNew: true });

  return call;
}

/** A notice from an address. */
async function post(api: Api, sender: string, { path = PATH, body = NOTICE, headers = {} } = {}) {
  const request = new Request(`http://localhost${path}`, {
    method: 'POST',
    body,
    headers: { host: '127.0.0.1:7888', 'content-type': 'text/xml', ...headers },
  });
  api.peers.senders.set(request, sender);
  const response = await api.app.handle(request);
  await api.clock.advance(0);

  return response;
}

describe('POST /v1/notify/rtpengine', () => {
  test('ends the call, and answers as XML-RPC wants it', async () => {
    const api = makeApi();
    const call = live(api);
    const response = await post(api, '127.0.0.1');
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toStartWith('text/xml');
    expect(await response.text()).toMatch(
      /^<\?xml[^>]*\?>\s*<methodResponse><params>.*<\/methodResponse>\s*$/,
    );
    expect(call.endReason).toBe('media timeout');
  });

  test('answers the same for a call it does not know: the relay need not care', async () => {
    expect((await post(makeApi(), '127.0.0.1')).status).toBe(200);
  });

  test.each([
    ['127.0.0.1', 'the control socket'],
    ['::ffff:127.0.0.1', 'the control socket, on a socket for both families'],
    ['10.0.0.1', 'a media address'],
  ])('needs no token from %s, %s of a node', async (sender) => {
    const api = makeApi({ guard: { tokens: admins(TOKEN) } });
    const call = live(api);
    expect((await post(api, sender)).status).toBe(200);
    expect(call.state).toBe('ended');
  });

  test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
    'needs no token from %s if a relay is behind a path of this host',
    async (sender) => {
      const nodes = [makeNode(0, { kind: 'rtpproxy', socket: 'unix:/run/rtpproxy.sock' })];
      const api = makeApi({ guard: { tokens: admins(TOKEN) }, nodes });
      expect((await post(api, sender)).status).toBe(200);
      expect((await post(api, '192.0.2.1')).status).toBe(401);
    },
  );

  test('from another address it needs a token: in the header, or in the query as rtpengine can send it', async () => {
    const api = makeApi({ guard: { tokens: admins(TOKEN) } });
    const call = live(api);
    expect((await post(api, '192.0.2.1')).status).toBe(401);
    expect((await post(api, '192.0.2.1', { path: `${PATH}?token=wrong` })).status).toBe(401);
    expect(call.state).toBe('confirmed');
    expect((await post(api, '192.0.2.1', { path: `${PATH}?token=${TOKEN}` })).status).toBe(200);
    expect(call.state).toBe('ended');
    const headers = { authorization: `Bearer ${TOKEN}` };
    expect((await post(api, '192.0.2.1', { headers })).status).toBe(200);
  });

  test('a token in the query opens nothing else', async () => {
    const api = makeApi({ guard: { tokens: admins(TOKEN) } });
    expect((await api.ask('GET', `/v1/nodes?token=${TOKEN}`)).status).toBe(401);
  });

  test('from the address of another node than that of the call it changes nothing', async () => {
    const api = makeApi();
    const call = live(api);
    expect((await post(api, '10.0.0.2')).status).toBe(200);
    expect(call.state).toBe('confirmed');
    expect(api.notices.counters.misdirected).toBe(1);
  });

  test('what is no notice is refused, and what is too long too', async () => {
    const api = makeApi();
    expect((await post(api, '127.0.0.1', { body: 'hello' })).status).toBe(400);
    expect((await post(api, '127.0.0.1', { body: NOTICE + ' '.repeat(20_000) })).status).toBe(413);
    expect(api.notices.counters.heard).toBe(0);
  });

  test('over a real connection the sender is the one it comes from', async () => {
    const api = makeApi({ guard: { tokens: admins(TOKEN) } });
    const call = live(api);
    const { app, peers } = api;
    const server = await listen(app, { host: '127.0.0.1', port: 0, unix: '', peers });
    if (server instanceof ListenProblem) throw new Error(server.message);
    const response = await fetch(`http://127.0.0.1:${server.port}${PATH}`, { method: 'POST', body: NOTICE });
    expect(response.status).toBe(200);
    await api.clock.advance(0);
    expect(call.state).toBe('ended');
    await server.stop(0);
  });
});

describe('POST /v1/nodes/:id/reconcile', () => {
  test('compares the node at once and reports', async () => {
    const api = makeApi();
    const call = live(api);
    const asked = api.ask('POST', '/v1/nodes/0/reconcile');
    for (let i = 0; i < 5; i++) await api.clock.advance(0);
    const response = await asked;
    expect(response.status).toBe(200);
    expect(await response.json()).toEqual({
      node_id: 0,
      asked: 1,
      kept: 0,
      lost: 1,
      strays: 0,
      foreign: 0,
      unsure: 0,
      took_ms: 0,
    });
    expect(call.endReason).toBe('lost');
  });

  test('says so if there is no such node, or if it is down', async () => {
    const api = makeApi();
    expect((await api.ask('POST', '/v1/nodes/7/reconcile')).status).toBe(404);
    const member = api.fleet.get(0);
    if (member === undefined) throw new Error('there is a node 0');
    member.opinion = { ...member.opinion, health: 'down' };
    expect((await api.ask('POST', '/v1/nodes/0/reconcile')).status).toBe(504);
  });

  test('needs the token', async () => {
    const api = makeApi({ guard: { tokens: admins(TOKEN) } });
    expect((await api.ask('POST', '/v1/nodes/0/reconcile')).status).toBe(401);
  });
});
