import { describe, expect, test } from 'bun:test';
import { NoticeSupport } from '../../../../src/relay/rtpproxy/notice-support.ts';
import { FakeClock, settle } from '../../../fakes/clock.ts';
import { type Answers, FakeRtpproxyClient, wire } from '../../../fakes/rtpproxy-client.ts';
import { DEADLINE, NOTICES } from './driving.ts';

function start(answers: Answers) {
  const clock = new FakeClock();
  const client = new FakeRtpproxyClient(answers);
  const support = new NoticeSupport(client, clock, NOTICES);

  return { clock, client, support, ask: async () => support.isSupported(DEADLINE) };
}

describe('whether a daemon can tell of the end of a call', () => {
  test('is asked once, by the stamp, and believed from then on', async () => {
    const { clock, client, ask } = start(() => '1');
    expect(await ask()).toBe(true);
    await clock.advance(3_600_000);
    expect(await ask()).toBe(true);
    expect(client.commands).toEqual(['VF 20081224']);
    // A third of the time, so that the call has its own.
    expect(client.deadlines).toEqual([1_000_300]);
  });

  test.each(['0', 'E1', 'E8', '', '11'])('%j is a no, believed for a minute', async (reply) => {
    const { clock, client, ask } = start(() => reply);
    expect(await ask()).toBe(false);
    await clock.advance(59_999);
    expect(await ask()).toBe(false);
    expect(client.commands).toHaveLength(1);
    client.answers = () => '1';
    await clock.advance(1);
    expect(await ask()).toBe(true);
    expect(client.commands).toHaveLength(2);
  });

  test('no answer is a no for this time only', async () => {
    const { client, ask } = start(() => wire('silent'));
    expect(await ask()).toBe(false);
    client.answers = () => '1';
    expect(await ask()).toBe(true);
  });

  test('is asked once for all who want to know at the same time', async () => {
    const { client, ask } = start(() => '1');
    let go = () => {};
    client.onCommand = () => new Promise<void>((resume) => (go = resume));
    const asking = [ask(), ask(), ask()];
    await settle();
    go();
    expect(await Promise.all(asking)).toEqual([true, true, true]);
    expect(client.commands).toHaveLength(1);
  });

  test('is a no for a minute once it has refused a socket', async () => {
    const { clock, client, support, ask } = start(() => '1');
    await ask();
    support.lost();
    expect(await ask()).toBe(false);
    await clock.advance(60_000);
    expect(await ask()).toBe(true);
    expect(client.commands).toHaveLength(2);
  });
});
