/** Where the compiled binary serves ng, over UDP and HTTP, for which set, and for whom. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, loggedEvents, post } from '../lab/client.ts';
import { startFake } from '../lab/fake-relays.ts';
import { serveNg } from '../lab/ng-appliance.ts';
import { answerOf, NgClient, offerOf, read, shown } from '../lab/ng-client.ts';
import { NgRecorder } from '../lab/ng-recorder.ts';
import { freeUdpPort } from '../lab/ports.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { expectPlainRefusal, failToStart } from '../lab/runs.ts';

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);
afterAll(() => NgClient.closeAll());

describe('a port for each set', () => {
  let appliance: Appliance;
  let port = 0;

  beforeAll(async () => {
    port = await freeUdpPort();
    const ngListen = `0 == udp:127.0.0.1:${port},7 == udp:127.0.0.2:${port},8 == udp:127.0.0.1:0`;
    appliance = await startAppliance({ binary, ngListen });
    for (const [index, setId] of [0, 7].entries()) {
      const { socket } = await startFake('rtpengine');
      const [id, inner, outer] = [index + 1, `10.9.0.${index + 1}`, `198.51.100.${index + 1}`];
      const node = { id, socket, set_id: setId, inner_media_ip: inner, out_media_ip: outer };
      await appliance.api('POST', '/v1/nodes', node);
    }
    await poll(
      async () => {
        const { nodes } = (await appliance.api('GET', '/v1/nodes')) as {
          nodes: { health: { state: string } }[];
        };

        return nodes.every(({ health }) => health.state === 'up') ? true : undefined;
      },
      () => 'the nodes do not come up',
    );
  });
  afterAll(async () => expect(await appliance.stop()).toBe(0));

  test('each answers from where it was asked, and places calls in its own set', async () => {
    // Both are connected: a reply from the other address would not be heard.
    const [zero, seven] = [
      await NgClient.connect({ port }),
      await NgClient.connect({ host: '127.0.0.2', port }, '127.0.0.1'),
    ];
    const addresses: string[][] = [];
    for (let i = 0; i < 8; i++) {
      addresses.push([
        shown(await zero.ask(offerOf(`zero-${i}@sets`))),
        shown(await seven.ask(offerOf(`seven-${i}@sets`))),
      ]);
    }
    expect(addresses).toEqual(Array.from({ length: 8 }, () => ['198.51.100.1', '198.51.100.2']));
    expect((await zero.ask({ command: 'list' })).calls).toEqual(
      Array.from({ length: 8 }, (_, i) => `zero-${i}@sets`),
    );
  });

  test('cluster-set wins over the port, and a set without nodes has none', async () => {
    const zero = await NgClient.connect({ port });
    expect(shown(await zero.ask(offerOf('other-set@sets', { 'cluster-set': '7' })))).toBe('198.51.100.2');
    // Afterwards the call is known, whatever port its messages come to.
    expect(shown(await zero.ask(answerOf('other-set@sets')))).toBe('10.9.0.2');
    // A word in the flags of a proxy that does not read them itself.
    expect(shown(await zero.ask(offerOf('flags@sets', { 'rtpp-flags': 'cluster-set=7' })))).toBe(
      '198.51.100.2',
    );
    const nowhere = await zero.ask(offerOf('no-set@sets', { 'cluster-set': '9' }));
    expect(nowhere).toMatchObject({ result: 'error', 'error-reason': 'Parallel session limit reached' });
    expect(String(nowhere.message)).toStartWith('RTPC_NO_NODE ');
  });

  test('a ping tells of the set of the port', async () => {
    const place = loggedEvents(appliance, 'ng.listening').find(({ set }) => set === 8)?.address;
    const eight = await NgClient.connect({ port: Number(/:(\d+)$/.exec(String(place))?.[1]) });
    const zero = await NgClient.connect({ port });
    expect(await zero.ask({ command: 'ping' })).toEqual({ result: 'pong' });
    expect(await eight.ask({ command: 'ping' })).toMatchObject({
      result: 'error',
      'error-reason': 'RTPC_NO_NODE set 8 has no node',
    });
  });
});

describe('who may ask', () => {
  test('a datagram from an address that is not in ng.clients gets no reply, and one line in the log', async () => {
    const { appliance, port } = await serveNg({ flags: ['--ng-clients=127.0.0.1'] });
    const [friend, stranger] = [
      await NgClient.connect({ port }),
      await NgClient.connect({ port }, '127.0.0.5'),
    ];
    const cookies = [stranger.cookie(), stranger.cookie(), stranger.cookie()];
    for (const cookie of cookies) stranger.send(cookie, { command: 'list' });
    // The server reads datagrams in the order in which they came.
    expect(await friend.ask({ command: 'list' })).toEqual({ result: 'ok', calls: [] });
    expect(cookies.map((cookie) => stranger.replies(cookie))).toEqual([[], [], []]);
    await poll(
      () => loggedEvents(appliance, 'ng.stranger')[0],
      () => 'the log says nothing of the stranger',
    );
    expect(loggedEvents(appliance, 'ng.stranger').map(({ address }) => address)).toEqual(['127.0.0.5']);
    expect(await appliance.stop()).toBe(0);
  });

  const refuse = (ngListen: string, ...flags: string[]) =>
    failToStart(join(temporaryFolder(), 'other.db'), { ngListen, flags });

  test('an address that other hosts can reach needs ng.clients: exit 1, and what to do', () => {
    for (const place of ['0 == udp:192.0.2.1:2223', '0 == udp:127.0.0.1:0,1 == udp:[2001:db8::1]:2223']) {
      const { exitCode, output } = refuse(place);
      expect(exitCode).toBe(1);
      expect(output).toMatch(
        /^--ng-listen: .*which other hosts can reach.* in ng\.clients, or listen on 127\.0\.0\.1\n$/,
      );
    }
    // Replies must come from the address that was asked.
    for (const host of ['0.0.0.0', '[::]']) {
      const { exitCode, output } = refuse(`0 == udp:${host}:2223`);
      expect(exitCode).toBe(1);
      expect(output).toMatch(/^--ng-listen: .*one IP address of this host, not all of them.*\n$/);
    }
  });

  test('a port that is taken, or an address of another host: exit 1, and ng.listen is named', async () => {
    const { appliance, port } = await serveNg();
    const second = refuse(`0 == udp:127.0.0.1:${port}`);
    expectPlainRefusal(second, 'ng.listen', 'another program does already');
    expect(second.output).toContain(`udp:127.0.0.1:${port}`);
    // The first one is none the worse.
    const client = await NgClient.connect({ port });
    expect(await client.ask({ command: 'list' })).toEqual({ result: 'ok', calls: [] });
    const foreign = refuse('0 == udp:192.0.2.1:2223', '--ng-clients=192.0.2.0/24');
    expectPlainRefusal(foreign, 'ng.listen', 'does not have the address');
    expect(await appliance.stop()).toBe(0);
  });
});

test('the default port, taken by a relay of this host, costs only the ng door', async () => {
  // Whoever has it, a relay of this machine or this test.
  const holder = await Bun.udpSocket({ hostname: '127.0.0.1', port: 2223 }).catch(() => undefined);
  const appliance = await startAppliance({ binary, ngListen: null });
  const told = appliance.logs().find(({ event }) => event === 'ng.not_listening');
  expect(told).toMatchObject({ level: 'error', error: expect.stringContaining('udp:127.0.0.1:2223') });
  expect(await appliance.api('GET', '/v1/calls')).toMatchObject({ calls: [] });
  expect(await appliance.stop()).toBe(0);
  holder?.close();
});

describe('POST /ng', () => {
  const TYPE = 'application/x-rtpengine-ng';
  const TOKEN = 'a-token-of-enough-characters';

  async function ask(url: string, body: string, headers: Record<string, string> = {}): Promise<Response> {
    return await fetch(`${url}/ng`, {
      method: 'POST',
      headers: { 'content-type': TYPE, ...headers },
      body: Buffer.from(body, 'latin1'),
    });
  }

  test('with a token: none or a wrong one gets 401, the right one an answer in the encoding of the request', async () => {
    const appliance = await startAppliance({ binary, token: TOKEN });
    const { url } = appliance;
    const list = 'h1 d7:command4:liste';
    expect((await ask(url, list)).status).toBe(401);
    expect((await ask(url, list, { authorization: 'Bearer another-token-of-enough' })).status).toBe(401);
    const authorization = `Bearer ${TOKEN}`;
    const answered = await ask(url, list, { authorization });
    expect([answered.status, answered.headers.get('content-type')]).toEqual([200, TYPE]);
    expect(await answered.text()).toBe('h1 d6:result2:ok5:callslee');
    const json = await ask(url, 'h2 {"command": "list"}', { authorization });
    expect(await json.text()).toBe('h2 {"result":"ok","calls":[]}');
    expect(await appliance.stop()).toBe(0);
  });

  test('without a token: a call begins there, goes on over UDP and at the other HTTP door', async () => {
    const relay = await NgRecorder.open((await startFake('rtpengine')).socket);
    const { appliance, port } = await serveNg();
    await addNodes(appliance, [relay]);
    const { url } = appliance;
    const offer = offerOf('posted@ng');
    const body = `h1 ${JSON.stringify(offer)}`;
    const offered = await ask(url, body);
    expect(offered.status).toBe(200);
    const text = await offered.text();
    expect(shown(read(text.slice(3)))).toBe('198.51.100.1');
    // The same again is a retransmission here too.
    expect(await (await ask(url, body)).text()).toBe(text);
    expect(relay.asked('offer').length).toBe(1);
    const client = await NgClient.connect({ port });
    expect(shown(await client.ask(answerOf('posted@ng')))).toBe('10.9.0.1');
    expect((await post(url, '/v1/media/delete', { 'call-id': 'posted@ng' })).status).toBe(200);
    expect(await (await ask(url, 'h3 d7:command5:query7:call-id9:posted@nge')).text()).toContain(
      'Unknown call-id',
    );
    expect(await appliance.stop()).toBe(0);
    relay.close();
  });

  test('another content type, a body without a cookie and an odd set get 400; a payload that cannot be read gets the reply of rtpengine', async () => {
    const appliance = await startAppliance({ binary });
    const { url } = appliance;
    expect((await ask(url, 'h1 d7:command4:pinge', { 'content-type': 'text/plain' })).status).toBe(400);
    expect((await ask(url, 'd7:command4:pinge')).status).toBe(400);
    expect((await ask(url, '')).status).toBe(400);
    expect(
      (await fetch(`${url}/ng?set=x`, { method: 'POST', headers: { 'content-type': TYPE } })).status,
    ).toBe(400);
    const unread = await ask(url, 'h1 d7:command');
    expect([unread.status, await unread.text()]).toEqual([
      200,
      'h1 d6:result5:error12:error-reason35:Could not decode bencode dictionarye',
    ]);
    expect(await appliance.stop()).toBe(0);
  });
});
