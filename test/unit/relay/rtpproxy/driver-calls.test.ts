import { describe, expect, test } from 'bun:test';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import { createRtpproxyDriver } from '../../../../src/relay/rtpproxy/driver.ts';
import { writeMemo } from '../../../../src/relay/rtpproxy/sessions.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { wire } from '../../../fakes/rtpproxy-client.ts';
import { DEADLINE, drive, failed } from './driving.ts';

/** What is done with a call as a whole. */

const LEG = { n: 1, opener: 'A', peer: 'B', openerPort: 30_000, peerPort: 30_002 };
/** Two streams on one branch, one on another. */
const MEMO = writeMemo([
  { ...LEG, branch: '' },
  { ...LEG, branch: '', n: 2 },
  { ...LEG, branch: 'z2', peer: 'b2' },
]);
const CALL = { callId: 'c1', memo: MEMO };

describe('a delete', () => {
  test('is done when every branch is', async () => {
    const { client, driver } = drive();
    expect(await driver.delete(CALL, DEADLINE)).toEqual({ found: true, reply: { result: 'ok' } });
    expect(client.commands).toEqual(['D c1 A B', 'D c1;z2 A b2']);
    expect(client.deadlines).toEqual([DEADLINE, DEADLINE]);
  });

  test('of one branch leaves the others', async () => {
    const { client, driver } = drive();
    const done = await driver.delete({ ...CALL, branch: 'z2', fromTag: 'A' }, DEADLINE);
    expect(client.commands).toEqual(['D c1;z2 A b2']);
    const left = writeMemo([
      { ...LEG, branch: '' },
      { ...LEG, branch: '', n: 2 },
    ]);
    expect(done).toMatchObject({ found: true, left: { memo: left, sessions: 2 } });
  });

  test('of one branch leaves all where it changes nothing, or was not done', async () => {
    const { client, driver } = drive();
    expect(await driver.delete({ ...CALL, branch: 'z9', tags: ['A'] }, DEADLINE)).not.toHaveProperty('left');
    expect(await driver.delete({ callId: 'c1', branch: 'z2', tags: ['A'] }, DEADLINE)).not.toHaveProperty(
      'left',
    );
    expect(await driver.delete(CALL, DEADLINE)).not.toHaveProperty('left');
    client.answers = () => wire('silent');
    expect(failed(await driver.delete({ ...CALL, branch: 'z2' }, DEADLINE)).left).toBeUndefined();
  });

  test('goes by tags where nothing is remembered', async () => {
    const { client, driver } = drive();
    expect(await driver.delete({ callId: 'c1', memo: null, tags: ['A', 'B'] }, DEADLINE)).toMatchObject({
      found: true,
    });
    expect(client.commands).toEqual(['D c1 A B']);
  });

  test('finds the call if it finds one session of it', async () => {
    const { client, driver } = drive((command) => (command.includes('z2') ? 'E50' : '0'));
    expect(await driver.delete(CALL, DEADLINE)).toMatchObject({ found: true });
    client.answers = (command) => (command.includes('z2') ? '0' : 'E50');
    expect(await driver.delete(CALL, DEADLINE)).toMatchObject({ found: true });
  });

  test('does not find what the daemon does not know', async () => {
    const { driver } = drive(() => 'E50');
    expect(await driver.delete(CALL, DEADLINE)).toMatchObject({ found: false });
  });

  test.each(['0', 'E50'])('is not done while one command is open, even if another has %s', async (reply) => {
    for (const open of ['c1 A', 'c1;z2']) {
      const { driver } = drive((command) => (command.includes(open) ? wire('silent') : reply));
      expect(failed(await driver.delete(CALL, DEADLINE)).kind).toBe('silent');
    }
  });

  test('that the daemon did not take, or answers with nonsense, has failed', async () => {
    const { client, driver } = drive(() => 'E3');
    expect(failed(await driver.delete(CALL, DEADLINE)).kind).toBe('rejected');
    client.answers = () => '43000';
    expect(failed(await driver.delete(CALL, DEADLINE)).kind).toBe('garbled');
  });

  test('has nothing to do where the memo says so', async () => {
    const { client, driver } = drive();
    expect(await driver.delete({ callId: 'c1', memo: '[]', tags: ['A'] }, DEADLINE)).toMatchObject({
      found: true,
    });
    expect(client.commands).toEqual([]);
  });

  test.each([
    { callId: 'c1' },
    { callId: 'c1', tags: [] },
    { callId: 'c1', tags: ['A B'] },
    { callId: 'c1 x', tags: ['A'] },
  ])('cannot be told without words: %j', async (call) => {
    const { client, driver } = drive();
    expect(failed(await driver.delete(call, DEADLINE)).kind).toBe('rejected');
    expect(client.commands).toEqual([]);
  });
});

