import { describe, expect, test } from 'bun:test';
import { type Series, SeriesReader } from '../../../src/series/series.ts';
import { NODE_COLUMNS } from '../../../src/store/sample-rows.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { type Api, makeApi } from '../http/api.ts';

const STEP = 300_000;

async function series(api: Api, query = ''): Promise<Series> {
  const response = await api.ask('GET', `/v1/series${query}`);
  if (response.status !== 200) throw new Error(await response.text());

  return (await response.json()) as Series;
}

const row = (nodeId: number | null, at: number, rttMs: number | null, up = 1) => ({
  nodeId,
  at,
  values: NODE_COLUMNS.map((name) => (name === 'rtt_ms' ? rttMs : name === 'up' ? up : 0)),
});
/** Index and value of what is known of a column. */
const known = (values: readonly (number | null)[] = []): [number, number][] =>
  [...values.entries()].filter((entry): entry is [number, number] => entry[1] !== null);

describe('/v1/series of an hour', () => {
  test('has 360 steps of 10 s up to the last sample, null before the start', async () => {
    const api = makeApi();
    await api.clock.advance(35_000);
    const { span, step_s: step, times, values } = await series(api);
    const last = (api.clock.utc() - 5000) / 1000;
    expect([span, step, times.length]).toEqual(['hour', 10, 360]);
    expect(times.slice(-3)).toEqual([last - 20, last - 10, last]);
    expect(times[0]).toBe(last - 3590);
    expect(known(values.nodes_up)).toEqual([
      [357, 2],
      [358, 2],
      [359, 2],
    ]);
    expect(Object.keys(values)).toEqual([
      ...['nodes_up', 'calls', 'sessions', 'placed_per_s', 'requests_per_s', 'failed_per_s'],
      ...['p50_ms', 'p99_ms', 'loop_delay_ms', 'commit_ms'],
    ]);
    for (const column of Object.values(values)) expect(column).toHaveLength(360);
  });

  test('of a node has its columns; one nobody sampled yet has nothing but nulls', async () => {
    const api = makeApi();
    await api.clock.advance(10_000);
    const { values } = await series(api, '?node=1&span=hour');
    expect(Object.keys(values)).toEqual([...NODE_COLUMNS]);
    expect(known(values.up)).toEqual([[359, 1]]);
    expect(api.fleet.put([makeNode(5)])).toBeUndefined();
    const fresh = await series(api, '?node=5');
    expect([fresh.times.length, known(fresh.values.up)]).toEqual([360, []]);
  });
});

describe('/v1/series of a week', () => {
  test('has 2016 steps of 5 min that end at multiples of it', async () => {
    const api = makeApi();
    const last = Math.floor(api.clock.utc() / STEP) * STEP;
    api.store.writeSamples([row(1, last, 7.125), row(1, last - STEP, null), row(1, last - 2015 * STEP, 3)]);
    const { span, step_s: step, times, values } = await series(api, '?node=1&span=week');
    expect([span, step, times.length]).toEqual(['week', 300, 2016]);
    expect([times[0], times.at(-1)]).toEqual([(last - 2015 * STEP) / 1000, last / 1000]);
    expect(known(values.rtt_ms)).toEqual([
      [0, 3],
      [2015, 7.13],
    ]);
    expect(known(values.up).map(([index]) => index)).toEqual([0, 2014, 2015]);
  });

  test('puts what a stop wrote together with the rest of its step', async () => {
    const api = makeApi();
    const last = Math.floor(api.clock.utc() / STEP) * STEP;
    api.store.writeSamples([
      row(1, last - 2 * STEP + 1, 2),
      row(1, last - 2 * STEP + 70_000, 4),
      row(1, last - STEP, 6),
      row(1, last - STEP + 1, 9),
    ]);
    expect(known((await series(api, '?node=1&span=week')).values.rtt_ms)).toEqual([
      [2014, 4],
      [2015, 9],
    ]);
  });

  test('shows nothing older, nothing of the step under way and nothing of the future', async () => {
    const api = makeApi();
    const last = Math.floor(api.clock.utc() / STEP) * STEP;
    api.store.writeSamples([
      row(1, last - 2016 * STEP, 1),
      row(1, last + 1, 1),
      row(1, last + STEP, 1),
      row(1, last + 1000 * STEP, 1),
    ]);
    const { values, times } = await series(api, '?node=1&span=week');
    expect([known(values.up), times.length, values.up?.length]).toEqual([[], 2016, 2016]);
  });

  test('of the fleet has the columns of the fleet', async () => {
    const api = makeApi();
    await api.clock.advance(3 * STEP);
    await api.clock.advance(1000);
    const { values } = await series(api, '?span=week');
    expect(known(values.nodes_up).map(([, value]) => value)).toEqual([2, 2, 2]);
    expect(known(values.commit_ms).map(([, value]) => value)).toEqual([1, 1, 1]);
  });

  test('goes on over a restart, with what was sampled until the stop', async () => {
    const api = makeApi();
    await api.clock.advance(100_000);
    api.sampler.stop();
    await api.clock.advance(200_000);
    const { values } = await series(api, '?span=week');
    expect(known(values.nodes_up)).toEqual([[2015, 2]]);
  });

  test('is read one slice in a turn of the event loop, however many ask', async () => {
    const { clock } = makeApi();
    let turns = 0;
    const slicesInTurn = new Map<number, number>();
    const rows = {
      read: () => {
        slicesInTurn.set(turns, (slicesInTurn.get(turns) ?? 0) + 1);

        return [];
      },
    };
    const reader = new SeriesReader({ at: clock.utc(), ringOf: () => undefined }, rows, clock);
    let isOver = false;
    const count = (): void => {
      turns++;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await Promise.all(Array.from({ length: 20 }, () => reader.read(1, 'week')));
    isOver = true;
    expect([...slicesInTurn.values()]).toEqual(new Array(20).fill(1));
  });

  test('is read in slices, whatever there is', async () => {
    const { clock } = makeApi();
    const last = Math.floor(clock.utc() / STEP) * STEP;
    const limits: number[] = [];
    let at = last - 2016 * STEP;
    const rows = {
      // Somebody restarted the service each second.
      read: (_: number | null, after: number, until: number, limit: number) => {
        limits.push(limit);
        at = Math.max(at, after);

        return Array.from({ length: limit }, () => [++at, ...NODE_COLUMNS.map(() => 1)] as const).filter(
          ([time]) => time <= until,
        );
      },
    };
    const reader = new SeriesReader({ at: clock.utc(), ringOf: () => undefined }, rows, clock);
    const { values } = await reader.read(1, 'week');
    expect(values.up).toHaveLength(2016);
    expect([Math.max(...limits) <= 500, limits.length <= 20]).toEqual([true, true]);
  });
});

describe('/v1/series', () => {
  test.each([
    ['?span=day', 400, 'RTPC_BAD_PARAMETER', 'span is "day"; allowed are hour and week'],
    ['?node=x', 400, 'RTPC_BAD_PARAMETER', ''],
    ['?node=-1', 400, 'RTPC_BAD_PARAMETER', ''],
    ['?node=99', 404, 'RTPC_NODE_UNKNOWN', 'there is no node 99'],
  ])('%s is refused', async (query, status, code, words) => {
    const response = await makeApi().ask('GET', `/v1/series${query}`);
    const body = (await response.json()) as { code: string; message: string };
    expect([response.status, body.code]).toEqual([status, code]);
    expect(body.message).toContain(words);
  });
});
