import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseFault, parseOrderText } from '../../../../src/relay/fake/faults.ts';
import { FakeRtpproxy } from '../../../../src/relay/rtpproxy/fake-node.ts';
import { isNotifySocket } from '../../../../src/relay/rtpproxy/fake-notify.ts';
import { FakeClock } from '../../../fakes/clock.ts';
import { clientOf, endAll, StreamClient, startFake, talk, UdpClient } from './fake-harness.ts';

afterEach(endAll);

const U = 'U c1 192.0.2.1 4000 ta;1';
const L = 'L c1 192.0.2.2 4000 ta;1 tb;1';

describe('sessions of the fake rtpproxy', () => {
  test('are found by the offerer’s tag, or by the answerer’s place of it', async () => {
    const say = await talk(await startFake());
    await say(U);
    await say(L);
    expect(await say('Q c1 tb;1 ta;1')).toBe('60 0 0 0 0');
    // The media number may be missing at the second tag, not at the first.
    expect(await say('Q c1 tb;1 ta')).toBe('60 0 0 0 0');
    expect(await say('Q c1 tb;2 ta')).toBe('E50');
    expect(await say('Q c1 ta')).toBe('E50');
    expect(await say('Q c1 t')).toBe('E50');
  });

  test('give their ports back', async () => {
    const node = await startFake({ portMin: 43_000, portMax: 43_003 });
    const say = await talk(node);
    expect(await say(U)).toBe('43000 127.0.0.1');
    expect(await say(L)).toBe('43002 127.0.0.1');
    expect([node.size, node.sessions.ports.used, await say('FAKE calls')]).toEqual([1, 4, 'c1']);
    expect(await say('D c1 ta')).toBe('0');
    expect([node.size, node.sessions.ports.used, await say('FAKE calls')]).toEqual([0, 0, '']);
    expect(await say(U)).toBe('43000 127.0.0.1');
  });

  test('have all port numbers on each address', async () => {
    const say = await talk(await startFake({ portMin: 43_000, portMax: 43_001 }));
    expect(await say(U)).toBe('43000 127.0.0.1');
    expect(await say('U c2 192.0.2.1 4000 ta;1')).toBe('E72');
    expect(await say('Ul127.0.0.2 c2 192.0.2.1 4000 ta;1')).toBe('43000 127.0.0.2');
  });

  test('that are copied to another host take a port for it until the copy ends', async () => {
    const node = await startFake();
    const say = await talk(node);
    await say(U);
    expect(await say('Cp c1 udp:127.0.0.1:9 ta;1')).toBe('30002 127.0.0.1');
    expect(node.sessions.ports.used).toBe(4);
    expect(await say('N c1 ta')).toBe('0');
    expect(node.sessions.ports.used).toBe(2);
    expect(await say('C c1 udp:nowhere:9 ta;1')).toBe('E65');
  });

  test('play prompts that are files of the host', async () => {
    const prompt = join(mkdtempSync(join(tmpdir(), 'prompt-')), 'hello');
    writeFileSync(`${prompt}.8`, '');
    const say = await talk(await startFake());
    await say('Uc0,8 c1 192.0.2.1 4000 ta;1');
    expect(await say(`P c1 ${prompt} session ta;1`)).toBe('0');
    expect(await say(`P c1 ${prompt} 0,97 ta;1`)).toBe('E60');
    expect(await say(`P c1 ${prompt} 8 ta;1`)).toBe('0');
    expect(await say('S c1 ta;1')).toBe('0');
    expect(await say('G nplrs_created nplrs_destroyed')).toBe('2 2');
  });

  test('show results of sub-commands that say something', async () => {
    const say = await talk(await startFake());
    expect(await say('U c1 192.0.2.1 1 ta;1 tb;1 && S ttl=9 && L 192.0.2.2 2 && S tos=8')).toBe(
      '30000 127.0.0.1 && 0 && 30002 127.0.0.1',
    );
    expect(await say('Q c1 ta;1 && S ttl=20 && D')).toBe('9 0 0 0 0');
    expect(await say('Q c1 ta;1')).toBe('E50');
    expect(await say('U c1 192.0.2.1 1 ta;1 tb;1 && C nosuch ta;1 tb;1')).toBe('30004 127.0.0.1 && -1');
    expect(await say('Ul[::1] c2 192.0.2.1 1 ta;1 && S ttl=9 && S tos=8')).toBe('30000 ::1 6 && 0 && -1');
  });
});