describe('a query', () => {
  test('tells of each session, and adds the packets up', async () => {
    const { client, driver } = drive((command) => (command.includes(';2') ? '7 1 2 3 4' : '60 10 20 29 1'));
    expect(await driver.query(CALL, DEADLINE)).toEqual({
      result: 'ok',
      relay: 'rtpproxy',
      totals: { RTP: { packets: 61 } },
      streams: [
        {
          media: 1,
          'from-tag': 'A',
          'to-tag': 'B',
          ttl: 60,
          'packets from from-tag': 10,
          'packets from to-tag': 20,
          'packets relayed': 29,
          'packets dropped': 1,
        },
        {
          media: 2,
          'from-tag': 'A',
          'to-tag': 'B',
          ttl: 7,
          'packets from from-tag': 1,
          'packets from to-tag': 2,
          'packets relayed': 3,
          'packets dropped': 4,
        },
        {
          media: 1,
          'from-tag': 'A',
          'to-tag': 'b2',
          'via-branch': 'z2',
          ttl: 60,
          'packets from from-tag': 10,
          'packets from to-tag': 20,
          'packets relayed': 29,
          'packets dropped': 1,
        },
      ],
    });
    expect(client.commands).toEqual(['Q c1 A;1 B;1', 'Q c1 A;2 B;2', 'Q c1;z2 A;1 b2;1']);
  });

  test('asks about one party', async () => {
    const { client, driver } = drive();
    await driver.query(CALL, DEADLINE, 'b2');
    expect(client.commands).toEqual(['Q c1;z2 A;1 b2;1']);
  });

  test('is answered by the streams that still live', async () => {
    const { driver } = drive((command) => (command.includes(';2') ? '60 1 2 3 4' : 'E50'));
    const record = await driver.query(CALL, DEADLINE);
    expect(record).toMatchObject({ totals: { RTP: { packets: 3 } }, streams: [{ media: 2 }] });
  });

  test('says that the call is gone only if every stream is', async () => {
    const { client, driver } = drive(() => 'E50');
    expect(failed(await driver.query(CALL, DEADLINE)).kind).toBe('unknown-call');
    for (const open of [' A;1 B', ' A;2', 'z2']) {
      client.answers = (command) => (command.includes(open) ? wire('silent') : 'E50');
      expect(failed(await driver.query(CALL, DEADLINE)).kind).toBe('silent');
    }
  });

  test.each(['60', '60 1 2 3', 'x 1 2 3 4', 'ttl=60 a=1 b=1 c=1 d=1'])(
    'does not take %j for a record',
    async (reply) => {
      const { driver } = drive(() => reply);
      expect(failed(await driver.query(CALL, DEADLINE)).kind).toBe('garbled');
    },
  );

  test('looks for a call nobody knows by the first stream of either party', async () => {
    const { client, driver } = drive((command) => (command.includes(' B;1') ? '60 1 1 2 0' : 'E50'));
    expect(await driver.query({ callId: 'c1', tags: ['A', 'B'] }, DEADLINE)).toMatchObject({ result: 'ok' });
    expect(client.commands).toEqual(['Q c1 A;1', 'Q c1 B;1']);
  });

  test('has nothing to ask where nothing is known, or nothing is there', async () => {
    const { client, driver } = drive();
    expect(failed(await driver.query({ callId: 'c1' }, DEADLINE)).kind).toBe('unknown-call');
    expect(failed(await driver.query({ callId: 'c1 x', tags: ['A'] }, DEADLINE)).kind).toBe('unknown-call');
    expect(await driver.query({ callId: 'c1', memo: '[]' }, DEADLINE)).toEqual({
      result: 'ok',
      relay: 'rtpproxy',
      totals: { RTP: { packets: 0 } },
      streams: [],
    });
    expect(client.commands).toEqual([]);
  });
});

