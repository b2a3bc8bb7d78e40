/** Wrong tokens: who gives too many has to wait, and nobody else. */

import { describe, expect, test } from 'bun:test';
import type { Token } from '../../../src/domain/role.ts';
import { Attempts, clientOf, MAX_ATTEMPTS } from '../../../src/http/attempts.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { logged } from '../front/logged.ts';
import { eventsOf, makeApi } from './api.ts';

const PROXY: Token = { role: 'call', name: 'proxy', token: 'token-of-the-proxy-1' };
const ADMIN: Token = { role: 'admin', name: 'anna', token: 'token-of-anna-000001' };
const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });

const logLines = logged();

function door() {
  const api = makeApi({ guard: { tokens: [PROXY, ADMIN] } });
  const look = (sender: string, token: string) => api.askFrom(sender, 'GET', '/openapi', bearer(token));
  const guess = async (sender: string, times: number): Promise<number[]> => {
    const statuses: number[] = [];
    for (let i = 0; i < times; i++) statuses.push((await look(sender, `wrong-token-${i}-000000`)).status);

    return statuses;
  };

  return { ...api, look, guess };
}

describe('an address that gives wrong tokens', () => {
  test(`has ${MAX_ATTEMPTS} a minute, then 429 with the time to wait`, async () => {
    const { guess, look, clock } = door();
    expect(await guess('192.0.2.7', MAX_ATTEMPTS)).toEqual(Array(MAX_ATTEMPTS).fill(401));
    await clock.advance(20_000);
    const response = await look('192.0.2.7', 'wrong-token-000000000');
    expect([response.status, response.headers.get('retry-after')]).toEqual([429, '40']);
    expect(await response.json()).toEqual({
      code: 'RTPC_TOO_MANY_TOKENS',
      message: '10 wrong tokens came from this address; wait 40 s',
    });
  });

  test('is not told whether a token is right that never was from there', async () => {
    const { guess, look } = door();
    await guess('192.0.2.7', MAX_ATTEMPTS);
    expect((await look('192.0.2.7', ADMIN.token)).status).toBe(429);
  });

  test.each(['127.0.0.1', '127.3.2.1', '::1'])(
    'does not shut out a right token on this host (%s), which its users share: the proxy may not have asked yet',
    async (address) => {
      const { guess, look } = door();
      expect((await guess(address, MAX_ATTEMPTS + 1)).at(-1)).toBe(429);
      expect((await look(address, PROXY.token)).status).toBe(200);
      expect((await look(address, 'wrong-token-000000000')).status).toBe(429);
    },
  );

  test('may try again when the minute is over', async () => {
    const { guess, look, clock } = door();
    await guess('192.0.2.7', MAX_ATTEMPTS + 5);
    await clock.advance(60_000);
    expect((await look('192.0.2.7', ADMIN.token)).status).toBe(200);
    expect(await guess('192.0.2.7', MAX_ATTEMPTS + 1)).toEqual([...Array(MAX_ATTEMPTS).fill(401), 429]);
  });

  test('does not stop a token that has been right from there before', async () => {
    const { guess, look } = door();
    expect((await look('192.0.2.7', PROXY.token)).status).toBe(200);
    await guess('192.0.2.7', MAX_ATTEMPTS + 1);
    expect((await look('192.0.2.7', PROXY.token)).status).toBe(200);
    // It is proven where it was right, not elsewhere.
    await guess('192.0.2.8', MAX_ATTEMPTS);
    expect((await look('192.0.2.8', PROXY.token)).status).toBe(429);
  });

  test('is counted over a reload, and what was proven stays so', async () => {
    const { guess, look, guard } = door();
    await look('192.0.2.7', PROXY.token);
    await guess('192.0.2.7', MAX_ATTEMPTS);
    guard.replace({ tokens: [PROXY, { ...ADMIN, token: 'token-of-anna-000002' }], hosts: [] });
    expect((await look('192.0.2.7', PROXY.token)).status).toBe(200);
    expect((await look('192.0.2.7', 'token-of-anna-000002')).status).toBe(429);
    expect((await look('192.0.2.9', ADMIN.token)).status).toBe(401);
    expect((await look('192.0.2.9', 'token-of-anna-000002')).status).toBe(200);
  });

  test('is not blamed for requests without a token: nothing is guessed by them', async () => {
    const { askFrom, look } = door();
    for (let i = 0; i < 3 * MAX_ATTEMPTS; i++)
      expect((await askFrom('192.0.2.7', 'GET', '/v1/nodes')).status).toBe(401);
    expect((await look('192.0.2.7', ADMIN.token)).status).toBe(200);
  });

  test('leaves others alone', async () => {
    const { guess, look } = door();
    await guess('192.0.2.7', MAX_ATTEMPTS);
    expect((await look('192.0.2.8', ADMIN.token)).status).toBe(200);
  });

  test('counts at unknown paths and for notices too', async () => {
    const { askFrom, look } = door();
    for (let i = 0; i < MAX_ATTEMPTS / 2; i++) {
      await askFrom('192.0.2.7', 'GET', '/nothing', bearer('wrong-token-0000001'));
      await askFrom('192.0.2.7', 'POST', '/v1/notify/rtpengine?token=wrong-token-0000002');
    }
    expect((await look('192.0.2.7', ADMIN.token)).status).toBe(429);
  });

  test('is an event when it has to wait, once, and a bounded number of lines in the log', async () => {
    const api = door();
    await api.guess('192.0.2.7', 40);
    await api.guess('192.0.2.8', 40);
    const blocked = await eventsOf(api, 'admin.blocked');
    expect(blocked).toEqual([
      { from: '192.0.2.7', attempts: 10, wait_s: 60 },
      { from: '192.0.2.8', attempts: 10, wait_s: 60 },
    ]);
    const lines = (await logLines()).filter(({ event }) => event === 'http.token_refused');
    expect(lines).toHaveLength(10);
    expect(lines[0]).toMatchObject({ address: '192.0.2.7', count: 1 });
    expect(JSON.stringify([lines, blocked])).not.toContain('wrong-token');
  });
});

describe('who is counted as one', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2::1', '20010db800010002::/64'],
    ['2001:db8:1:2:ffff::9', '20010db800010002::/64'],
    ['2001:db8:1:3::1', '20010db800010003::/64'],
    ['fe80::1%eth0', 'fe80000000000000::/64'],
  ])('%s is %s', (address, client) => {
    expect(clientOf(address).padStart(client.length, '0')).toBe(client);
  });

  test('the addresses of one IPv6 network are one', async () => {
    const { guess, look } = door();
    await guess('2001:db8:1:2::1', MAX_ATTEMPTS / 2);
    await guess('2001:db8:1:2::2', MAX_ATTEMPTS / 2);
    expect((await look('2001:db8:1:2::3', ADMIN.token)).status).toBe(429);
    expect((await look('2001:db8:1:3::3', ADMIN.token)).status).toBe(200);
  });
});

test('ten thousand addresses are remembered; beyond, the oldest is forgotten and counted', async () => {
  const clock = new FakeClock();
  const attempts = new Attempts(clock);
  for (let i = 0; i < MAX_ATTEMPTS; i++) attempts.failed('first');
  expect(attempts.waitS('first')).toBe(60);
  for (let i = 0; i < 10_000; i++) attempts.failed(`other ${i}`);
  expect([attempts.size, attempts.forgotten, attempts.waitS('first')]).toEqual([10_000, 1, 0]);
  await clock.advance(60_000);
  attempts.failed('last');
  expect([attempts.size, attempts.forgotten]).toEqual([1, 1]);
});