describe('releases', () => {
  test('2.1 ignores what it does not know', async () => {
    const say = await talk(await startFake({ version: '2.1' }));
    expect(await say('Ut30q c1 host.example 4000 ta;1 tcp:127.0.0.1:1 tag')).toBe('30000 127.0.0.1');
    expect(await say('N c1 ta')).toBe('E0');
    expect(await say('VF 20191015')).toBe('0');
    expect(await say('VF 20150617')).toBe('1');
    // `&&` is a word as any other.
    expect(await say('U c2 192.0.2.1 4000 ta;1 && S')).toBe('30002 127.0.0.1');
    expect(await say('U c2 192.0.2.1 4000 ta;1 tb;1 && L 192.0.2.1 5')).toBe('E1');
  });

  test('3.1 has sub-commands but no labels', async () => {
    const say = await talk(await startFake({ version: '3.1' }));
    expect(await say('Ut30 c1 192.0.2.1 4000 ta;1')).toBe('E35');
    expect(await say('Ul{pub} c1 192.0.2.1 4000 ta;1')).toBe('E15');
    expect(await say(`${U} && S ttl=30`)).toBe('E3');
    expect(await say(`${U} && D`)).toStartWith('30000 ');
    expect([await say('VF 20230424'), await say('VF 20250523')]).toEqual(['1', '0']);
  });
});

describe('time-outs', () => {
  test('do not come without being asked for', async () => {
    const clock = new FakeClock();
    const node = await startFake({ clock });
    const say = await talk(node);
    await say(U);
    await clock.advance(3_600_000);
    expect([node.size, clock.timers, await say('Q c1 ta;1')]).toEqual([1, 0, '60 0 0 0 0']);
  });

  test('are put off by U and L, not by Q, and a sub-command sets them', async () => {
    const clock = new FakeClock();
    const node = await startFake({ clock, mediaTimeoutSec: 10, setupTimeoutSec: 5 });
    const say = await talk(node);
    await say(U);
    await clock.advance(4000);
    expect(await say('Q c1 ta;1')).toBe('1 0 0 0 0');
    await say(L);
    expect(await say('Q c1 ta;1')).toBe('10 0 0 0 0');
    await clock.advance(8000);
    await say(U);
    await clock.advance(8000);
    expect(await say('Q c1 ta;1')).toBe('2 0 0 0 0');
    await say(`${U} && S ttl=3`);
    await clock.advance(3999);
    expect(node.size).toBe(1);
    await clock.advance(1001);
    expect([node.size, await say('G nsess_timeout nsess_destroyed')]).toEqual([0, '1 1']);
  });

  test('are told over a unix socket too, and to the sender of the command', async () => {
    const clock = new FakeClock();
    const path = join(mkdtempSync(join(tmpdir(), 'notify-')), 'n.sock');
    const told: string[] = [];
    let wake = (): void => undefined;
    const onConnection = (socket: Socket): unknown =>
      socket.on('data', (bytes: Buffer) => {
        told.push(bytes.toString('latin1'));
        wake();
      });
    const local = createServer(onConnection).listen(path);
    const remote = createServer(onConnection);
    await new Promise<void>((resolve) => remote.listen(0, '127.0.0.1', resolve));
    const bound = remote.address();
    const self = `tcp:%%CC_SELF%%:${typeof bound === 'object' ? bound?.port : 0}`;
    const node = await startFake({ clock, mediaTimeoutSec: 2, notify: [`unix:${path}`, self] });
    const say = await talk(node);
    await say(`U c1 192.0.2.1 4000 ta;1 ${path} one%0a+%e9`);
    await say(`U c2 192.0.2.1 4000 ta;1 ${self} two`);
    await say(`U c3 192.0.2.1 4000 ta;1 ${self} three`);
    // A later U without a socket takes it back.
    await say('U c3 192.0.2.1 4000 ta;1');
    await clock.advance(3000);
    while (told.length < 2)
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    expect([told.sort(), node.size]).toEqual([['one\n \xe9\n', 'two\n'], 0]);
    local.close();
    remote.close();
  });

  test('need a socket that can be', () => {
    const names = [
      'tcp:127.0.0.1:9',
      'tcp:%%CC_SELF%%:9',
      'unix:/run/x',
      'tcp:127.0.0.1:0',
      'udp:127.0.0.1:9',
      'x',
    ];
    expect(names.map(isNotifySocket)).toEqual([true, true, true, false, false, false]);
  });
});

