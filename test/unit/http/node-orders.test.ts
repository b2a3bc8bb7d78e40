import { describe, expect, test } from 'bun:test';
import { fails } from '../../fakes/driver.ts';
import { makeCall } from '../../fakes/store.ts';
import { type Api, type ApiOptions, makeApi } from './api.ts';

/** What tests read of a node. */
interface Shown {
  readonly order: { readonly state: string };
  readonly [field: string]: unknown;
}

async function read(response: Response | Promise<Response>): Promise<Shown> {
  return (await (await response).json()) as Shown;
}

async function watched(options: ApiOptions = {}): Promise<Api> {
  const api = makeApi({ isWatched: true, ...options });
  await api.clock.advance(3000);

  return api;
}

describe('the state of a node', () => {
  test('is shown with order, opinion, load and what changed last', async () => {
    const { ask, clock, calls, monitor } = await watched();
    monitor(0).statisticsNow = { sessions: 5, packetsPerS: 250, ports: { free: 900, total: 1000 } };
    await clock.advance(30_000);
    calls.add(makeCall('c1'));
    const now = clock.utc();
    const node = await read(ask('GET', '/v1/nodes/0'));
    expect(node).toMatchObject({
      id: 0,
      calls: 1,
      order: { state: 'ready', by: '', reason: '', at: 0, until: null, relay_told: false },
      health: { state: 'up', cause: 'not checked yet', ejected_until: null },
      takes_new_calls: 'yes',
      share: 1,
      load: {
        calls: 1,
        sessions: 6,
        ports_in_use: 104,
        ports_total: 1000,
        packets_per_s: 250,
        bytes_per_s: 0,
        errors_per_s: 0,
      },
      version: '11.0 to 13.1',
      last_change: { cause: 'up: not checked yet' },
      drain: null,
    });
    expect(node.uptime_s).toBeNumber();
    expect((node.health as { since: number }).since).toBeLessThan(now);
    expect(await read(ask('GET', '/v1/nodes'))).toMatchObject({ nodes: [node, { id: 1 }], calls_begun: 1 });
  });

  test('has null for what nobody knows yet', async () => {
    const { ask, fleet } = makeApi();
    expect(await read(ask('GET', '/v1/nodes/0'))).toMatchObject({
      load: { calls: 0, sessions: null, ports_in_use: null, packets_per_s: null, figures_age_ms: null },
      rtt_ms: null,
      version: null,
      uptime_s: null,
    });
    expect(fleet.list()).toHaveLength(2);
  });

  test('has null for what its relay does not tell', async () => {
    const { ask, clock, monitor } = await watched();
    monitor(0).statisticsNow = { uptimeS: null, ports: null };
    await clock.advance(30_000);
    expect(await read(ask('GET', '/v1/nodes/0'))).toMatchObject({
      load: { sessions: 0, ports_in_use: null, ports_total: null },
      uptime_s: null,
    });
  });

  test('says that a node of weight 0 takes no new calls', async () => {
    const { ask, send } = await watched();
    await send('PUT', '/v1/nodes/0', { weight: 0 });
    expect(await read(ask('GET', '/v1/nodes/0'))).toMatchObject({ takes_new_calls: 'no' });
  });

  test('tells why a node is down, and how its share grows when it is back', async () => {
    const { ask, clock, monitor } = await watched();
    monitor(0).all('never');
    await clock.advance(10_000);
    expect(await read(ask('GET', '/v1/nodes/0'))).toMatchObject({
      health: { state: 'down', cause: '3 checks without reply' },
      takes_new_calls: 'panic',
      last_change: { cause: 'down: 3 checks without reply' },
      uptime_s: null,
    });
    monitor(0).all(undefined);
    await clock.advance(10_000);
    const { share, health } = await read(ask('GET', '/v1/nodes/0'));
    expect(health).toMatchObject({ state: 'up' });
    expect(share).toBeWithin(0.1, 0.5);
  });
});

