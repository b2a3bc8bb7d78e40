import { describe, expect, test } from 'bun:test';
import { isTestCall } from '../../../../src/relay/checks.ts';
import { RelayFailure, type RelayStatistics } from '../../../../src/relay/driver.ts';
import { createRtpproxyMonitor, RtpproxyMonitor } from '../../../../src/relay/rtpproxy/monitor.ts';
import { CAPABILITIES, versionOf } from '../../../../src/relay/rtpproxy/versions.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { type Answers, FakeRtpproxyClient, wire } from '../../../fakes/rtpproxy-client.ts';
import { failed } from './driving.ts';
import { FIXTURES } from './fake-harness.ts';

function watch(answers?: Answers) {
  const clock = new FakeClock();
  const client = new FakeRtpproxyClient(answers);
  const monitor = new RtpproxyMonitor(client, clock);

  return { clock, client, monitor, deadline: clock.now + 600 };
}

/** Reply to I. */
function totals(created: number, active = 2, received = 0, sent = 0): string {
  return [
    `sessions created: ${created}`,
    `active sessions: ${active}`,
    `active streams: ${2 * active}`,
    `packets received: ${received}`,
    `packets transmitted: ${sent}`,
  ].join('\n');
}

/** A daemon of 3.1 with these totals. */
const daemon =
  (text: string, commands = '100'): Answers =>
  (command) => {
    if (command === 'I') return text;
    if (command.startsWith('G')) return commands;
    if (!command.startsWith('VF')) return undefined;

    return command <= 'VF 20230424' ? '1' : '0';
  };

describe('a ping', () => {
  test('is a V, and takes the time it takes', async () => {
    const { clock, client, monitor, deadline } = watch();
    client.onCommand = () => {
      clock.now += 12;
    };
    expect(await monitor.ping(deadline)).toBe(12);
    expect(client.commands).toEqual(['V']);
    expect(client.deadlines).toEqual([deadline]);
  });

  test.each([
    ['20040108', 'garbled'],
    ['1', 'garbled'],
    ['20040107 1', 'garbled'],
    ['', 'garbled'],
    ['E5', 'rejected'],
  ])('of what is no rtpproxy fails: %j', async (reply, kind) => {
    const { monitor, deadline } = watch(() => reply);
    expect(failed(await monitor.ping(deadline)).kind).toBe(kind as RelayFailure['kind']);
  });

  test('without answer fails as the wire says', async () => {
    const { monitor, deadline } = watch(() => wire('unreachable'));
    expect(failed(await monitor.ping(deadline)).kind).toBe('unreachable');
  });
});

