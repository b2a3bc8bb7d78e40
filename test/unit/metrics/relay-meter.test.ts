import { expect, test } from 'bun:test';
import { RelayMeter } from '../../../src/metrics/relay-meter.ts';
import { RelayFailure } from '../../../src/relay/driver.ts';
import { makeCluster, makeNode, phoneSdp, sip } from '../../fakes/cluster.ts';

test('commands are counted by kind and result; those nobody answered have no time', () => {
  const meter = new RelayMeter();
  meter.command('rtpengine', 'offer', 'ok', 2);
  meter.command('rtpengine', 'offer', 'rejected', 4);
  meter.command('rtpengine', 'offer', 'silent', 900);
  meter.command('rtpproxy', 'offer', 'busy', 0);
  const told = meter.commands().map(({ kind, command, results, times }) => ({
    ...{ kind, command, results: Object.fromEntries(results) },
    ...{ timed: times.total, sum: times.sum },
  }));
  expect(told).toEqual([
    { kind: 'rtpengine', command: 'offer', results: { ok: 1, rejected: 1, silent: 1 }, timed: 2, sum: 0.006 },
    { kind: 'rtpproxy', command: 'offer', results: { busy: 1 }, timed: 0, sum: 0 },
  ]);
});

test('of a call they are told with the kind of its node', async () => {
  const cluster = makeCluster({ nodes: [makeNode(0, { kind: 'rtpproxy' }), makeNode(1)] });
  cluster.relay(0).next('offer', new RelayFailure('refused', 'full'));
  await cluster.requests.auto(sip({ method: 'INVITE' }, phoneSdp('10.9.9.9')));
  const told = cluster.relayMeter
    .commands()
    .map(({ kind, command, results }) => [kind, command, ...results.keys()]);
  expect(told.toSorted()).toEqual([
    ['rtpengine', 'offer', 'ok'],
    ['rtpproxy', 'offer', 'refused'],
  ]);
});
