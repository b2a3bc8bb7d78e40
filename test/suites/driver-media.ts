/** What parties hear of each other through a real relay, when they do as the SDP they were shown says. */

import { expect } from 'bun:test';
import { converse, openUdp, Phone } from '../lab/phone.ts';
import { poll } from '../lab/processes.ts';
import { mustBe } from '../lab/rtpengine.ts';
import { audioOf } from '../lab/sdp.ts';
import { type Call, type Party, type Relay, type Stage, scenesOn, soon } from './stage.ts';

const PACKETS = 10;

/** A party that is a phone. */
export interface Talker extends Party {
  readonly phone: Phone;
}

export async function openTalker(
  call: string,
  side: string,
  partner: string,
  address = '127.0.0.1',
): Promise<Talker> {
  const phone = await Phone.open({ call, side, partner, address });

  return { phone, tag: `${side}-tag`, address, ports: [phone.local.port], relay: address };
}

/** Both do as they were told, talk, and hear each other and nobody else. */
export async function expectTalk(
  one: Talker,
  other: Talker,
  [toOne, toOther]: readonly [string, string],
): Promise<void> {
  for (const [{ phone }, sdp] of [
    [one, toOne],
    [other, toOther],
  ] as const) {
    phone.pointAt(audioOf(sdp));
    Object.assign(phone.heard, { partner: 0, echo: 0, foreign: 0, elsewhere: 0 });
  }
  await converse(one.phone, other.phone, PACKETS);
  const all = { partner: PACKETS, echo: 0, foreign: 0, elsewhere: 0 };
  expect([one.phone.heard, other.phone.heard]).toEqual([all, all]);
}