describe('faults of the fake rtpproxy', () => {
  test.each([['E72'], ['E99']])('refuse %s meets new sessions only', async (refuse) => {
    const node = await startFake();
    const say = await talk(node);
    await say(U);
    node.setFaults({ refuse });
    expect(await say('U c2 192.0.2.1 4000 ta;1')).toBe(refuse);
    expect(await say(U)).toBe('30000 127.0.0.1');
    expect(await say(L)).toBe('30002 127.0.0.1');
    node.setFaults({ refuse: '' });
    expect(await say('U c2 192.0.2.1 4000 ta;1')).toBe('30004 127.0.0.1');
  });

  test('a limit of sessions refuses further ones as a lack of ports does', async () => {
    const node = await startFake({ maxSessions: 1 });
    const say = await talk(node);
    expect(await say(U)).toBe('30000 127.0.0.1');
    expect(await say('U c1 192.0.2.1 4000 ta;2')).toBe('E72');
    node.setMaxSessions(-1);
    expect(await say('U c1 192.0.2.1 4000 ta;2')).toBe('30002 127.0.0.1');
  });

  test('a wrong address and a wrong port show in place of the right ones', async () => {
    const node = await startFake({ faults: { wrongAddress: '2001:db8::1' } });
    const say = await talk(node);
    expect(await say(U)).toBe('30000 2001:db8::1 6');
    node.setFaults({ wrongAddress: '192.0.2.66', wrongPort: 9 });
    expect(await say(U)).toBe('9 192.0.2.66');
    node.setFaults({ wrongAddress: '' });
    expect(await say(U)).toBe('9 127.0.0.1');
  });

  test('garbage keeps the cookie of a datagram and cannot be read', async () => {
    const node = await startFake({ faults: { garbage: 1 } });
    const client = await clientOf(node);
    for (let i = 0; i < 8; i++) expect(await client.exchange(`g${i} V`)).toMatch(/^g\d (4300 \xff\?)?\n$/);
  });

  test('a hang is silence; an order ends it and tells what holds', async () => {
    const node = await startFake();
    const say = await talk(node);
    const before = await say('FAKE hang; loss 1; refuse E72');
    expect(before).toBe(
      'loss=1 delay=0 duplicate=0 garbage=0 refuse=E72 wrong-address= wrong-port=0 max-sessions=-1 sessions=0 used-ports=0',
    );
    const client = await clientOf(node);
    // Nothing comes back for V: the first reply is that to the order after it.
    client.socket.send('h1 V');
    expect(await client.exchange('h2 fake hang 0; loss 0; refuse')).toStartWith('h2 loss=0 ');
    expect(node.counters.dropped).toBe(1);
    expect(await client.exchange('h3 V')).toBe('h3 20040107\n');
  });

  test('death refuses at once, on streams too; then the sessions are still there', async () => {
    const clock = new FakeClock();
    const node = await startFake({
      clock,
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 0 },
        { transport: 'tcp', host: '127.0.0.1', port: 0 },
      ],
    });
    const [udp, tcp] = node.listen;
    if (udp === undefined || tcp === undefined || 'path' in tcp) throw new Error('sockets are missing');
    const say = await talk(node);
    await say(U);
    expect(await say('FAKE die 1s')).toContain('sessions=1');
    const client = StreamClient.open(tcp);
    await clock.advance(4);
    expect(node.isAlive).toBe(false);
    await client.closed();
    const refused = StreamClient.open(tcp);
    await refused.closed();
    while (!node.isAlive) await clock.advance(200);
    expect(node.listen).toEqual([udp, tcp]);
    const later = await talk(node);
    expect(await later('Q c1 ta;1')).toBe('60 0 0 0 0');
  });

  test('a restart forgets sessions, cookies and counters, and ports begin anew', async () => {
    const node = await startFake();
    const client = await clientOf(node);
    await client.exchange(`r1 ${U}`);
    expect(await client.exchange('r2 FAKE restart')).toContain('sessions=0 used-ports=0');
    expect(await client.exchange('r1 V')).toBe('r1 20040107\n');
    expect(await client.exchange('r3 G nsess_created')).toBe('r3 0\n');
    expect(await client.exchange(`r4 ${U}`)).toBe('r4 30000 127.0.0.1\n');
  });

  test('a hang holds the commands on a stream, and they are done when it ends', async () => {
    const clock = new FakeClock();
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] as const;
    const node = await startFake({ clock, listen });
    const [place] = node.listen;
    if (place === undefined || 'path' in place) throw new Error('no TCP socket');
    const client = StreamClient.open(place);
    node.hang(100);
    client.socket.write(`${U}\nV\n`);
    while (node.counters.received < 2) await clock.advance(0);
    await clock.advance(90);
    expect([node.size, node.counters.replied, node.counters.dropped]).toEqual([0, 0, 0]);
    await clock.advance(20);
    expect(await client.read('30000 127.0.0.1\n20040107\n'.length)).toBe('30000 127.0.0.1\n20040107\n');
    expect(node.size).toBe(1);
    client.socket.destroy();
  });

  test('a delay holds the replies on a stream, in their order', async () => {
    const clock = new FakeClock();
    const listen = [{ transport: 'tcp', host: '127.0.0.1', port: 0 }] as const;
    const node = await startFake({ clock, listen, faults: { delayMs: 50 } });
    const [place] = node.listen;
    if (place === undefined || 'path' in place) throw new Error('no TCP socket');
    const client = StreamClient.open(place);
    client.socket.write(`${U}\nV\n`);
    while (node.counters.received < 2) await clock.advance(0);
    expect([node.size, node.counters.replied]).toEqual([1, 0]);
    await clock.advance(60);
    expect(await client.read('30000 127.0.0.1\n20040107\n'.length)).toBe('30000 127.0.0.1\n20040107\n');
    client.socket.destroy();
  });

  test.each([
    ['loss 2', 'loss is "2"; allowed is a share from 0 to 1'],
    ['refuse busy', 'refuse is "busy"; allowed is a code such as E72 or E99'],
    ['wrong-port 70000', 'wrong-port is "70000"; allowed is a port'],
    ['hang 1s; los 1', 'there is no fault "los"; allowed are loss,'],
  ])('an order that makes no sense changes nothing and says what is allowed: %s', async (text, wanted) => {
    const node = await startFake();
    expect(parseOrderText(text, 'rtpproxy')).toContain(wanted);
    const say = await talk(node);
    expect(await say(`FAKE ${text}`)).toStartWith(`E5 ${wanted}`);
    expect(await say('V')).toBe('20040107');
  });

  test('an rtpengine knows no wrong port', () => {
    expect(parseFault('wrong-port', '5', 'rtpengine')).toContain('there is no fault "wrong-port"');
    expect(parseFault('refuse', 'busy', 'rtpengine')).toEqual({ faults: { refuse: 'busy' } });
  });
});

