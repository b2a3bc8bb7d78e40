import { describe, expect, test } from 'bun:test';
import { readArgs, UsageError } from '../../../src/commands/args.ts';
import { run } from '../../../src/commands/fake-relay.ts';
import { type FakePlan, readPlan as planOf, SHAPE } from '../../../src/commands/fake-relay-plan.ts';
import { FakeNode } from '../../../src/relay/ng/fake-node.ts';

function readPlan(argv: readonly string[]): FakePlan[] | UsageError {
  const args = readArgs(argv, SHAPE);

  return args instanceof UsageError ? args : planOf(args);
}

/** Options of the nodes which a command line asks for. */
function optionsOf(argv: readonly string[]): unknown {
  const plan = readPlan(argv);

  return plan instanceof UsageError ? plan.message : plan.map(({ options }) => options);
}

describe('fake-relay', () => {
  test('without flags is one node as rtpengine would be', () => {
    expect(readPlan([])).toEqual([
      {
        kind: 'rtpengine',
        options: {
          listen: { host: '127.0.0.1', port: 22_222 },
          address: '127.0.0.1',
          portMin: 30_000,
          portMax: 39_999,
          maxSessions: -1,
          deleteDelaySec: 30,
          seed: 1,
          script: [],
          faults: {},
        },
      },
    ]);
  });

  test('with --kind rtpproxy is one as that daemon would be', () => {
    expect(readPlan(['--kind', 'rtpproxy'])).toEqual([
      {
        kind: 'rtpproxy',
        options: {
          listen: [{ transport: 'udp', host: '127.0.0.1', port: 22_222 }],
          addresses: [{ address: '127.0.0.1' }],
          version: '3.2',
          notify: [],
          canRecord: false,
          portMin: 30_000,
          portMax: 39_999,
          maxSessions: -1,
          seed: 1,
          script: [],
          faults: {},
        },
      },
    ]);
  });

  test('--count makes nodes on consecutive ports, each with its own --address', () => {
    const flags = '--count 3 --address 192.0.2.1 --address 192.0.2.2 --address6 ::1'.split(' ');
    expect(optionsOf(['--listen', '[::1]:4000', ...flags])).toMatchObject([
      { listen: { host: '::1', port: 4000 }, address: '192.0.2.1', address6: '::1' },
      { listen: { host: '::1', port: 4001 }, address: '192.0.2.2' },
      { listen: { host: '::1', port: 4002 }, address: '192.0.2.2' },
    ]);
    const sockets = '--kind rtpproxy --listen udp6:[::1]:4000 --listen tcp:127.0.0.1:5000'.split(' ');
    expect(optionsOf([...sockets, ...flags])).toMatchObject([
      {
        listen: [
          { transport: 'udp', host: '::1', port: 4000 },
          { transport: 'tcp', host: '127.0.0.1', port: 5000 },
        ],
        addresses: [{ address: '192.0.2.1' }, { address: '::1' }],
      },
      { listen: [{ port: 4001 }, { port: 5001 }], addresses: [{ address: '192.0.2.2' }, { address: '::1' }] },
      { listen: [{ port: 4002 }, { port: 5002 }], addresses: [{ address: '192.0.2.2' }, { address: '::1' }] },
    ]);
  });

  test('an rtpproxy may have two sides, labels, unix sockets, and time-outs it tells of', () => {
    const argv =
      '--kind rtpproxy --listen cunix:/run/r.sock --bridge --address 192.0.2.1/192.0.2.2 --advertise 10.0.0.1/10.0.0.2 --label pub@192.0.2.3=10.0.0.3 --release 3.1 --notify tcp:127.0.0.1:9 --media-timeout 9 --setup-timeout 5 --record --refuse E99 --wrong-port 7'.split(
        ' ',
      );
    expect(optionsOf(argv)).toMatchObject([
      {
        listen: [{ transport: 'cunix', path: '/run/r.sock' }],
        addresses: [
          { address: '192.0.2.1', advertised: '10.0.0.1' },
          { label: 'pub', address: '192.0.2.3', advertised: '10.0.0.3' },
        ],
        external: { address: '192.0.2.2', advertised: '10.0.0.2' },
        version: '3.1',
        notify: ['tcp:127.0.0.1:9'],
        mediaTimeoutSec: 9,
        setupTimeoutSec: 5,
        canRecord: true,
        faults: { refuse: 'E99', wrongPort: 7 },
      },
    ]);
  });

  test('reads every fault', () => {
    const argv =
      '--loss 0.1 --delay-ms 20 --duplicate 0.2 --garbage 0.3 --wrong-address 192.0.2.9 --max-sessions 0'.split(
        ' ',
      );
    expect(optionsOf([...argv, '--refuse', 'load limit', '--script', '5s hang 2s'])).toMatchObject([
      {
        maxSessions: 0,
        script: [{ atMs: 5000 }],
        faults: {
          loss: 0.1,
          delayMs: 20,
          duplicate: 0.2,
          garbage: 0.3,
          wrongAddress: '192.0.2.9',
          refuse: 'load limit',
        },
      },
    ]);
  });

  test.each([
    ['--listen localhost:4000', '--listen is "localhost:4000"; allowed is 127.0.0.1:22222'],
    ['--listen 127.0.0.1:70000', 'the port of --listen is "70000"'],
    ['--listen 127.0.0.1:1 --listen 127.0.0.1:2', 'an rtpengine has one socket'],
    ['--count 65', '--count is "65"; allowed is a whole number from 1 to 64'],
    ['--address relay', '--address is "relay"'],
    ['--address6 192.0.2.1', '--address6 is "192.0.2.1"'],
    ['--ports 5-1', '--ports is "5-1"'],
    ['--loss 2', '--loss: loss is "2"; allowed is a share from 0 to 1'],
    ['--script hang', '--script: "hang" does not begin with a time'],
    ['--los 1', 'did you mean --loss?'],
    ['more', 'wanted is no words, given is more'],
    ['--kind rtpp', '--kind is "rtpp"; allowed is rtpengine or rtpproxy'],
    ['--bridge', '--bridge makes no sense for an rtpengine; leave it out'],
    ['--wrong-port 5', '--wrong-port makes no sense for an rtpengine'],
    ['--kind rtpproxy --delete-delay 5', '--delete-delay makes no sense for an rtpproxy'],
    ['--kind rtpproxy --release 1.2', '--release is "1.2"; allowed is 2.1, 3.1 or 3.2'],
    ['--kind rtpproxy --address 192.0.2.1/192.0.2.2', '--address is "192.0.2.1/192.0.2.2"; allowed is an IP'],
    ['--kind rtpproxy --bridge --address 192.0.2.1', 'allowed is INT/EXT, both IP literals'],
    ['--kind rtpproxy --bridge --advertise 10.0.0.1', '--advertise is "10.0.0.1"; allowed is INT/EXT'],
    ['--kind rtpproxy --label 192.0.2.1', '--label is "192.0.2.1"; allowed is LABEL@IP'],
    ['--kind rtpproxy --notify 127.0.0.1:9', '--notify is "127.0.0.1:9"; allowed is tcp:HOST:PORT'],
    ['--kind rtpproxy --setup-timeout 5', '--setup-timeout needs --media-timeout too'],
    ['--kind rtpproxy --listen unix:/run/r.sock --count 2', 'with --count it needs a port'],
    ['--kind rtpproxy --listen sctp:127.0.0.1:5', '--listen is "sctp:127.0.0.1:5"; allowed is HOST:PORT'],
    ['--kind rtpproxy --listen tcp:127.0.0.1:65535 --count 2', '--count needs more ports'],
    ['--kind rtpproxy --refuse busy', '--refuse: refuse is "busy"; allowed is a code such as E72'],
  ])('says what is wrong with %p', (argv, text) => {
    const plan = readPlan(argv.split(' '));
    expect(plan).toBeInstanceOf(UsageError);
    expect(plan instanceof UsageError && plan.message).toContain(text);
  });

  test('says where it cannot listen, and ends', async () => {
    const node = await FakeNode.start();
    const lines: string[] = [];
    const io = { out: (line: string) => lines.push(line), err: (line: string) => lines.push(line), env: {} };
    expect(await run(['--listen', `127.0.0.1:${node.address.port}`], io)).toBe(1);
    expect(lines[0]).toContain(`cannot listen on 127.0.0.1:${node.address.port}`);
    node.stop();
  });
});