export function describeMedia(stage: Stage): void {
  const scene = scenesOn(stage);
  /** A scene with two phones. */
  const talk = (
    name: string,
    act: (alice: Talker, bob: Talker, call: Call, relay: Relay) => Promise<void>,
    addresses: readonly [string, string] = ['127.0.0.1', '127.0.0.1'],
  ): void =>
    scene(name, async (relay, call) => {
      const alice = await openTalker(call.callId, 'alice', 'bob', addresses[0]);
      const bob = await openTalker(call.callId, 'bob', 'alice', addresses[1]);
      try {
        await act(alice, bob, call, relay);
      } finally {
        alice.phone.close();
        bob.phone.close();
      }
    });

  talk('two phones hear each other and nobody else', async (alice, bob, call) => {
    await expectTalk(alice, bob, await call.connect(alice, bob));
  });

  talk('they do after an offer of the callee, and after one of the caller', async (alice, bob, call) => {
    await expectTalk(alice, bob, await call.connect(alice, bob));
    await expectTalk(bob, alice, await call.reconnect(bob, alice));
    await expectTalk(alice, bob, await call.reconnect(alice, bob));
  });

  talk('they do after hold and resume', async (alice, bob, call) => {
    await call.connect(alice, bob);
    await call.reconnect(alice, bob, { connection: '0.0.0.0' });
    mustBe(await call.offer(bob, alice, { mode: 'sendonly' }));
    mustBe(await call.answer(bob, alice, { mode: 'recvonly' }));
    await expectTalk(alice, bob, await call.reconnect(alice, bob));
  });

  talk('early media is heard, and the call after it', async (alice, bob, call) => {
    const offered = mustBe(await call.begin(alice, bob)).sdp;
    await expectTalk(alice, bob, [mustBe(await call.answer(alice, bob)).sdp, offered]);
    await expectTalk(alice, bob, [mustBe(await call.answer(alice, bob)).sdp, offered]);
  });

  talk('they do when the callee has offered', async (alice, bob, call) => {
    const offered = mustBe(await call.offer(bob, alice, { isNew: true })).sdp;
    await expectTalk(bob, alice, [mustBe(await call.answer(bob, alice)).sdp, offered]);
  });

  talk(
    'they do over IPv4 and IPv6',
    async (alice, bob, call) => {
      await expectTalk(alice, bob, await call.connect(alice, bob));
      await expectTalk(bob, alice, await call.reconnect(bob, alice));
    },
    ['127.0.0.1', '::1'],
  );

  talk('the callee that answered last is heard', async (alice, bob, call) => {
    const other = await openTalker(call.callId, 'bob', 'alice');
    try {
      const offered = mustBe(await call.begin(alice, bob)).sdp;
      mustBe(await call.answer(alice, bob));
      const winner = { ...other, tag: 'other-tag' };
      const answered = mustBe(await call.answer(alice, winner)).sdp;
      alice.phone.pointAt(audioOf(answered));
      winner.phone.pointAt(audioOf(offered));
      await converse(alice.phone, winner.phone, PACKETS);
      expect(alice.phone.heard).toEqual({ partner: PACKETS, echo: 0, foreign: 0, elsewhere: 0 });
      // rtpengine sends to a second callee from another port than it has shown.
      const { partner, elsewhere } = winner.phone.heard;
      expect(partner + elsewhere).toBe(PACKETS);
    } finally {
      other.phone.close();
    }
  });

  talk('what came of either party is told, and the port it came to', async (alice, bob, call, relay) => {
    const [shownAlice, shownBob] = await call.connect(alice, bob);
    const [toAlice, toBob] = [audioOf(shownAlice), audioOf(shownBob)];
    const told = async () => {
      const streams = mustBe(await relay.driver.streams(call, soon()));

      return [alice, bob].map(({ tag }) => {
        const own = streams.filter((stream) => stream.tag === tag && !stream.isRtcp);

        return own.map(({ index, packets, local }) => [index, packets, local?.port]);
      });
    };
    expect(await told()).toEqual([[[1, 0, toAlice.port]], [[1, 0, toBob.port]]]);
    alice.phone.pointAt(toAlice);
    bob.phone.pointAt(toBob);
    await alice.phone.talk(PACKETS);
    await bob.phone.hears(PACKETS);
    expect(await told()).toEqual([[[1, PACKETS, toAlice.port]], [[1, 0, toBob.port]]]);
    await bob.phone.talk(PACKETS);
    await alice.phone.hears(PACKETS);
    expect(await told()).toEqual([[[1, PACKETS, toAlice.port]], [[1, PACKETS, toBob.port]]]);
  });

  scene('datagrams that are no RTP pass as they are', async (_relay, call) => {
    await expectFax(call);
  });

  if (stage.prompt !== undefined) {
    const prompt = stage.prompt();
    talk(
      'a prompt is heard by the party that is named, and by nobody else',
      async (alice, bob, call, relay) => {
        await expectTalk(alice, bob, await call.connect(alice, bob));
        for (const [hearer, other] of [
          [alice, bob],
          [bob, alice],
        ] as const) {
          const { callId, memo, tags } = call;
          const before = [hearer, other].map(({ phone }) => phone.heard.foreign);
          const order = { command: 'play media', 'call-id': callId, 'from-tag': hearer.tag, ...prompt };
          expect(mustBe(await relay.driver.command(order, { callId, memo, tags }, soon())).result).toBe('ok');
          await poll(
            () => (hearer.phone.heard.foreign >= (before[0] ?? 0) + PACKETS ? true : undefined),
            () => `${hearer.tag} has heard nothing of the prompt, ${other.tag}: ${other.phone.heard.foreign}`,
            2000,
          );
          expect(other.phone.heard.foreign).toBe(before[1] ?? 0);
          const end = { command: 'stop media', 'call-id': callId, 'from-tag': hearer.tag };
          expect(mustBe(await relay.driver.command(end, { callId, memo, tags }, soon())).result).toBe('ok');
        }
      },
    );
  }
}

/** T.38 over UDPTL: a number of two bytes, and what follows. */
async function expectFax(call: Call): Promise<void> {
  const got: [string[], string[]] = [[], []];
  const open = (index: 0 | 1) =>
    openUdp('127.0.0.1', 0, (bytes) => void got[index].push(bytes.toString('hex')));
  const [one, other] = [await open(0), await open(1)];
  try {
    const party = (tag: string, port: number): Party => ({
      tag,
      address: '127.0.0.1',
      ports: [port],
      relay: '127.0.0.1',
    });
    const shown = await call.connect(party('a', one.port), party('b', other.port), { media: 't38' });
    const [toOne, toOther] = shown.map((sdp) => audioOf(sdp));
    const packet = (side: number, number: number) => Buffer.from([0, number, 6, side, 1, 2, 3, 4]);
    const sent: [string[], string[]] = [[], []];
    for (let number = 0; number < PACKETS; number++) {
      for (const [index, socket, target] of [
        [0, one, toOne],
        [1, other, toOther],
      ] as const) {
        const bytes = packet(index, number);
        sent[index].push(bytes.toString('hex'));
        socket.send(bytes, target?.port ?? 0, target?.address ?? '');
      }
      await Bun.sleep(20);
    }
    await Bun.sleep(100);
    expect(got).toEqual([sent[1], sent[0]]);
  } finally {
    one.close();
    other.close();
  }
}