describe('sockets', () => {
  test('share sessions and cookies', async () => {
    const node = await startFake({
      listen: [
        { transport: 'udp', host: '127.0.0.1', port: 0 },
        { transport: 'udp', host: '::1', port: 0 },
      ],
    });
    const [, six] = node.listen;
    if (six === undefined || 'path' in six) throw new Error('no second socket');
    const client = await clientOf(node);
    expect(await client.exchange(`s1 ${U}`)).toBe('s1 30000 127.0.0.1\n');
    const other = await UdpClient.open(six);
    expect(await other.exchange('s1 V')).toBe('s1 30000 127.0.0.1\n');
    expect(await other.exchange(`s2 ${L}`)).toBe('s2 30002 127.0.0.1\n');
    other.close();
  });

  test('that cannot be opened leave none open', async () => {
    const node = await startFake();
    const [taken] = node.listen;
    const path = join(mkdtempSync(join(tmpdir(), 'sock-')), 'x.sock');
    if (taken === undefined) throw new Error('no socket');
    const start = FakeRtpproxy.start({ listen: [{ transport: 'unix', path }, taken] });
    expect(start).rejects.toThrow();
    await start.catch(() => undefined);
    expect(existsSync(path)).toBe(false);
  });

  test('replace no file that is not a socket', async () => {
    const path = join(mkdtempSync(join(tmpdir(), 'sock-')), 'x.txt');
    writeFileSync(path, 'mine');
    const start = FakeRtpproxy.start({ listen: [{ transport: 'unix', path }] });
    expect(start).rejects.toThrow();
    await start.catch(() => undefined);
    expect(existsSync(path)).toBe(true);
  });
});

describe('the memory of replies', () => {
  test('is of cookies alone, for 35 to 36 s', async () => {
    const clock = new FakeClock();
    const node = await startFake({ clock });
    const client = await clientOf(node);
    expect(await client.exchange('m1 VF 20050322')).toBe('m1 1\n');
    await clock.advance(34_999);
    expect(await client.exchange('m1 V')).toBe('m1 1\n');
    await clock.advance(1001);
    expect(await client.exchange('m1 V')).toBe('m1 20040107\n');
    expect(node.counters).toMatchObject({ handled: 2, repeated: 1 });
  });
});
