import { describe, expect, test } from 'bun:test';
import { isTestCall } from '../../../../src/relay/checks.ts';
import { drive, failed } from './driving.ts';

const OPEN = /^Ul127\.72\.72\.72 (\S+) 192\.0\.2\.1 9 wake;1$/;

describe('a daemon without ports', () => {
  test.each(['E71', 'E72'])(
    '(%s) is made to open a session where it has some, and to end it',
    async (code) => {
      const { client, offer } = drive((command) => (/^U[^l]/.test(command) ? code : undefined));
      expect(failed(await offer()).kind).toBe('refused');
      const [, open = '', close = ''] = client.commands;
      const [, name = ''] = OPEN.exec(open) ?? [];
      expect(isTestCall(name)).toBe(true);
      expect(close).toBe(`D ${name} wake`);
      expect(client.commands).toHaveLength(3);
    },
  );

  test('is woken four times a second at most, however often it refuses', async () => {
    const { clock, client, offer } = drive(() => 'E72');
    const woken = (): number => client.commands.filter((command) => OPEN.test(command)).length;
    for (let i = 0; i < 5; i++) await offer({ callId: `c${i}` });
    expect(woken()).toBe(1);
    clock.now += 249;
    await offer();
    expect(woken()).toBe(1);
    clock.now += 1;
    await offer();
    expect(woken()).toBe(2);
  });

  test('is woken again when a call has ended, and no more once it has ports', async () => {
    let isFull = true;
    const { clock, client, driver, offer } = drive((command) =>
      isFull && /^U[^l]/.test(command) ? 'E72' : undefined,
    );
    const woken = (): number => client.commands.filter((command) => OPEN.test(command)).length;
    await offer({ callId: 'c1' });
    clock.now += 250;
    await driver.delete({ callId: 'c2', tags: ['a'] }, clock.now + 900);
    expect(woken()).toBe(2);
    isFull = false;
    await offer({ callId: 'c3' });
    clock.now += 250;
    await driver.delete({ callId: 'c3', tags: ['a'] }, clock.now + 900);
    expect(woken()).toBe(2);
  });

  test.each(['E99', 'E36'])('is not woken for another reason: %s', async (code) => {
    const { client, offer } = drive(() => code);
    await offer();
    expect(client.commands).toHaveLength(1);
  });
});