describe('statistics', () => {
  test('are the totals, and what else is known', async () => {
    const { client, monitor, deadline } = watch(daemon(totals(7, 3, 1000, 900)));
    expect(await monitor.statistics(deadline)).toEqual({
      uptimeS: null,
      sessions: 3,
      growing: [7, 1000, 900, 100],
      ports: null,
      packetsPerS: null,
      bytesPerS: null,
      errorsPerS: null,
      rejected: null,
      version: '3.1',
    });
    expect(client.commands.slice(0, 2)).toEqual(['I', 'G ncmds_rcvd']);
    // A stream shows the end of a reply by its lines only.
    expect(client.lines.slice(0, 2)).toEqual([5, 1]);
    expect(new Set(client.deadlines)).toEqual(new Set([deadline]));
  });

  test('ask for the release again after a daemon did not answer: it may be another one now', async () => {
    const { client, monitor, deadline } = watch(daemon(totals(7)));
    expect((await monitor.statistics(deadline)) as RelayStatistics).toMatchObject({ version: '3.1' });
    client.answers = () => wire('silent');
    await monitor.ping(deadline);
    client.answers = (command) => (command.startsWith('VF') ? '1' : daemon(totals(7))(command));
    expect((await monitor.statistics(deadline)) as RelayStatistics).toMatchObject({
      version: '3.2 or newer',
    });
  });

  test('are read as they were recorded', async () => {
    let count = 0;
    for (const { exchanges = [] } of FIXTURES.values()) {
      for (const { request, response } of exchanges) {
        if (!/^\S+ I[bl]?$/.test(request ?? '') || response?.includes('sessions') !== true) continue;
        const text = response.replace(/^\S+ /, '').trimEnd();
        const { monitor, deadline } = watch(daemon(text));
        const { sessions } = (await monitor.statistics(deadline)) as RelayStatistics;
        expect(text).toContain(`active sessions: ${sessions}\n`);
        count++;
      }
    }
    expect(count).toBeGreaterThan(5);
  });

  test('have packets a second from the second time on', async () => {
    const { clock, client, monitor } = watch();
    const at = async (received: number): Promise<number | null> => {
      client.answers = daemon(totals(7, 3, received));

      return ((await monitor.statistics(clock.now + 600)) as RelayStatistics).packetsPerS;
    };
    expect(await at(1000)).toBeNull();
    await clock.advance(10_000);
    expect(await at(6000)).toBe(500);
    await clock.advance(3000);
    expect(await at(6001)).toBe(0);
    // At the same moment, and after a restart.
    expect(await at(6002)).toBeNull();
    await clock.advance(1000);
    expect(await at(10)).toBeNull();
    await clock.advance(1000);
    expect(await at(110)).toBe(100);
  });

  test.each(['E8', '', 'x', '1.5', '-1'])('do without the number of commands: %j', async (reply) => {
    const { monitor, deadline } = watch(daemon(totals(7), reply));
    expect(await monitor.statistics(deadline)).toMatchObject({ growing: [7, 0, 0] });
  });

  test.each([
    ['E8', 'rejected'],
    ['E0', 'rejected'],
    ['', 'garbled'],
    ['sessions created: 1', 'garbled'],
    ['active sessions: 1', 'garbled'],
    ['sessions created: x\nactive sessions: 1', 'garbled'],
    ['<html>', 'garbled'],
  ])('cannot be had from %j', async (reply, kind) => {
    const { client, monitor, deadline } = watch(daemon(reply));
    expect(failed(await monitor.statistics(deadline)).kind).toBe(kind as RelayFailure['kind']);
    expect(client.commands).toHaveLength(2);
  });

  test.each(['I', 'G'])('fail if %s has no answer', async (letter) => {
    const { monitor, deadline } = watch((command) =>
      command.startsWith(letter) ? wire('silent') : daemon(totals(7))(command),
    );
    expect(failed(await monitor.statistics(deadline)).kind).toBe('silent');
  });
});

describe('the version', () => {
  test.each([
    ['3.2+', ['20050322', '20191015', '20230424', '20250523'], '3.2 or newer'],
    ['3.1.1', ['20050322', '20191015', '20230424'], '3.1'],
    ['2.2.1', ['20050322', '20191015'], '2.2 or 3.0'],
    ['2.1.1', ['20050322'], '2.1 or older'],
    ['older', [], 'too old: it knows one stream for each call (VF 20050322)'],
  ])('of %s is guessed by what it can do', (_, capabilities, version) => {
    expect(versionOf(capabilities)).toBe(version);
    expect(versionOf([...capabilities, '19990101'].toReversed())).toBe(version);
  });

  test('is asked for once', async () => {
    const { client, monitor, deadline } = watch(daemon(totals(7)));
    await monitor.statistics(deadline);
    expect(client.told().slice(2).toSorted()).toEqual(CAPABILITIES.map((stamp) => `VF ${stamp}`).toSorted());
    expect(await monitor.statistics(deadline)).toMatchObject({ version: '3.1' });
    expect(client.told()).toEqual(['I', 'G ncmds_rcvd']);
  });

  test('is asked for again once the daemon has restarted', async () => {
    const { client, monitor, deadline } = watch(daemon(totals(7)));
    await monitor.statistics(deadline);
    client.answers = (command) => (command.startsWith('VF') ? '1' : daemon(totals(6))(command));
    expect(await monitor.statistics(deadline)).toMatchObject({ version: '3.2 or newer' });
  });

  test.each(['E1', '2', ''])('counts nothing it does not say yes to: %j', async (reply) => {
    const { monitor, deadline } = watch((command) =>
      command.startsWith('VF') && command !== 'VF 20050322' ? reply : daemon(totals(7))(command),
    );
    expect(await monitor.statistics(deadline)).toMatchObject({ version: '2.1 or older' });
  });

  test('is asked for again where an answer was missing', async () => {
    const { client, monitor, deadline } = watch((command) =>
      command === 'VF 20230424' ? wire('silent') : daemon(totals(7))(command),
    );
    expect(await monitor.statistics(deadline)).toMatchObject({ sessions: 2, version: null });
    client.answers = daemon(totals(7));
    expect(await monitor.statistics(deadline)).toMatchObject({ version: '3.1' });
  });
});

