import { describe, expect, test } from 'bun:test';
import { Serial } from '../../../src/calls/serial.ts';
import { Failure } from '../../../src/domain/errors.ts';
import { settle } from '../../fakes/clock.ts';

describe('one request at a time per call', () => {
  test('a second request of a call waits for the first', async () => {
    const serial = new Serial();
    const order: string[] = [];
    const gate = Promise.withResolvers<void>();
    const first = serial.run('c', 'one', async () => {
      order.push('one begins');
      await gate.promise;
      order.push('one ends');
    });
    const second = serial.run('c', 'two', async () => {
      order.push('two begins');
    });
    await settle();
    expect(order).toEqual(['one begins']);
    gate.resolve();
    await Promise.all([first, second]);
    expect(order).toEqual(['one begins', 'one ends', 'two begins']);
  });

  test('requests of different calls do not wait for each other', async () => {
    const serial = new Serial();
    const gate = Promise.withResolvers<string>();
    const slow = serial.run('c', 'one', () => gate.promise);
    expect(await serial.run('d', 'one', () => Promise.resolve('done'))).toBe('done');
    gate.resolve('late');
    expect(await slow).toBe('late');
  });

  test('the same request at the same time is executed once, and both get its result', async () => {
    const serial = new Serial();
    const gate = Promise.withResolvers<object>();
    let runs = 0;
    const work = () => {
      runs++;

      return gate.promise;
    };
    const both = [serial.run('c', 'same', work), serial.run('c', 'same', work)];
    const result = {};
    gate.resolve(result);
    const [one, two] = await Promise.all(both);
    expect(runs).toBe(1);
    expect(one).toBe(result);
    expect(two).toBe(result);
  });

  test('the same request after the first has ended is executed again', async () => {
    const serial = new Serial();
    let runs = 0;
    const work = async () => ++runs;
    expect(await serial.run('c', 'same', work)).toBe(1);
    await settle();
    expect(await serial.run('c', 'same', work)).toBe(2);
  });

  test('a request that throws does not block the call', async () => {
    const serial = new Serial();
    const bad = serial.run('c', 'bad', () => Promise.reject(new Error('defect')));
    const next = serial.run('c', 'next', () => Promise.resolve('fine'));
    expect(bad).rejects.toThrow('defect');
    expect(await next).toBe('fine');
    await settle();
    expect(serial.size).toBe(0);
  });

  test('the 33rd request that waits for a call is refused with RTPC_BUSY, other calls are served', async () => {
    const serial = new Serial();
    const gate = Promise.withResolvers<void>();
    const waiting = Array.from({ length: 32 }, (_, i) => serial.run('c', `r${i}`, () => gate.promise));
    const refused = await serial.run('c', 'one too many', () => Promise.resolve());
    expect(refused).toBeInstanceOf(Failure);
    expect(refused).toMatchObject({ code: 'RTPC_BUSY' });
    expect(await serial.run('d', 'x', () => Promise.resolve('served'))).toBe('served');
    gate.resolve();
    await Promise.all(waiting);
  });

  test('nothing is kept of a call whose requests have all ended', async () => {
    const serial = new Serial();
    await Promise.all(
      Array.from({ length: 20 }, (_, i) => serial.run(`c${i % 3}`, `r${i}`, () => Promise.resolve())),
    );
    await settle();
    expect(serial.size).toBe(0);
  });
});
