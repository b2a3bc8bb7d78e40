import { describe, expect, test } from 'bun:test';
import { UsageError } from '../../../src/commands/args.ts';
import { help, readPlan, run } from '../../../src/commands/fake-relay.ts';
import { FakeNode } from '../../../src/relay/ng/fake-node.ts';

describe('fake-relay', () => {
  test('without flags is one node as rtpengine would be', () => {
    expect(readPlan([])).toEqual([
      {
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
    ]);
  });

  test('--count makes nodes on consecutive ports, each with its own --address', () => {
    const plan = readPlan(
      '--listen [::1]:4000 --count 3 --address 192.0.2.1 --address 192.0.2.2 --address6 ::1'.split(' '),
    );
    expect(plan).toMatchObject([
      { listen: { host: '::1', port: 4000 }, address: '192.0.2.1', address6: '::1' },
      { listen: { host: '::1', port: 4001 }, address: '192.0.2.2' },
      { listen: { host: '::1', port: 4002 }, address: '192.0.2.2' },
    ]);
  });

  test('reads every fault', () => {
    const argv =
      '--loss 0.1 --delay-ms 20 --duplicate 0.2 --garbage 0.3 --wrong-address 192.0.2.9 --max-sessions 0'.split(
        ' ',
      );
    expect(readPlan([...argv, '--refuse', 'load limit', '--script', '5s hang 2s'])).toMatchObject([
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
    ['--count 65', '--count is "65"; allowed is a whole number from 1 to 64'],
    ['--address relay', '--address is "relay"'],
    ['--address6 192.0.2.1', '--address6 is "192.0.2.1"'],
    ['--ports 5-1', '--ports is "5-1"'],
    ['--loss 2', '--loss: loss is "2"; allowed is a share from 0 to 1'],
    ['--script hang', '--script: "hang" does not begin with a time'],
    ['--los 1', 'did you mean --loss?'],
    ['more', '"more" is one word too many'],
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

  test('help names every flag', () => {
    for (const flag of ['--listen', '--count', '--loss', '--refuse', '--max-sessions', '--script']) {
      expect(help).toContain(flag);
    }
  });
});
