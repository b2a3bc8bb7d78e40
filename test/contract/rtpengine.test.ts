/** The appliance in front of real rtpengines: the address every SDP shows, failures, and what is left afterwards. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { parseSocket } from '../../src/domain/node.ts';
import { createNgDriver } from '../../src/relay/ng/driver.ts';
import { systemClock } from '../../src/util/clock.ts';
import { type Appliance, settled, startAppliance } from '../lab/appliance.ts';
import { Gateway } from '../lab/gateway.ts';
import { converse, Phone } from '../lab/phone.ts';
import { freeUdpPort, loopbackNetwork } from '../lab/ports.ts';
import { poll, sweep } from '../lab/processes.ts';
import { type AutoReply, SipProxy } from '../lab/proxy.ts';
import { callsOnRelay, expectEmpty } from '../lab/relays.ts';
import { mustBe, type Rtpengine, startRtpengine, whyNoRtpengine } from '../lab/rtpengine.ts';
import { audioOf, buildSdp, readSdp, type SdpOptions } from '../lab/sdp.ts';

const reason = whyNoRtpengine();
if (reason !== undefined) console.warn(`SKIP test/contract/rtpengine: ${reason}`);

const PACKETS = 50;
/** A network that counts as inside, and an address in it. */
const INSIDE_NET = '10.99.0.0/16';
const INSIDE = '10.99.0.7';
/** The product's own time budget for one request (setting media.budget_ms), and what this machine may add. */
const BUDGET_MS = 900;
const SLACK_MS = 400;

type Side = 'inner' | 'outer';
type Way = 'out' | 'in';

interface Relay {
  readonly id: number;
  readonly socket: string;
  readonly inner: string;
  readonly outer: string;
  readonly process: Rtpengine;
}

const inside = loopbackNetwork();
const outside = loopbackNetwork();

/** Both ends of a call as SIP messages; tags and CSeq are kept here. */
class SipCall {
  readonly id = `contract-${crypto.randomUUID()}@example.net`;
  readonly #proxy: SipProxy;
  readonly #way: Way;
  readonly #set: number;
  #cseq = 100;

  constructor(proxy: SipProxy, way: Way, set = 0) {
    this.#proxy = proxy;
    this.#way = way;
    this.#set = set;
  }

  side(party: 'caller' | 'callee'): Side {
    return (party === 'caller') === (this.#way === 'out') ? 'inner' : 'outer';
  }

  /** The phone of a party as its own SDP shows it: never an address of a relay. */
  sdp(party: 'caller' | 'callee', options: Partial<SdpOptions> = {}): string {
    const [address, port] =
      party === 'caller' ? (['192.0.2.10', 4000] as const) : (['203.0.113.20', 5000] as const);

    return buildSdp({ address, port, ...options });
  }

  /** The INVITE that begins the call. */
  invite(body: string | undefined = this.sdp('caller'), branch?: string): Promise<AutoReply> {
    return this.#proxy.auto(this.id, {
      method: 'INVITE',
      fromTag: 'caller',
      cseq: 1,
      dir: this.#way,
      set: this.#set,
      ...(body === undefined || body === '' ? {} : { body }),
      ...(branch === undefined ? {} : { branch }),
    });
  }

  /** A reply to that INVITE. */
  reply(
    status: number,
    body?: string,
    { tag = 'callee', branch }: { tag?: string; branch?: string } = {},
  ): Promise<AutoReply> {
    return this.#proxy.auto(this.id, {
      method: 'INVITE',
      status,
      fromTag: 'caller',
      toTag: tag,
      cseq: 1,
      ...(body === undefined ? {} : { body }),
      ...(branch === undefined ? {} : { branch }),
    });
  }

  /** A request in the dialog, and the reply to it. */
  async exchange(
    party: 'caller' | 'callee',
    method: string,
    body: string,
    replyBody: string,
  ): Promise<{ request: AutoReply; reply: AutoReply }> {
    const cseq = this.#cseq++;
    const [fromTag, toTag] = party === 'caller' ? ['caller', 'callee'] : ['callee', 'caller'];
    const common = { method, fromTag: fromTag ?? '', toTag: toTag ?? '', cseq };
    const request = await this.#proxy.auto(this.id, { ...common, body });

    return { request, reply: await this.#proxy.auto(this.id, { ...common, status: 200, body: replyBody }) };
  }

  request(
    party: 'caller' | 'callee',
    method: string,
    body?: string,
    cseq = this.#cseq++,
  ): Promise<AutoReply> {
    return this.#proxy.auto(this.id, {
      method,
      fromTag: party,
      toTag: party === 'caller' ? 'callee' : 'caller',
      cseq,
      ...(body === undefined ? {} : { body }),
    });
  }

  bye(party: 'caller' | 'callee' = 'caller'): Promise<AutoReply> {
    return this.request(party, 'BYE');
  }

  end(why: string): Promise<AutoReply> {
    return this.#proxy.auto(this.id, { method: 'INVITE', fromTag: 'caller', cseq: 1, end: why });
  }
}

