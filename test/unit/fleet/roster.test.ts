/** What an import says it does, and what is told of it. */

import { describe, expect, test } from 'bun:test';
import { Failure } from '../../../src/domain/errors.ts';
import type { ImportRow, RowReport } from '../../../src/fleet/roster.ts';
import { type Cluster, makeCluster } from '../../fakes/cluster.ts';
import { detailsOf } from './watched.ts';

/** Imports rows; they count from 1 unless told. */
function imported(
  { roster }: Cluster,
  rows: readonly Omit<ImportRow, 'row'>[],
  isDryRun = false,
): readonly RowReport[] {
  const result = roster.import(
    rows.map((row, index) => ({ row: index + 1, ...row })),
    isDryRun,
  );
  if (result instanceof Failure) throw new Error(result.message);

  return result.reports;
}

const NEW = { socket: 'udp:192.168.2.9:7890', inner_media_ip: '192.168.2.9', out_media_ip: '1.2.3.9' };

describe('the report of an import', () => {
  test.each([false, true])('says of each row what it changes, old and new (dry run: %p)', (isDryRun) => {
    const reports = imported(
      makeCluster(),
      [
        { id: 0, weight: 50 },
        { id: 1, ...NEW, set_id: 4 },
        { id: 7, ...NEW },
      ],
      isDryRun,
    );
    expect(reports).toEqual([
      { row: 1, id: 0, result: 'updated', message: 'weight 100 -> 50' },
      {
        row: 2,
        id: 1,
        result: 'updated',
        message: 'socket udp:127.0.0.1:7891 -> udp:192.168.2.9:7890, set_id 0 -> 4, media_addresses',
      },
      { row: 3, id: 7, result: 'added', message: '' },
    ]);
  });

  test('says nothing of a row that changes nothing', () => {
    expect(imported(makeCluster(), [{ id: 0, weight: 100 }])).toEqual([
      { row: 1, id: 0, result: 'unchanged', message: '' },
    ]);
  });

  test('says which side has no address: such a node gets no calls that need one', () => {
    const { out_media_ip: _out, ...inner } = NEW;
    const cluster = makeCluster();
    expect(imported(cluster, [inner])).toEqual([
      {
        row: 1,
        id: 2,
        result: 'added',
        message: 'no media address for side outer: it gets no calls that need one',
      },
    ]);
    expect(imported(cluster, [{ id: 2, weight: 3 }])[0]?.message).toBe(
      'weight 100 -> 3; no media address for side outer: it gets no calls that need one',
    );
    const mpls = { socket: 'udp:192.168.2.8:7890', media_addresses: [{ side: 'mpls', address: '10.7.7.7' }] };
    expect(imported(cluster, [mpls])[0]?.message).toBe(
      'no media address for side inner and outer: it gets no calls that need one',
    );
  });
});

describe('a row whose id belongs to a node on another host', () => {
  test('is refused if it has no media addresses, and nothing is changed', () => {
    const cluster = makeCluster();
    const reports = imported(cluster, [
      { id: 0, socket: 'udp:172.16.0.1:2223' },
      { id: 1, weight: 5 },
    ]);
    expect(reports.map(({ result }) => result)).toEqual(['error', 'ok']);
    expect(reports[0]?.message).toContain(
      'moves from udp:127.0.0.1:7890 to udp:172.16.0.1:2223, another host',
    );
    expect(cluster.fleet.list().map(({ socket, weight }) => [socket, weight])).toEqual([
      ['udp:127.0.0.1:7890', 100],
      ['udp:127.0.0.1:7891', 100],
    ]);
  });

  test('with the address of one side does not keep the other: it was that of another machine', () => {
    const cluster = makeCluster();
    const [report] = imported(cluster, [
      { id: 0, socket: 'udp:172.16.0.1:2223', inner_media_ip: '172.16.0.1' },
    ]);
    expect(report?.message).toContain('no media address for side outer');
    expect(cluster.fleet.get(0)?.node.mediaAddresses.map(({ address }) => address)).toEqual(['172.16.0.1']);
  });
});

describe('a row of another kind than the node with its id or socket', () => {
  test('is about another relay, and refused', () => {
    const cluster = makeCluster();
    const [report] = imported(cluster, [{ ...NEW, id: 0, kind: 'rtpproxy' }]);
    expect(report).toEqual({
      row: 1,
      id: 0,
      result: 'error',
      message:
        'node 0 is rtpengine udp:127.0.0.1:7890, but the row is about an rtpproxy; leave out the id of the row, and it gets a free one',
    });
    expect(cluster.fleet.get(0)?.node.kind).toBe('rtpengine');
    expect(imported(cluster, [{ ...NEW, kind: 'rtpproxy' }])[0]).toMatchObject({ id: 2, result: 'added' });
    expect(imported(cluster, [{ ...NEW, kind: 'rtpengine' }])[0]).toMatchObject({
      result: 'error',
      message: expect.stringContaining(
        'if it has become one, say so with "rtp-cluster node set 2 --kind rtpengine"',
      ),
    });
    expect(imported(cluster, [{ id: 2, weight: 5 }])[0]).toMatchObject({ result: 'updated' });
    expect(cluster.fleet.get(2)?.node).toMatchObject({ kind: 'rtpproxy', weight: 5 });
  });
});

describe('the events of an import', () => {
  test('carry socket and set of the node as it is now; unchanged nodes have none', async () => {
    const cluster = makeCluster();
    imported(cluster, [
      { id: 0, weight: 100 },
      { id: 1, ...NEW, set_id: 4 },
      { ...NEW, id: 7 },
    ]);
    expect(await detailsOf(cluster, 'node.changed')).toEqual([
      { socket: 'udp:192.168.2.9:7890', set_id: 4, by: 'import' },
    ]);
    expect(await detailsOf(cluster, 'node.added')).toEqual([
      { socket: 'udp:192.168.2.9:7890', set_id: 0, by: 'import' },
    ]);
  });

  test('are none of a dry run', async () => {
    const cluster = makeCluster();
    imported(cluster, [{ id: 7, ...NEW }], true);
    expect(await detailsOf(cluster, 'node.added')).toEqual([]);
  });
});
