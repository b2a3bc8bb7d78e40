import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import { Fleet } from '../../../src/fleet/fleet.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { FakeDriver } from '../../fakes/driver.ts';
import { openStore } from '../../fakes/store.ts';

/** A fleet loaded from a database in which nodes 1 to 3 are removed; and the ids of drivers that were closed. */
function loaded() {
  const clock = new FakeClock();
  const { store, open } = openStore(clock);
  store.fleet.writeNodes([0, 1, 2, 3].map((id) => ({ ...makeNode(id), removedAt: id === 0 ? null : 5 })));
  const closed: number[] = [];
  const fleet = new Fleet(
    store.fleet,
    (node) => Object.assign(new FakeDriver(node.id, clock, []), { close: () => closed.push(node.id) }),
    clock,
  );
  fleet.load();

  return { fleet, store, open, closed };
}

describe('forgetRemoved', () => {
  test('forgets removed nodes without calls, in the database too, and no others', () => {
    const { fleet, store, closed } = loaded();
    expect(fleet.forgetRemoved((id) => id === 2)).toBeUndefined();
    expect([0, 1, 2, 3].filter((id) => fleet.get(id) !== undefined)).toEqual([0, 2]);
    expect(store.fleet.loadNodes().map(({ id }) => id)).toEqual([0, 2]);
    expect(closed).toEqual([1, 3]);
    expect(fleet.nextId()).toBe(3);
  });

  test('keeps all of them if the database refuses', () => {
    const { fleet, open, closed } = loaded();
    open.database.run('PRAGMA query_only = 1');
    const failure = fleet.forgetRemoved(() => false);
    expect(failure).toBeInstanceOf(Failure);
    expect(failure?.code).toBe('RTPC_NOT_DURABLE');
    expect([fleet.get(1)?.id, closed]).toEqual([1, []]);
  });

  test('writes nothing if there are none', () => {
    const { fleet, open } = loaded();
    open.database.run('PRAGMA query_only = 1');
    expect(fleet.forgetRemoved(() => true)).toBeUndefined();
  });
});
