import { describe, expect, test } from 'bun:test';
import { MAX_UNSENT, Outbox } from '../../../src/front/outbox.ts';

/** A socket that does as `behave` says, and what it took. */
function start() {
  const taken: string[] = [];
  const socket = { behave: (): boolean => true };
  const counters = { sent: 0, lost: 0 };
  const outbox = new Outbox((bytes, port, address) => {
    const isTaken = socket.behave();
    if (isTaken) taken.push(`${bytes} ${address}:${port}`);

    return isTaken;
  }, counters);

  return { taken, socket, counters, outbox };
}

const full = (): boolean => false;

describe('a reply', () => {
  test('goes out at once', () => {
    const { taken, counters, outbox } = start();
    outbox.put(Buffer.from('a'), 5060, '10.0.0.1');
    expect(taken).toEqual(['a 10.0.0.1:5060']);
    expect(counters).toEqual({ sent: 1, lost: 0 });
  });

  test('waits while the system’s buffer is full, in its turn', () => {
    const { taken, socket, counters, outbox } = start();
    socket.behave = full;
    for (const text of ['a', 'b', 'c']) outbox.put(Buffer.from(text), 1, 'h');
    outbox.resume();
    expect(taken).toEqual([]);
    let left = 2;
    socket.behave = () => left-- > 0;
    outbox.resume();
    expect(taken).toEqual(['a h:1', 'b h:1']);
    socket.behave = () => true;
    outbox.put(Buffer.from('d'), 1, 'h');
    expect(taken).toHaveLength(2);
    outbox.resume();
    expect(taken).toEqual(['a h:1', 'b h:1', 'c h:1', 'd h:1']);
    outbox.resume();
    expect(counters).toEqual({ sent: 4, lost: 0 });
  });

  test('is lost when too many wait', () => {
    const { taken, socket, counters, outbox } = start();
    socket.behave = full;
    for (let n = 0; n < MAX_UNSENT + 3; n++) outbox.put(Buffer.from(String(n)), 1, 'h');
    expect(counters).toEqual({ sent: 0, lost: 3 });
    socket.behave = () => true;
    outbox.resume();
    expect(taken).toHaveLength(MAX_UNSENT);
    expect(taken.at(-1)).toBe(`${MAX_UNSENT - 1} h:1`);
  });

  test('does not pay for the error of another one', () => {
    const { taken, socket, counters, outbox } = start();
    let errors = 2;
    socket.behave = () => {
      if (errors-- > 0) throw new Error('ECONNREFUSED');

      return true;
    };
    outbox.put(Buffer.from('a'), 1, 'h');
    expect(taken).toEqual(['a h:1']);
    expect(counters).toEqual({ sent: 1, lost: 0 });
  });

  test('is lost if it cannot be sent at all, and those behind it are not', () => {
    const { taken, socket, counters, outbox } = start();
    socket.behave = full;
    outbox.put(Buffer.from('a'), 1, 'h');
    outbox.put(Buffer.from('b'), 1, 'h');
    let tries = 0;
    socket.behave = () => {
      if (++tries <= 3) throw new Error('EINVAL');

      return true;
    };
    outbox.resume();
    expect(taken).toEqual(['b h:1']);
    expect(counters).toEqual({ sent: 1, lost: 1 });
  });
});