/** A body came back, and every address in it is this one. */
function expectOnly(reply: AutoReply, address: string): string {
  expect(`${reply.status} ${reply.status === 200 ? '' : reply.body}`).toBe('200 ');
  const { addresses } = readSdp(reply.body);
  expect(addresses.length).toBeGreaterThanOrEqual(2);
  expect([...new Set(addresses)]).toEqual([address]);

  return reply.body;
}

describe.skipIf(reason !== undefined)('the appliance with real rtpengines', () => {
  let appliance: Appliance;
  let proxy: SipProxy;
  const relays: Relay[] = [];
  let hosts = 10;

  /** Starts an rtpengine and adds it to a set. */
  async function addRelay(
    set: number,
    {
      ports = 400,
      extra = [],
      swapped = false,
    }: { ports?: number; extra?: string[]; swapped?: boolean } = {},
  ): Promise<Relay> {
    const host = ++hosts;
    const address = inside(host);
    const ngPort = await freeUdpPort(address);
    const process = await startRtpengine({
      ngAddress: address,
      ngPort,
      address,
      portMin: 30_000,
      portMax: 30_000 + ports - 1,
      extra,
    });
    const relay = {
      id: host,
      socket: `udp:${address}:${ngPort}`,
      inner: address,
      outer: outside(host),
      process,
    };
    relays.push(relay);
    await appliance.api('POST', '/v1/nodes', {
      id: relay.id,
      socket: relay.socket,
      set_id: set,
      inner_media_ip: swapped ? relay.outer : relay.inner,
      out_media_ip: swapped ? relay.inner : relay.outer,
    });
    await settled(appliance, relay.id);

    return relay;
  }

  async function relayOf(callId: string): Promise<Relay> {
    const call = (await appliance.api('GET', `/v1/calls/${encodeURIComponent(callId)}`)) as {
      node_id: number;
    };
    const relay = relays.find(({ id }) => id === call.node_id);
    if (relay === undefined) throw new Error(`call ${callId} is on node ${call.node_id}`);

    return relay;
  }

  /** Offer and answer of a new call, both checked. */
  async function setUp(call: SipCall, options: Partial<SdpOptions> = {}): Promise<Relay> {
    const offered = await call.invite(call.sdp('caller', options));
    expect(offered.body.startsWith('v=0') ? '' : offered.body).toBe('');
    const relay = await relayOf(call.id);
    expectOnly(offered, relay[call.side('callee')]);
    expectOnly(await call.reply(200, call.sdp('callee', options)), relay[call.side('caller')]);

    return relay;
  }

  beforeAll(async () => {
    appliance = await startAppliance({ flags: ['--sides-inner-networks', INSIDE_NET] });
    proxy = new SipProxy(appliance.url);
    await addRelay(0);
    await addRelay(0);
  }, 60_000);

  afterAll(async () => {
    await appliance?.stop();
    for (const { process } of relays) await process.stop();
    sweep();
  });

  const main = () => relays.slice(0, 2).map(({ socket }) => socket);

  for (const way of ['out', 'in'] as const) {
    test(`${way}: offer, 183, 200, re-INVITE of either side, BYE`, async () => {
      const call = new SipCall(proxy, way);
      const toCallee = await call.invite();
      const relay = await relayOf(call.id);
      const [callerSees, calleeSees] = [relay[call.side('caller')], relay[call.side('callee')]];
      expectOnly(toCallee, calleeSees);
      const early = expectOnly(await call.reply(183, call.sdp('callee')), callerSees);
      const final = expectOnly(await call.reply(200, call.sdp('callee')), callerSees);
      expect(audioOf(final)).toEqual(audioOf(early));
      expect((await call.request('caller', 'ACK', undefined, 1)).status).toBe(204);

      const byCaller = await call.exchange(
        'caller',
        'INVITE',
        call.sdp('caller', { version: 2 }),
        call.sdp('callee'),
      );
      expectOnly(byCaller.request, calleeSees);
      expectOnly(byCaller.reply, callerSees);
      const byCallee = await call.exchange(
        'callee',
        'INVITE',
        call.sdp('callee', { version: 2 }),
        call.sdp('caller'),
      );
      expectOnly(byCallee.request, callerSees);
      expectOnly(byCallee.reply, calleeSees);
      expect(await callsOnRelay(relay.socket)).toEqual([call.id]);

      expect((await call.bye('callee')).status).toBe(204);
      await expectEmpty(main());
    });

    test(`${way}: hold by sendonly and by 0.0.0.0, and back`, async () => {
      const call = new SipCall(proxy, way);
      const relay = await setUp(call);
      const [callerSees, calleeSees] = [relay[call.side('caller')], relay[call.side('callee')]];

      const modern = await call.exchange(
        'caller',
        'INVITE',
        call.sdp('caller', { mode: 'sendonly', version: 2 }),
        call.sdp('callee', { mode: 'recvonly' }),
      );
      expect(audioOf(expectOnly(modern.request, calleeSees)).mode).toBe('sendonly');
      expect(audioOf(expectOnly(modern.reply, callerSees)).mode).toBe('recvonly');

      const old = await call.exchange(
        'callee',
        'INVITE',
        call.sdp('callee', { connection: '0.0.0.0', version: 3 }),
        call.sdp('caller'),
      );
      expect(old.request.status).toBe(200);
      const held = readSdp(old.request.body);
      expect(held.streams[0]?.address).toBe('0.0.0.0');
      expect(held.origin).toBe(callerSees);
      expect(held.addresses.filter((address) => address !== '0.0.0.0' && address !== callerSees)).toEqual([]);
      expectOnly(old.reply, calleeSees);

      const back = await call.exchange(
        'callee',
        'INVITE',
        call.sdp('callee', { version: 4 }),
        call.sdp('caller'),
      );
      expectOnly(back.request, callerSees);
      expectOnly(back.reply, calleeSees);
      await call.bye();
      await expectEmpty(main());
    });

    test(`${way}: delayed offer`, async () => {
      const call = new SipCall(proxy, way);
      expect((await call.invite('')).status).toBe(204);
      const offered = await call.reply(200, call.sdp('callee'));
      const relay = await relayOf(call.id);
      expectOnly(offered, relay[call.side('caller')]);
      const answered = await call.request('caller', 'ACK', call.sdp('caller'), 1);
      expectOnly(answered, relay[call.side('callee')]);
      await call.bye();
      await expectEmpty(main());
    });

    test(`${way}: ICE candidates are the relay's, on the reader's side`, async () => {
      const call = new SipCall(proxy, way);
      const offered = await call.invite(call.sdp('caller', { ice: true }));
      const relay = await relayOf(call.id);
      const sdp = expectOnly(offered, relay[call.side('callee')]);
      expect(readSdp(sdp).candidates.length).toBeGreaterThan(0);
      const answer = expectOnly(
        await call.reply(200, call.sdp('callee', { ice: true })),
        relay[call.side('caller')],
      );
      expect(readSdp(answer).candidates.length).toBeGreaterThan(0);
      await call.bye();
      await expectEmpty(main());
    });

    test(`${way}: RTP flows both ways through the relay`, async () => {
      const gateway = new Gateway(new Map(relays.map(({ outer, inner }) => [outer, inner])), outside(254));
      const call = new SipCall(proxy, way);
      const inner = await Phone.open({
        call: call.id,
        side: 'inner',
        partner: 'outer',
        address: inside(201),
        reaches: (address) => relays.some((relay) => relay.inner === address),
      });
      const outer = await Phone.open({
        call: call.id,
        side: 'outer',
        partner: 'inner',
        address: outside(201),
        reaches: gateway.reaches,
      });
      try {
        const shown = { inner: inner.local, outer: await gateway.admit(outer.local) };
        const told = { inner: inner.local, outer: outer.local };
        const [caller, callee] = [call.side('caller'), call.side('callee')];
        told[callee] = audioOf((await call.invite(buildSdp(shown[caller]))).body);
        told[caller] = audioOf((await call.reply(200, buildSdp(shown[callee]))).body);
        inner.pointAt(told.inner);
        outer.pointAt(told.outer);
        await gateway.open(told.outer);
        await converse(inner, outer, PACKETS);
        for (const phone of [inner, outer]) {
          expect({ sent: phone.sent, ...phone.heard }).toEqual({
            sent: PACKETS,
            partner: PACKETS,
            echo: 0,
            foreign: 0,
            elsewhere: 0,
          });
        }
        await call.bye();
        await expectEmpty(main());
      } finally {
        inner.close();
        outer.close();
        gateway.close();
      }
    });
  }

  test('PRACK and UPDATE', async () => {
    const call = new SipCall(proxy, 'out');
    const toCallee = await call.invite();
    const relay = await relayOf(call.id);
    expectOnly(toCallee, relay.outer);
    expectOnly(await call.reply(183, call.sdp('callee')), relay.inner);
    expect((await call.request('caller', 'PRACK')).status).toBe(204);
    const byCaller = await call.exchange(
      'caller',
      'UPDATE',
      call.sdp('caller', { version: 2 }),
      call.sdp('callee'),
    );
    expectOnly(byCaller.request, relay.outer);
    expectOnly(byCaller.reply, relay.inner);
    const byCallee = await call.exchange(
      'callee',
      'UPDATE',
      call.sdp('callee', { version: 2 }),
      call.sdp('caller'),
    );
    expectOnly(byCallee.request, relay.inner);
    expectOnly(byCallee.reply, relay.outer);
    expect((await call.reply(200)).status).toBe(204);
    await call.bye();
    await expectEmpty(main());
  });

  test('a delayed offer in a reliable 183, answered in the PRACK', async () => {
    const call = new SipCall(proxy, 'out');
    expect((await call.invite('')).status).toBe(204);
    const offered = await call.reply(183, call.sdp('callee'));
    const relay = await relayOf(call.id);
    expectOnly(offered, relay.inner);
    expectOnly(await call.request('caller', 'PRACK', call.sdp('caller')), relay.outer);
    await call.bye();
    await expectEmpty(main());
  });

  test('forks without branch: two ring, one answers, the other is refused', async () => {
    const call = new SipCall(proxy, 'out');
    const toCallees = await call.invite();
    const relay = await relayOf(call.id);
    expectOnly(toCallees, relay.outer);
    expectOnly(await call.reply(183, call.sdp('callee'), { tag: 'fork-a' }), relay.inner);
    expectOnly(await call.reply(183, call.sdp('callee', { port: 5100 }), { tag: 'callee' }), relay.inner);
    expectOnly(await call.reply(200, call.sdp('callee', { port: 5100 }), { tag: 'callee' }), relay.inner);
    expect((await call.reply(487, undefined, { tag: 'fork-a' })).status).toBe(204);
    expect(await callsOnRelay(relay.socket)).toEqual([call.id]);
    const again = await call.exchange(
      'callee',
      'INVITE',
      call.sdp('callee', { version: 2 }),
      call.sdp('caller'),
    );
    expectOnly(again.request, relay.inner);
    expectOnly(again.reply, relay.outer);
    await call.bye();
    await expectEmpty(main());
  });

  test('forks with branch: an offer for each, one is refused, the other lives', async () => {
    const call = new SipCall(proxy, 'out');
    const first = await call.invite(call.sdp('caller'), 'b0');
    const relay = await relayOf(call.id);
    const second = await call.invite(call.sdp('caller'), 'b1');
    const ports = [first, second].map((reply) => audioOf(expectOnly(reply, relay.outer)).port);
    expect(ports[0]).not.toBe(ports[1]);
    expectOnly(await call.reply(183, call.sdp('callee'), { tag: 'fork-a', branch: 'b0' }), relay.inner);
    expectOnly(await call.reply(183, call.sdp('callee', { port: 5100 }), { branch: 'b1' }), relay.inner);
    expect((await call.reply(486, undefined, { tag: 'fork-a', branch: 'b0' })).status).toBe(204);
    expectOnly(await call.reply(200, call.sdp('callee', { port: 5100 }), { branch: 'b1' }), relay.inner);
    expect(await callsOnRelay(relay.socket)).toEqual([call.id]);
    await call.bye();
    await expectEmpty(main());
  });

  test('end= tears down without a BYE; the second time it is a harmless 404', async () => {
    const call = new SipCall(proxy, 'out');
    await setUp(call);
    expect((await call.end('487')).status).toBe(204);
    await expectEmpty(main());
    expect((await call.end('487')).status).toBe(404);
  });

  test('multipart: only the SDP part changes', async () => {
    const call = new SipCall(proxy, 'out');
    const isup = 'Content-Type: application/ISUP\r\nContent-Disposition: signal\r\n\r\n\x01\x02raw';
    const sdp = call.sdp('caller');
    const body = `--frontier\r\nContent-Type: application/sdp\r\nContent-ID: <s1>\r\n\r\n${sdp}\r\n--frontier\r\n${isup}\r\n--frontier--\r\n`;
    const reply = await proxy.auto(call.id, {
      method: 'INVITE',
      fromTag: 'caller',
      cseq: 1,
      dir: 'out',
      body,
      // As OpenSIPS cuts it.
      contentType: 'multipart/mixed;boundary=fron',
    });
    expect(reply.status).toBe(200);
    const relay = await relayOf(call.id);
    expect(reply.body).toStartWith(
      '--frontier\r\nContent-Type: application/sdp\r\nContent-ID: <s1>\r\n\r\nv=0',
    );
    expect(reply.body).toEndWith(`--frontier\r\n${isup}\r\n--frontier--\r\n`);
    expect([...new Set(readSdp(reply.body).addresses)]).toEqual([relay.outer]);
    await call.end('test');
    await expectEmpty(main());
  });

  test('a call the cluster does not know is found on its node', async () => {
    const call = new SipCall(proxy, 'out');
    const [, relay] = relays;
    const socket = parseSocket(relay?.socket ?? '');
    if (relay === undefined || socket?.transport !== 'udp') throw new Error('no relay');
    const driver = createNgDriver(socket, systemClock);
    const common = { callId: call.id, fromTag: 'caller', family: 'IP4', extra: {} } as const;
    const deadline = () => systemClock.monotonic() + 2000;
    mustBe(
      await driver.offer(
        { ...common, sdp: call.sdp('caller'), address: relay.outer, isNew: true },
        deadline(),
      ),
    );
    mustBe(
      await driver.answer(
        { ...common, toTag: 'callee', sdp: call.sdp('callee'), address: relay.inner, isNew: false },
        deadline(),
      ),
    );
    driver.close();
    const message = {
      method: 'INVITE',
      fromTag: 'caller',
      toTag: 'callee',
      cseq: 7,
      dir: 'out',
      body: call.sdp('caller', { version: 2 }),
    };
    // Either party may have called, so the direction of the call does not tell who sends this.
    const unclear = await proxy.auto(call.id, message);
    expect([unclear.status, unclear.body.split(' ')[0]]).toEqual([400, 'RTPC_DIRECTION_UNKNOWN']);
    // Where the message came from does.
    expectOnly(await proxy.auto(call.id, { ...message, src: INSIDE }), relay.outer);
    expect((await relayOf(call.id)).id).toBe(relay.id);
    await call.bye();
    await expectEmpty(main());
  });

  for (const [what, set, options, isRefused] of [
    // Seen in its figures: it is not even asked.
    ['ports exhausted', 1, { ports: 8 }, false],
    ['max-sessions', 2, { extra: ['--max-sessions=1'] }, true],
  ] as const) {
    test(`${what}: the next node takes the call`, async () => {
      const full = await addRelay(set, { ...options, extra: [...('extra' in options ? options.extra : [])] });
      const roomy = await addRelay(set);
      const calls = Array.from({ length: 24 }, () => new SipCall(proxy, 'out', set));
      for (const call of calls) await setUp(call);
      expect((await callsOnRelay(full.socket)).length).toBeGreaterThan(0);
      const refusals = appliance
        .logs()
        .filter(
          (line) => line.event === 'media.try_failed' && line.node === full.id && line.cause === 'refused',
        );
      expect(refusals.length > 0).toBe(isRefused);
      for (const call of calls) expect((await call.bye()).status).toBe(204);
      await expectEmpty([full.socket, roomy.socket]);
    });
  }

  test('a killed relay, then a stopped one: the next node takes the call within the time budget', async () => {
    const killed = await addRelay(3);
    const stopped = await addRelay(3);
    const healthy = await addRelay(3);
    await killed.process.stop();
    const refused = Array.from({ length: 40 }, () => new SipCall(proxy, 'out', 3));
    for (const call of refused) {
      const reply = await call.invite();
      expect(reply.status).toBe(200);
      // ECONNREFUSED counts at once, not after a time-out.
      expect(reply.tookMs).toBeLessThan(250);
    }
    const tries = (node: number, cause: string) =>
      appliance
        .logs()
        .filter((line) => line.event === 'media.try_failed' && line.node === node && line.cause === cause)
        .length;
    // By the first call for it, or by a check that came before.
    expect(appliance.logs().some((line) => line.event === 'node.down' && line.node === killed.id)).toBe(true);
    for (const call of refused) await call.end('test');

    process.kill(stopped.process.pid, 'SIGSTOP');
    const silent = Array.from({ length: 12 }, () => new SipCall(proxy, 'in', 3));
    const replies = await Promise.all(silent.map((call) => call.invite()));
    for (const [index, reply] of replies.entries()) {
      expect(reply.tookMs).toBeLessThan(BUDGET_MS + SLACK_MS);
      expect(`${reply.status} ${reply.status === 200 ? '' : reply.body}`).toBe('200 ');
      expect((await relayOf(silent[index]?.id ?? '')).id).toBe(healthy.id);
      expectOnly(reply, healthy.inner);
    }
    expect(tries(stopped.id, 'silent')).toBeGreaterThan(0);
    for (const call of silent) await call.end('test');
    await expectEmpty([healthy.socket]);

    // What the stopped one still took in is deleted when it answers again.
    process.kill(stopped.process.pid, 'SIGCONT');
    await poll(
      async () => ((await callsOnRelay(stopped.socket)).length === 0 ? true : undefined),
      () => 'calls are left on the relay that was stopped',
      15_000,
    );
  }, 40_000);

  test('impose mode interface: two logical interfaces, RTP both ways', async () => {
    const [priv, pub] = [inside(99), outside(99)];
    const ngPort = await freeUdpPort(priv);
    const engine = await startRtpengine({
      ngAddress: priv,
      ngPort,
      address: `priv/${priv}`,
      portMin: 30_000,
      portMax: 30_399,
      extra: [`--interface=pub/${pub}`],
    });
    const socket = `udp:${priv}:${ngPort}`;
    relays.push({ id: 99, socket, inner: priv, outer: pub, process: engine });
    await appliance.api('POST', '/v1/nodes', {
      id: 99,
      socket,
      set_id: 4,
      impose_mode: 'interface',
      media_addresses: [
        { side: 'inner', address: priv, interface: 'priv' },
        { side: 'outer', address: pub, interface: 'pub' },
      ],
    });
    for (const way of ['out', 'in'] as const) {
      const call = new SipCall(proxy, way, 4);
      const phones = {
        inner: await Phone.open({
          call: call.id,
          side: 'inner',
          partner: 'outer',
          address: inside(202),
          reaches: (address) => address === priv,
        }),
        outer: await Phone.open({
          call: call.id,
          side: 'outer',
          partner: 'inner',
          address: outside(202),
          reaches: (address) => address === pub,
        }),
      };
      const [caller, callee] = [phones[call.side('caller')], phones[call.side('callee')]];
      const toCallee = expectOnly(
        await call.invite(buildSdp(caller.local)),
        call.side('callee') === 'inner' ? priv : pub,
      );
      const toCaller = expectOnly(
        await call.reply(200, buildSdp(callee.local)),
        call.side('caller') === 'inner' ? priv : pub,
      );
      callee.pointAt(audioOf(toCallee));
      caller.pointAt(audioOf(toCaller));
      await converse(caller, callee, PACKETS);
      expect(caller.heard).toEqual({ partner: PACKETS, echo: 0, foreign: 0, elsewhere: 0 });
      expect(callee.heard).toEqual({ partner: PACKETS, echo: 0, foreign: 0, elsewhere: 0 });
      const again = await call.exchange(
        'callee',
        'INVITE',
        buildSdp({ ...callee.local, version: 2 }),
        buildSdp(caller.local),
      );
      expectOnly(again.request, call.side('caller') === 'inner' ? priv : pub);
      expectOnly(again.reply, call.side('callee') === 'inner' ? priv : pub);
      await call.bye();
      caller.close();
      callee.close();
    }
    await expectEmpty([socket]);
  });

  test('this lab can fail: with the two addresses swapped nobody hears anything', async () => {
    const relay = await addRelay(5, { swapped: true });
    const gateway = new Gateway(new Map([[relay.outer, relay.inner]]), outside(253));
    const call = new SipCall(proxy, 'out', 5);
    const inner = await Phone.open({
      call: call.id,
      side: 'inner',
      partner: 'outer',
      address: inside(203),
      reaches: (address) => address === relay.inner,
    });
    const outer = await Phone.open({
      call: call.id,
      side: 'outer',
      partner: 'inner',
      address: outside(203),
      reaches: gateway.reaches,
    });
    const toOuter = audioOf((await call.invite(buildSdp(inner.local))).body);
    const toInner = audioOf((await call.reply(200, buildSdp(await gateway.admit(outer.local)))).body);
    expect([toOuter.address, toInner.address]).toEqual([relay.inner, relay.outer]);
    outer.pointAt(toOuter);
    inner.pointAt(toInner);
    await gateway.open(toOuter);
    await Promise.all([inner.talk(5), outer.talk(5)]);
    expect([inner.sent, outer.sent, inner.heard.partner, outer.heard.partner]).toEqual([0, 0, 0, 0]);
    await call.bye();
    inner.close();
    outer.close();
    gateway.close();
    await expectEmpty([relay.socket]);
  });
});