describe('a canary', () => {
  test('opens a port and gives it back', async () => {
    const { clock, client, monitor, deadline } = watch();
    client.onCommand = () => {
      clock.now += 5;
    };
    expect(await monitor.canary('203.0.113.9', 'IP4', deadline)).toBe(10);
    const [open = '', close = ''] = client.commands;
    const name = open.split(' ')[1] ?? '';
    expect(isTestCall(name)).toBe(true);
    expect(open).toBe(`U ${name} 192.0.2.1 9 canary;1`);
    expect(close).toBe(`D ${name} canary`);
    expect(client.deadlines).toEqual([1_000_400, deadline]);
  });

  test('speaks IPv6 where that is asked for', async () => {
    const { client, monitor, deadline } = watch();
    await monitor.canary('2001:db8::9', 'IP6', deadline);
    expect(client.commands[0]).toMatch(/^U6 \S+ 2001:db8::1 9 canary;1$/);
  });

  test.each(['E72', 'E99', 'E36', 'E81'])('says that the node takes no calls: %s', async (code) => {
    const { client, monitor, deadline } = watch(() => code);
    expect(failed(await monitor.canary('203.0.113.9', 'IP4', deadline)).kind).toBe('refused');
    expect(client.commands).toHaveLength(1);
  });

  test.each([
    ['silent', wire('silent')],
    ['garbled', 'what?'],
  ])('is deleted also if nobody knows whether it is there: %s', async (_, reply) => {
    const { client, monitor, deadline } = watch((command) => (command.startsWith('U') ? reply : undefined));
    expect(failed(await monitor.canary('203.0.113.9', 'IP4', deadline)).isUncertain).toBe(true);
    expect(client.commands[1]).toStartWith('D ');
  });

  test.each<[RelayFailure['kind'], string | RelayFailure]>([
    ['silent', wire('silent')],
    ['unknown-call', 'E50'],
    ['rejected', 'E8'],
  ])('that cannot be deleted is told by name: %s', async (kind, reply) => {
    const { client, monitor, deadline } = watch((command) => (command.startsWith('D') ? reply : undefined));
    const failure = failed(await monitor.canary('203.0.113.9', 'IP4', deadline));
    expect(failure.kind).toBe(kind);
    expect(failure.reason).toContain(client.commands[0]?.split(' ')[1] ?? '?');
  });
});

describe('the monitor', () => {
  test('has no list and no limit to offer, and asks for none', async () => {
    const { client, monitor } = watch();
    expect(failed(await monitor.list()).kind).toBe('rejected');
    expect(failed(await monitor.limitSessions())).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('SIGHUP'),
    });
    expect(client.commands).toEqual([]);
  });

  test('gives its socket back', () => {
    const { client, monitor } = watch();
    monitor.close();
    expect(client.isClosed).toBe(true);
  });

  test('of a node opens its socket with the first check', async () => {
    const asked: unknown[] = [];
    const clock = new FakeClock();
    const monitor = createRtpproxyMonitor({ transport: 'udp', host: '192.0.2.1', port: 22_222 }, clock, {
      openDatagrams: async (address) => {
        asked.push(address);
        throw new Error('no socket');
      },
    });
    expect(asked).toEqual([]);
    expect(await monitor.ping(clock.now + 500)).toBeInstanceOf(RelayFailure);
    expect(asked).toEqual([{ transport: 'udp', host: '192.0.2.1', port: 22_222 }]);
    monitor.close();
  });
});
