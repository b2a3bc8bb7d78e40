import { describe, expect, test } from 'bun:test';
import { createNgClient, LIMITS } from '../../../../src/relay/ng/client.ts';
import { FakeClock, FakeNet, settle } from './harness.ts';

function start() {
  const clock = new FakeClock();
  const net = new FakeNet();
  const options = { open: net.open, cookiePrefix: 'boot' };
  const client = createNgClient({ host: '192.0.2.1', port: 2223 }, clock, options);

  return { net, client, deadline: clock.now + 900 };
}

/** What a ping ends with when this is received. */
async function outcome(datagram: string): Promise<unknown> {
  const { net, client, deadline } = start();
  const reply = client.request({ command: 'ping' }, deadline);
  await settle();
  net.receive(datagram);

  return reply;
}

describe('request', () => {
  test('sends cookie, space and the bencoded message', async () => {
    const { net, client, deadline } = start();
    client.request({ command: 'ping' }, deadline);
    await settle();
    expect(net.sent).toEqual(['boot_1 d7:command4:pinge']);
  });

  test('sends 64 at a time', async () => {
    const { net, client, deadline } = start();
    for (let i = 0; i < 70; i++) client.request({ command: 'ping' }, deadline);
    await settle();
    expect([net.sent.length, client.inFlight, client.waiting]).toEqual([64, 64, 6]);
  });

  test('sends nothing and says `too-large` above the size a node surely answers', async () => {
    const { net, client, deadline } = start();
    const message = { sdp: 'x'.repeat(LIMITS.requestBytes) };
    expect(await client.request(message, deadline)).toMatchObject({ kind: 'too-large', isUncertain: false });
    expect(net.sent).toEqual([]);
  });

  test('does not throw on a message that cannot be encoded', async () => {
    const { client, deadline } = start();
    expect(await client.request({ n: 0.5 }, deadline)).toMatchObject({ kind: 'rejected' });
  });
});

describe('replies', () => {
  test('come as they are, errors too', async () => {
    expect(JSON.stringify(await outcome('boot_1 d6:result5:errore'))).toBe('{"result":"error"}');
  });

  test.each([
    ['an empty body, as 13.5 sends it', 'boot_1 ', 'empty body at byte 0'],
    ['no body at all', 'boot_1', 'empty body at byte 0'],
    ['bytes that are no bencode', 'boot_1 hello', 'at byte 0'],
    ['an error code of an rtpproxy', 'boot_1 E1\n', 'should be of the kind rtpproxy'],
    ['a list', 'boot_1 le', 'no dictionary'],
    ['a reply cut off', 'boot_1 d6:result9:po', 'at byte'],
  ])('with %s end the request as `garbled`', async (_name, datagram, reason) => {
    expect(await outcome(datagram)).toMatchObject({
      kind: 'garbled',
      reason: expect.stringContaining(reason),
    });
  });
});
