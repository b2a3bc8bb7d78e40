/** What every relay driver and its monitor must do, whatever the relay behind them is, and whether it is a real one. */

import { describe, expect } from 'bun:test';
import { mustBe } from '../lab/rtpengine.ts';
import { readSdp } from '../lab/sdp.ts';
import { describeMedia } from './driver-media.ts';
import { describeMonitor } from './driver-monitor.ts';
import { describeTroubles } from './driver-troubles.ts';
import {
  ALICE,
  BOB,
  type Call,
  expectSessions,
  type Party,
  portAt,
  portsAt,
  type Stage,
  scenesOn,
  soon,
  two,
} from './stage.ts';

/** Runs all tests on relays of a kind. */
export function describeDriver(name: string, stage: Stage): void {
  describe(`driver of ${name}`, () => {
    describeCalls(stage);
    describeEnds(stage);
    describeTroubles(stage);
    describeMonitor(stage);
    if (stage.hasMedia) describeMedia(stage);
  });
}

/** Runs those tests that a different control socket may spoil. */
export function describeTransport(name: string, stage: Stage): void {
  describe(`driver of ${name}`, () => {
    describeEnds(stage);
    describeTroubles(stage);
  });
}

function describeCalls(stage: Stage): void {
  const scene = scenesOn(stage);
  const streams = (count: number): number => (stage.sessions === 'calls' ? 1 : count);

  scene(
    'shows either party a port at the address it must see, and keeps all other bytes',
    async (relay, call) => {
      const offered = mustBe(await call.begin(ALICE, BOB));
      const answered = mustBe(await call.answer(ALICE, BOB));
      for (const [reply, { relay: address }] of [
        [offered, BOB],
        [answered, ALICE],
      ] as const) {
        const port = portAt(address, reply);
        expect(port % 2).toBe(0);
        expect(reply.sdp).toContain('\r\na=odd:\xff\r\n');
        expect(reply.sessions).toBe(1);
        expect(reply.isRenewed ?? false).toBe(false);
      }
      expect(offered.sdp).not.toContain(`c=IN IP4 ${ALICE.address}`);
      expect(answered.sdp).not.toContain(`c=IN IP4 ${BOB.address}`);
      await expectSessions(relay, 1);
    },
  );

  scene('gives two streams ports of their own', async (relay, call) => {
    const [answered, offered] = await call.connect(two(ALICE), two(BOB));
    for (const ports of [portsAt(ALICE.relay, answered), portsAt(BOB.relay, offered)]) {
      expect(ports).toHaveLength(2);
      expect(ports).not.toContain(0);
      expect(new Set(ports).size).toBe(2);
    }
    await expectSessions(relay, streams(2));
  });

  scene(
    'leaves a stream off which the answer has rejected, and relays the other one',
    async (relay, call) => {
      const offered = await call.begin(two(ALICE), two(BOB));
      expect(portsAt(BOB.relay, offered)).not.toContain(0);
      const answered = mustBe(await call.answer(two(ALICE), { ...BOB, ports: [5000, 0] }));
      const ports = portsAt(ALICE.relay, answered);
      expect(ports[0]).toBeGreaterThan(0);
      expect(ports[1]).toBe(0);
      expect(answered.sessions).toBe(1);
      await expectSessions(relay, 1);
    },
  );

  scene('adds a stream to a call, and takes it away', async (relay, call) => {
    const [answered, offered] = await call.connect(ALICE, BOB);
    const [more, moreThere] = await call.reconnect(two(ALICE), two(BOB));
    expect(portsAt(ALICE.relay, more)).not.toContain(0);
    expect(portAt(BOB.relay, moreThere)).toBe(portAt(BOB.relay, offered));
    await expectSessions(relay, streams(2));
    const [less] = await call.reconnect({ ...ALICE, ports: [4000, 0] }, { ...BOB, ports: [5000, 0] });
    expect(portsAt(ALICE.relay, less)).toEqual([portAt(ALICE.relay, answered), 0]);
    await expectSessions(relay, 1);
  });

  scene('shows the same ports when either party offers again', async (_relay, call) => {
    const [toAlice, toBob] = (await call.connect(ALICE, BOB)).map((sdp) => readSdp(sdp).streams[0]?.port);
    const [bobAgain, aliceAgain] = await call.reconnect(BOB, ALICE);
    expect([portAt(ALICE.relay, aliceAgain), portAt(BOB.relay, bobAgain)]).toEqual([
      toAlice as number,
      toBob as number,
    ]);
    const [alice, bob] = await call.reconnect(ALICE, BOB);
    expect([portAt(ALICE.relay, alice), portAt(BOB.relay, bob)]).toEqual([
      toAlice as number,
      toBob as number,
    ]);
  });

  scene('holds by direction and by address, and resumes with the ports it had', async (_relay, call) => {
    const [toAlice, toBob] = await call.connect(ALICE, BOB);
    const ports = [portAt(ALICE.relay, toAlice), portAt(BOB.relay, toBob)];
    const held = mustBe(await call.offer(ALICE, BOB, { mode: 'sendonly' })).sdp;
    expect(readSdp(held).streams[0]).toMatchObject({ mode: 'sendonly', port: ports[1] as number });
    mustBe(await call.answer(ALICE, BOB, { mode: 'recvonly' }));
    const null4 = mustBe(await call.offer(BOB, ALICE, { connection: '0.0.0.0' })).sdp;
    expect(readSdp(null4).streams[0]?.port).toBe(ports[0] as number);
    // Whether the old way to hold is kept or said anew is up to the relay.
    expect(['0.0.0.0', ALICE.relay]).toContain(readSdp(null4).streams[0]?.address ?? '');
    mustBe(await call.answer(BOB, ALICE));
    const [alice, bob] = await call.reconnect(ALICE, BOB);
    expect([portAt(ALICE.relay, alice), portAt(BOB.relay, bob)]).toEqual(ports);
  });

  scene('takes early media and the final answer with one port', async (relay, call) => {
    mustBe(await call.begin(ALICE, BOB));
    const early = await call.answer(ALICE, BOB);
    const final = await call.answer(ALICE, BOB);
    expect(portAt(ALICE.relay, final)).toBe(portAt(ALICE.relay, early));
    await expectSessions(relay, 1);
  });

  scene('lets a second callee answer the same offer', async (relay, call) => {
    const other = { ...BOB, tag: 'b-2', address: '198.51.100.8' };
    mustBe(await call.begin(ALICE, BOB));
    portAt(ALICE.relay, await call.answer(ALICE, BOB));
    portAt(ALICE.relay, await call.answer(ALICE, other));
    mustBe(await call.query());
    portAt(other.relay, await call.offer(ALICE, other));
    portAt(ALICE.relay, await call.answer(ALICE, other));
    await expectSessions(relay, 1);
  });

  scene('keeps branches apart, and ends one without the other', async (relay, call) => {
    const other = { ...BOB, tag: 'b-2', address: '198.51.100.8' };
    mustBe(await call.begin(ALICE, BOB, { branch: 'z9hG4bK-1' }));
    mustBe(await call.begin(ALICE, other, { branch: 'z9hG4bK-2', isNew: false }));
    await expectSessions(relay, streams(2));
    mustBe(await call.answer(ALICE, BOB, { branch: 'z9hG4bK-1' }));
    const answered = await call.answer(ALICE, other, { branch: 'z9hG4bK-2' });
    const { callId, memo, tags } = call;
    const one = { callId, memo, tags, fromTag: ALICE.tag, branch: 'z9hG4bK-1' };
    expect(mustBe(await relay.driver.delete(one, soon())).found).toBe(true);
    await expectSessions(relay, 1);
    mustBe(await call.query(other.tag));
    // Inside a dialog requests have branches of their own, or none.
    mustBe(await call.offer(other, ALICE, { branch: 'z9hG4bK-3' }));
    const again = await call.answer(other, ALICE, { branch: 'z9hG4bK-3' });
    portAt(other.relay, again);
    portAt(ALICE.relay, answered);
    await expectSessions(relay, 1);
  });

  scene('takes an offer of the callee in the answer to a call without SDP', async (relay, call) => {
    const offered = await call.offer(BOB, ALICE, { isNew: true });
    const answered = await call.answer(BOB, ALICE);
    const [toAlice, toBob] = [portAt(ALICE.relay, offered), portAt(BOB.relay, answered)];
    const [alice, bob] = await call.reconnect(ALICE, BOB);
    expect([portAt(ALICE.relay, alice), portAt(BOB.relay, bob)]).toEqual([toAlice, toBob]);
    await expectSessions(relay, 1);
  });

  const four: Party = { ...ALICE, address: '127.0.0.1', relay: '127.0.0.1' };
  const six: Party = { ...BOB, address: '::1', relay: '::1' };
  for (const [what, from, to] of [
    ['IPv4 to IPv6', four, six],
    ['IPv6 to IPv4', { ...six, tag: four.tag }, { ...four, tag: six.tag }],
  ] as const) {
    scene(`bridges ${what}: either party is shown an address of its own family`, async (_relay, call) => {
      const [answered, offered] = await call.connect(from, to);
      expect(portAt(from.relay, answered)).toBeGreaterThan(0);
      expect(portAt(to.relay, offered)).toBeGreaterThan(0);
      const [back, forth] = await call.reconnect(to, from);
      expect(portAt(from.relay, forth)).toBe(portAt(from.relay, answered));
      expect(portAt(to.relay, back)).toBe(portAt(to.relay, offered));
    });
  }

  scene('rejects an SDP that is none, and makes no call of it', async (relay, call) => {
    const failure = await call.begin(ALICE, BOB, { sdp: 'hello' });
    // Who reads it himself knows that it is to blame.
    expect(failure).toMatchObject({ kind: expect.stringMatching(/^(?:rejected|bad-sdp)$/) });
    await expectSessions(relay, 0);
  });
}

