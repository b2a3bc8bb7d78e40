import { describe, expect, test } from 'bun:test';
import { Clients, MAX_CLIENTS, MAX_COMPLAINTS, RATE } from '../../../src/front/clients.ts';
import { type Network, parseNetwork } from '../../../src/util/ip.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { logged } from './logged.ts';

const events = logged();
/** What was logged, as `EVENT ADDRESS`. */
const complaints = async (): Promise<string[]> =>
  (await events()).map(({ event, address }) => `${event} ${address}`);

function start(...networks: string[]) {
  const clock = new FakeClock();
  const parsed = networks.map(parseNetwork).filter((network): network is Network => network !== undefined);

  return { clock, clients: new Clients(parsed, clock) };
}

describe('the allow-list', () => {
  test.each([
    ['10.1.2.3', true],
    ['11.1.2.3', false],
    ['::ffff:10.1.2.3', true],
    ['::ffff:11.1.2.3', false],
    ['2001:db8::7', true],
    ['2001:db9::7', false],
    ['fe80::1%eth0', false],
    ['', false],
    ['nonsense', false],
  ])('admits %p: %p, at first and again', (address, isAllowed) => {
    const { clients } = start('10.0.0.0/8', '2001:db8::/32');
    expect(clients.admits(address)).toBe(isAllowed);
    expect(clients.admits(address)).toBe(isAllowed);
    expect(clients.counters).toEqual({ strangers: isAllowed ? 0 : 2, overRate: 0 });
  });

  test('without networks admits nobody', () => {
    expect(start().clients.admits('127.0.0.1')).toBe(false);
  });

  test('that is replaced counts at once, for those known and for strangers, and forgets no count', () => {
    const { clients } = start('10.0.0.0/8');
    expect([clients.admits('10.1.2.3'), clients.admits('192.0.2.1')]).toEqual([true, false]);
    clients.replace([parseNetwork('192.0.2.0/24')].filter((network) => network !== undefined));
    expect([clients.admits('10.1.2.3'), clients.admits('192.0.2.1')]).toEqual([false, true]);
    expect(clients.counters).toEqual({ strangers: 2, overRate: 0 });
  });
});

describe('the rate', () => {
  test('lets a second’s worth through at once, then as many as come back with time', async () => {
    const { clock, clients } = start('10.0.0.0/8');
    for (let n = 0; n < RATE; n++) expect(clients.admits('10.0.0.1')).toBe(true);
    expect(clients.admits('10.0.0.1')).toBe(false);
    await clock.advance(1);
    for (let n = 0; n < RATE / 1000; n++) expect(clients.admits('10.0.0.1')).toBe(true);
    expect(clients.admits('10.0.0.1')).toBe(false);
    expect(clients.counters).toEqual({ strangers: 0, overRate: 2 });
  });

  test('saves up no more than a second’s worth', async () => {
    const { clock, clients } = start('10.0.0.0/8');
    clients.admits('10.0.0.1');
    await clock.advance(3_600_000);
    let admitted = 0;
    for (let n = 0; n < 2 * RATE; n++) if (clients.admits('10.0.0.1')) admitted++;
    expect(admitted).toBe(RATE);
  });

  test('is each address’s own, and that of strangers takes nothing from it', () => {
    const { clients } = start('10.0.0.0/8');
    for (let n = 0; n <= RATE; n++) clients.admits('10.0.0.1');
    for (let n = 0; n <= RATE; n++) clients.admits('11.0.0.1');
    expect(clients.admits('10.0.0.2')).toBe(true);
    expect(clients.counters).toEqual({ strangers: RATE + 1, overRate: 1 });
  });

  test('begins anew for all when there are more addresses than are kept', () => {
    const { clients } = start('10.0.0.0/8');
    for (let n = 0; n <= RATE; n++) clients.admits('10.9.9.9');
    expect(clients.admits('10.9.9.9')).toBe(false);
    for (let n = 0; n < MAX_CLIENTS; n++) clients.admits(`10.1.${n >> 8}.${n & 255}`);
    expect(clients.admits('10.9.9.9')).toBe(true);
  });
});

describe('complaints', () => {
  test('name a stranger once per minute', async () => {
    const { clock, clients } = start('10.0.0.0/8');
    for (let second = 0; second < 60; second++) {
      clients.admits('11.0.0.1');
      await clock.advance(1000);
    }
    expect(await complaints()).toEqual(['ng.stranger 11.0.0.1']);
    clients.admits('11.0.0.1');
    expect(await complaints()).toEqual(['ng.stranger 11.0.0.1', 'ng.stranger 11.0.0.1']);
  });

  test('name who is over the rate', async () => {
    const { clients } = start('10.0.0.0/8');
    for (let n = 0; n < RATE + 5; n++) clients.admits('10.0.0.1');
    expect(await complaints()).toEqual(['ng.rate 10.0.0.1']);
  });

  test('are bounded, whatever senders are written on datagrams', async () => {
    const { clock, clients } = start('10.0.0.0/8');
    const flood = (): void => {
      for (let n = 0; n < 20_000; n++) clients.admits(`11.0.${n >> 8}.${n & 255}`);
    };
    flood();
    expect(await complaints()).toHaveLength(MAX_COMPLAINTS);
    await clock.advance(59_999);
    flood();
    expect(await complaints()).toHaveLength(MAX_COMPLAINTS);
    await clock.advance(1);
    flood();
    expect(await complaints()).toHaveLength(2 * MAX_COMPLAINTS);
    expect(clients.counters.strangers).toBe(60_000);
  });
});