describe('orders', () => {
  test('answer with the node as it is now', async () => {
    const { send, clock, calls } = await watched();
    calls.add(makeCall('c1'));
    const at = clock.utc();
    const body = { reason: 'kernel', by: 'root@edge1', deadline_s: 1800 };
    expect(await read(send('POST', '/v1/nodes/0/drain', body))).toMatchObject({
      order: { state: 'drain', by: 'root@edge1', reason: 'kernel', at, until: at + 1_800_000 },
      takes_new_calls: 'panic',
      last_change: { at, cause: 'drain by root@edge1: kernel' },
      drain: { calls_left: 1, per_minute: null, eta_s: null, is_drained: false },
    });
    expect(await read(send('POST', '/v1/nodes/0/maint', { until: at + 5000 }))).toMatchObject({
      order: { state: 'maint', until: at + 5000 },
      takes_new_calls: 'no',
      drain: null,
    });
    expect(await read(send('POST', '/v1/nodes/0/ready', { by: 'me' }))).toMatchObject({
      order: { state: 'ready', by: 'me', until: null },
      takes_new_calls: 'yes',
    });
  });

  test.each(['drain', 'maint', 'ready'])('"%s" needs no body', async (order) => {
    const { ask, send } = await watched();
    for (const response of [
      await ask('POST', `/v1/nodes/0/${order}`),
      await ask('POST', `/v1/nodes/0/${order}`, {
        body: ' \n',
        headers: { 'content-type': 'application/json' },
      }),
      await ask('POST', `/v1/nodes/0/${order}`, { body: '{}', headers: { 'content-type': 'text/plain' } }),
      await send('POST', `/v1/nodes/0/${order}`, {}),
    ]) {
      expect(response.status).toBe(200);
      expect((await read(response)).order.state).toBe(order);
    }
  });

  test('tell of what could not be done with a warning', async () => {
    const { send, monitor } = await watched();
    const told = await read(send('POST', '/v1/nodes/0/drain', { tell_relay: true }));
    expect(told).toMatchObject({ order: { relay_told: true } });
    expect(told).not.toHaveProperty('warning');
    monitor(1).next('limit', fails('rejected'));
    expect(await read(send('POST', '/v1/nodes/1/drain', { tell_relay: true }))).toMatchObject({
      order: { state: 'drain', relay_told: false },
      warning:
        'the relay was not told to take no new calls: the relay says rejected; no node of set 0 takes new calls any more',
    });
  });

  test.each([
    ['drain', { deadline_s: 0 }, 'deadline_s'],
    ['drain', { deadline_s: 1.5 }, 'deadline_s'],
    [
      'drain',
      { deadline: 30 },
      'there is no "deadline" in this order; allowed are reason, by, deadline_s, tell_relay',
    ],
    ['drain', { reason: 'a\nb' }, 'reason'],
    ['drain', { reason: 'x'.repeat(257) }, 'reason'],
    ['maint', { until: 5 }, 'it must be a time to come'],
    ['maint', { until: 'tomorrow' }, 'until'],
    ['ready', { until: 5 }, 'there is no "until"'],
  ])('%s %j is refused and changes nothing', async (order, body, words) => {
    const { send, fleet } = await watched();
    const response = await send('POST', `/v1/nodes/0/${order}`, body);
    expect(response.status).toBe(400);
    const { code, message } = await read(response);
    expect(code).toBe('RTPC_BAD_PARAMETER');
    expect(message).toContain(words);
    expect(fleet.get(0)?.admin.at).toBe(0);
  });

  const seconds = 'it must be a whole number from 1 to 31536000, or null';
  const date = 'it must be a whole number from 0 to 8640000000000000, or null';
  const line = (most: number) => `it must be a text of at most ${most} characters without control characters`;

  test.each<[string, string, string]>([
    ['drain', '{"deadline_s":-1}', `deadline_s is -1; ${seconds}`],
    ['drain', '{"deadline_s":0}', `deadline_s is 0; ${seconds}`],
    ['drain', '{"deadline_s":1.5}', `deadline_s is 1.5; ${seconds}`],
    ['drain', '{"deadline_s":"5"}', `deadline_s is "5"; ${seconds}`],
    ['drain', '{"deadline_s":31536001}', `deadline_s is 31536001; ${seconds}`],
    ['drain', '{"deadline_s":[5]}', `deadline_s is [5]; ${seconds}`],
    ['drain', '{"tell_relay":"yes"}', 'tell_relay is "yes"; it must be true or false'],
    ['maint', '{"until":-1}', `until is -1; ${date}`],
    ['maint', '{"until":"tomorrow"}', `until is "tomorrow"; ${date}`],
    ['drain', '{"reason":"a\\u001b[31m"}', `reason is "a\\u001b[31m"; ${line(256)}`],
    ['maint', '{"reason":"a\\u202eb"}', `reason is "a\u202eb"; ${line(256)}`],
    ['ready', '{"reason":7}', `reason is 7; ${line(256)}`],
    ['ready', '{"by":"a\\u009b2J"}', `by is "a\u009b2J"; ${line(128)}`],
    ['ready', `{"by":"${'x'.repeat(129)}"}`, `by is "${'x'.repeat(129)}"; ${line(128)}`],
    [
      'drain',
      '{"__proto__":{"reason":"x"}}',
      'there is no "__proto__" in this order; allowed are reason, by, deadline_s, tell_relay',
    ],
    ['ready', '{"причина":1}', 'there is no "причина" in this order; allowed are reason, by'],
    ['ready', '{"constructor":1}', 'there is no "constructor" in this order; allowed are reason, by'],
  ])('%s %s is refused with what was read and what is allowed', async (order, body, message) => {
    const { ask, fleet } = await watched();
    const response = await ask('POST', `/v1/nodes/0/${order}`, { body });
    expect([response.status, await response.json()]).toMatchObject([
      400,
      { code: 'RTPC_BAD_PARAMETER', message },
    ]);
    expect(fleet.get(0)?.admin.at).toBe(0);
  });

  test.each([
    ['{"reason":', 'the body is not valid JSON'],
    ['[1]', 'the body is no JSON object; allowed are an object and nothing'],
    ['"x"', 'the body is no JSON object; allowed are an object and nothing'],
    ['null', 'the body is no JSON object; allowed are an object and nothing'],
  ])('the body %s is refused: %s', async (body, message) => {
    const { ask } = await watched();
    for (const headers of [{}, { 'content-type': 'application/json' }]) {
      const response = await ask('POST', '/v1/nodes/0/drain', { body, headers });
      expect([response.status, await response.json()]).toMatchObject([
        400,
        { code: 'RTPC_BAD_BODY', message },
      ]);
    }
  });

  test('take null for a date: it takes the one there is away', async () => {
    const { send } = await watched();
    await send('POST', '/v1/nodes/0/drain', { deadline_s: 60 });
    expect(await read(send('POST', '/v1/nodes/0/drain', { deadline_s: null }))).toMatchObject({
      order: { state: 'drain', until: null },
    });
  });

  test('that are no JSON object, or for a node there is not, are refused', async () => {
    const { ask } = await watched();
    for (const body of ['{', '[]', 'null', '"drain"'])
      expect(await read(ask('POST', '/v1/nodes/0/drain', { body }))).toMatchObject({ code: 'RTPC_BAD_BODY' });
    for (const what of ['drain', 'maint', 'ready'])
      expect(await read(ask('POST', `/v1/nodes/9/${what}`))).toMatchObject({ code: 'RTPC_NODE_UNKNOWN' });
  });
});