function describeEnds(stage: Stage): void {
  const scene = scenesOn(stage);

  scene('deletes once; the second time it is not found', async (_relay, call) => {
    await call.connect(ALICE, BOB);
    expect(mustBe(await call.delete()).found).toBe(true);
    expect(mustBe(await call.delete()).found).toBe(false);
  });

  for (const [what, left] of [
    ['what was remembered', ({ callId, memo }: Call) => ({ callId, memo })],
    ['the tags of its parties', ({ callId, tags }: Call) => ({ callId, tags })],
  ] as const) {
    scene(`ends a call that nobody has answered, by ${what}`, async (relay, call) => {
      mustBe(await call.begin(two(ALICE), two(BOB)));
      expect(mustBe(await relay.driver.delete(left(call), soon())).found).toBe(true);
      await expectSessions(relay, 0);
    });

    scene(`ends a call in which both have offered, by ${what}`, async (relay, call) => {
      await call.connect(ALICE, BOB);
      await call.reconnect(two(BOB), two(ALICE));
      expect(mustBe(await relay.driver.delete(left(call), soon())).found).toBe(true);
      await expectSessions(relay, 0);
    });
  }

  scene('asks for a call it has, and for one it has not', async (relay, call) => {
    const { driver } = relay;
    await call.connect(ALICE, BOB);
    expect(mustBe(await call.query())).toMatchObject({ result: 'ok' });
    expect(mustBe(await call.query(BOB.tag))).toMatchObject({ result: 'ok' });
    const { callId, tags, memo } = call;
    expect(mustBe(await driver.query({ callId, tags }, soon()))).toMatchObject({ result: 'ok' });
    for (const unknown of [{ callId: 'nobody', tags }, { callId: 'nobody', memo }, { callId: 'nobody' }]) {
      expect(await driver.query(unknown, soon())).toMatchObject({ kind: 'unknown-call' });
    }
  });

  scene('tells the streams of a call it has: none carried anything yet', async ({ driver }, call) => {
    await call.connect(two(ALICE), two(BOB));
    const streams = mustBe(await driver.streams(call, soon())).filter(({ isRtcp }) => !isRtcp);
    expect(streams.map(({ tag, index }) => `${tag} ${index}`).toSorted()).toEqual(
      [ALICE, BOB].flatMap(({ tag }) => [`${tag} 1`, `${tag} 2`]),
    );
    for (const { packets, lastPacketAt, heard } of streams) {
      expect([packets, lastPacketAt, heard]).toEqual([0, null, null]);
    }
    expect(await driver.streams({ callId: 'nobody', tags: call.tags }, soon())).toMatchObject({
      kind: 'unknown-call',
    });
  });

  scene('does not know an answer in an unknown call', async (relay, call) => {
    expect(await call.answer(ALICE, BOB)).toMatchObject({ kind: 'unknown-call' });
    await expectSessions(relay, 0);
  });

  scene('rejects a command no relay knows', async ({ driver }, call) => {
    await call.connect(ALICE, BOB);
    const { callId, memo, tags } = call;
    const said = await driver.command(
      { command: 'boil water', 'call-id': callId },
      { callId, memo, tags },
      soon(),
    );
    expect(said).toMatchObject({ kind: 'rejected', reason: expect.stringMatching(/./) });
  });
}
