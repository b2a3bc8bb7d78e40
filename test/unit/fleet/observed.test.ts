import { describe, expect, test } from 'bun:test';
import type { Evidence } from '../../../src/domain/evidence.ts';
import { observed } from '../../../src/fleet/observed.ts';
import type { MediaRequest, RelayDriver, RelayFailureKind } from '../../../src/relay/driver.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { anchored, FakeDriver, fails, type Operation } from '../../fakes/driver.ts';

const REQUEST: MediaRequest = {
  callId: 'c1',
  fromTag: 'A',
  sdp: 'v=0',
  address: '10.0.0.1',
  family: 'IP4',
  isNew: true,
  extra: {},
};

/** Every way to ask a relay about call c1. */
const ASK: Readonly<Record<Operation, (driver: RelayDriver, deadline: number) => Promise<unknown>>> = {
  offer: (driver, deadline) => driver.offer(REQUEST, deadline),
  answer: (driver, deadline) => driver.answer({ ...REQUEST, isNew: false }, deadline),
  delete: (driver, deadline) => driver.delete({ callId: 'c1' }, deadline),
  query: (driver, deadline) => driver.query({ callId: 'c1' }, deadline, 'A'),
  command: (driver, deadline) =>
    driver.command({ command: 'play media', 'call-id': 'c1' }, { callId: 'c1' }, deadline),
};
const OPERATIONS = Object.keys(ASK) as Operation[];

const SLOW_MS = 280;

function make() {
  const clock = new FakeClock();
  const relay = new FakeDriver(0, clock, []);
  const seen: Evidence[] = [];
  const driver = observed(relay, { clock, slowMs: SLOW_MS, tell: (evidence) => seen.push(evidence) });

  return { clock, relay, seen, driver };
}

/** What each end of a request tells of the node; undefined is nothing at all. */
const TOLD: Readonly<Record<RelayFailureKind | 'ok', Evidence | undefined>> = {
  ok: { kind: 'call-ok' },
  refused: { kind: 'call-ok' },
  rejected: { kind: 'call-ok' },
  'unknown-call': { kind: 'call-ok' },
  silent: { kind: 'call-silent', callId: 'c1' },
  unreachable: { kind: 'call-refused', why: 'the relay says unreachable' },
  garbled: undefined,
  busy: undefined,
  'too-large': undefined,
  'bad-sdp': undefined,
};
const ENDS = Object.keys(TOLD) as (keyof typeof TOLD)[];

describe('an observed driver', () => {
  test.each(OPERATIONS.flatMap((operation) => ENDS.map((end) => [operation, end] as const)))(
    '%s that ends as %s tells just that',
    async (operation, end) => {
      const { clock, relay, seen, driver } = make();
      relay.calls.add('c1');
      if (end !== 'ok') relay.next(operation, fails(end));
      const result = await ASK[operation](driver, clock.now + 900);
      if (end !== 'ok') expect(result).toEqual(fails(end));
      const told = TOLD[end];
      expect(seen).toEqual(told === undefined ? [] : [told]);
    },
  );

  test('hands over request, deadline and reply as they are', async () => {
    const { relay, driver } = make();
    relay.calls.add('c1');
    relay.remembered = { memo: 'm', sessions: 3, isRenewed: true };
    const reply = { sdp: anchored('10.0.0.1'), memo: 'm', sessions: 3, isRenewed: true };
    expect(await driver.offer(REQUEST, 11)).toEqual(reply);
    expect(await driver.answer(REQUEST, 12)).toEqual(reply);
    const call = { callId: 'c1', memo: 'm', tags: ['A', 'B'] };
    expect(await driver.query(call, 13, 'A')).toEqual({ result: 'ok', node: '0' });
    const message = { command: 'x', 'call-id': 'c1' };
    expect(await driver.command(message, call, 14)).toEqual({ result: 'ok' });
    const gone = { ...call, fromTag: 'A', branch: 'b' };
    expect(await driver.delete(gone, 15)).toEqual({ found: true, reply: { result: 'ok' } });
    expect(relay.deadlines).toEqual([11, 12, 13, 14, 15]);
    expect([relay.offers[0], relay.answers[0], relay.deletes[0], relay.commands[0]]).toEqual([
      REQUEST,
      REQUEST,
      gone,
      message,
    ]);
    expect(relay.queries).toEqual([{ ...call, fromTag: 'A' }]);
  });

  test.each([true, false])('says as its relay whether it renews calls (%p)', (renewsCalls) => {
    const { clock, relay } = make();
    relay.renewsCalls = renewsCalls;
    expect(observed(relay, { clock, slowMs: SLOW_MS, tell: () => undefined }).renewsCalls).toBe(renewsCalls);
  });

  test('tells nothing before the request has ended', async () => {
    const { clock, relay, seen, driver } = make();
    relay.next('query', 'never');
    const result = driver.query({ callId: 'c1' }, clock.now + 100);
    await clock.advance(99);
    expect(seen).toEqual([]);
    await clock.advance(1);
    await result;
    expect(seen).toEqual([{ kind: 'call-silent', callId: 'c1' }]);
  });

  test('a command that is silent names the call it is about, whatever its message says', async () => {
    const { clock, relay, seen, driver } = make();
    relay.next('command', fails('silent'));
    await driver.command({ command: 'x' }, { callId: 'c7' }, clock.now + 900);
    expect(seen).toEqual([{ kind: 'call-silent', callId: 'c7' }]);
  });

  test('a request that had less than 100 ms tells nothing by silence: nobody could have answered', async () => {
    const { clock, relay, seen, driver } = make();
    relay.next('query', fails('silent'));
    await driver.query({ callId: 'c1' }, clock.now + 99);
    expect(seen).toEqual([]);
  });

  test.each(['unreachable', 'silent', 'refused'] as const)(
    'once closed, a request under way that ends as %s tells nothing: we closed the socket ourselves',
    async (kind) => {
      const { relay, seen, driver } = make();
      const reply = Promise.withResolvers<ReturnType<typeof fails>>();
      relay.next('query', reply.promise);
      const result = driver.query({ callId: 'c1' }, 1);
      driver.close();
      expect(relay.isClosed).toBe(true);
      reply.resolve(fails(kind));
      expect(await result).toEqual(fails(kind));
      expect(seen).toEqual([]);
    },
  );
});

test('a reply that was too late for a new call tells that the node is slow, not that it is well', async () => {
  const { clock, relay, seen, driver } = make();
  const { promise, resolve } = Promise.withResolvers<string>();
  relay.next('answer', promise);
  const asked = ASK.answer(driver, clock.now + 900);
  await clock.advance(SLOW_MS);
  resolve('v=0');
  await asked;
  expect(seen).toEqual([{ kind: 'call-slow' }]);
});