describe('another command', () => {
  const RECORD = { command: 'start recording', 'call-id': 'c1' };

  test('is done by all it concerns', async () => {
    const { client, driver } = drive();
    expect(await driver.command(RECORD, CALL, DEADLINE)).toEqual({ result: 'ok' });
    expect(client.commands).toEqual(['R c1 A;1 B;1', 'R c1 B;1 A;1', 'R c1;z2 A;1 b2;1', 'R c1;z2 b2;1 A;1']);
  });

  test('is done if one stream has something to do', async () => {
    const { driver } = drive((command) => (command.includes('z2') ? '0' : 'E50'));
    expect(await driver.command(RECORD, CALL, DEADLINE)).toEqual({ result: 'ok' });
  });

  test('that the daemon answers with E50 ends no call: there may be nothing to record', async () => {
    const { driver } = drive(() => 'E50');
    expect(failed(await driver.command(RECORD, CALL, DEADLINE))).toMatchObject({
      kind: 'rejected',
      reason: expect.stringContaining('started without -r'),
    });
  });

  test('has failed if one stream failed, whatever the others say', async () => {
    for (const [one, other] of [
      ['E65', '0'],
      ['0', 'E65'],
      ['E65', 'E50'],
      ['E50', 'E65'],
    ] as const) {
      const { driver } = drive((command) => (command.includes('z2') ? one : other));
      expect(failed(await driver.command(RECORD, CALL, DEADLINE)).reason).toContain('E65');
    }
  });

  test('is done if a prompt is there for one of the streams: a video line has none', async () => {
    const { driver } = drive((command) => (command.includes('z2') ? 'E60' : '0'));
    const play = { command: 'play media', file: 'x' };
    expect(await driver.command(play, CALL, DEADLINE)).toEqual({ result: 'ok' });
    const none = drive(() => 'E60');
    expect(failed(await none.driver.command(play, CALL, DEADLINE)).reason).toContain('E60');
  });

  test('is refused where the daemon has no such word', async () => {
    const { client, driver } = drive();
    expect(failed(await driver.command({ command: 'block media' }, CALL, DEADLINE)).kind).toBe('rejected');
    expect(client.commands).toEqual([]);
  });
});

describe('the driver', () => {
  test('renews calls, and passes on how its socket does', () => {
    const { client, driver } = drive();
    client.inFlight = 3;
    client.waiting = 4;
    client.rttMs = 1.5;
    expect(driver.renewsCalls).toBe(true);
    expect(driver.pending).toBe(7);
    expect(driver.rttMs).toBe(1.5);
    expect(driver.counters).toBe(client.counters);
    driver.close();
    expect(client.isClosed).toBe(true);
  });

  test('of a node opens its socket with the first request', async () => {
    let opened = 0;
    const driver = createRtpproxyDriver(
      { transport: 'udp', host: '192.0.2.1', port: 22_222 },
      new FakeClock(),
      {
        openDatagrams: async () => {
          opened++;
          throw new Error('no socket');
        },
      },
    );
    expect(opened).toBe(0);
    expect(await driver.query({ callId: 'c1', tags: ['A'] }, DEADLINE)).toBeInstanceOf(RelayFailure);
    expect(opened).toBe(1);
    driver.close();
  });
});
