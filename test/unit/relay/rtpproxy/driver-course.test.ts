import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { MediaReply } from '../../../../src/relay/driver.ts';
import { DEADLINE, done, drive, portsIn, sdpOf } from './driving.ts';

/** Any course a call of two parties can take, against a small model of the daemon. */

/** Sessions as the reference has them: found by the opener's tag, from either end; only an L can fail to find one. */
class Daemon {
  readonly sessions = new Map<string, [toAnswerer: number, toOpener: number]>();
  #next = 30_000;

  readonly answer = (command: string): string => {
    const [head = '', name = '', ...words] = command.split(' ');
    if (head === 'D') return this.#delete(name, words);
    const [, , offerer = '', answerer = ''] = words;
    const own = `${name} ${offerer}`;
    const other = `${name} ${answerer}`;
    const letter = head.charAt(0);
    const key = this.sessions.has(own) ? own : this.sessions.has(other) ? other : undefined;
    if (key === undefined && letter === 'L') return '0';
    const session = this.sessions.get(key ?? own) ?? [0, 0];
    this.sessions.set(key ?? own, session);
    const leg = (key ?? own) === own ? (letter === 'U' ? 0 : 1) : letter === 'U' ? 1 : 0;
    if (session[leg] === 0) {
      session[leg] = this.#next;
      this.#next += 2;
    }

    return String(session[leg]);
  };

  #delete(name: string, tags: string[]): string {
    const hits = [...this.sessions.keys()].filter((key) =>
      tags.some((tag) => key === `${name} ${tag}` || key.startsWith(`${name} ${tag};`)),
    );
    for (const hit of hits) this.sessions.delete(hit);

    return hits.length > 0 ? '0' : 'E50';
  }
}

/** One offer and its answer: who offers, and which of four streams either side has on. */
interface Round {
  readonly isByBob: boolean;
  readonly offered: number;
  readonly accepted: number;
  readonly forgets: boolean;
}

describe('any course of a call', () => {
  const isOn = (mask: number, index: number): boolean => ((mask >> index) & 1) === 1;
  const sdpBy = (isBob: boolean, mask: number): string =>
    sdpOf({
      at: isBob ? '192.0.2.77' : '10.0.0.5',
      ports: [0, 1, 2, 3].map((index) => (isOn(mask, index) ? 4000 + 2 * index : 0)),
    });

  async function play(rounds: readonly Round[]): Promise<void> {
    const daemon = new Daemon();
    const { driver, offer, answer } = drive(daemon.answer);
    let memo: string | null = null;
    let isFirst = true;
    /** Port shown to a reader for a stream, while the daemon has it. */
    const shown = new Map<string, number>();
    for (const { isByBob, offered, accepted, forgets } of rounds) {
      if (forgets) daemon.sessions.clear();
      const fromTag = isByBob ? 'B' : 'A';
      const toTag = isByBob ? 'A' : 'B';
      const parties = isFirst ? { fromTag } : { fromTag, toTag, isNew: false };
      const here: MediaReply = done(await offer({ ...parties, sdp: sdpBy(isByBob, offered), memo }));
      const there: MediaReply = done(
        await answer({ fromTag, toTag, sdp: sdpBy(!isByBob, offered & accepted), memo: here.memo }),
      );
      if (forgets) {
        const known = [...shown.keys()].some(
          (key) => isOn(offered, Number(key.slice(1))) && key.startsWith(toTag),
        );
        expect(here.isRenewed ?? false).toBe(known && !isFirst);
        shown.clear();
      } else expect(here.isRenewed).toBeUndefined();
      // The offer has said so already.
      expect(there.isRenewed).toBeUndefined();
      for (let index = 0; index < 4; index++) {
        const isLive = isOn(offered & accepted, index);
        for (const [reader, reply] of [
          [toTag, here],
          [fromTag, there],
        ] as const) {
          const port = portsIn(reply)[index] ?? 0;
          const key = `${reader}${index}`;
          expect(port !== 0).toBe(isOn(reply === here ? offered : offered & accepted, index));
          if (isLive && shown.has(key)) expect(port).toBe(shown.get(key) as number);
          if (isLive) shown.set(key, port);
          else shown.delete(key);
        }
      }
      const ports = [...shown.values()];
      expect(new Set(ports).size).toBe(ports.length);
      memo = there.memo;
      isFirst = false;
      expect(there.sessions).toBe([0, 1, 2, 3].filter((index) => isOn(offered & accepted, index)).length);
      expect(daemon.sessions.size).toBe(there.sessions);
    }
    const ended = await driver.delete({ callId: 'c1', memo }, DEADLINE);
    expect(ended).toMatchObject({ found: true });
    expect(daemon.sessions.size).toBe(0);
  }

  const mask = fc.integer({ min: 0, max: 15 });

  test('shows each party one port for each stream, and leaves nothing behind', async () => {
    const round = fc.record({
      isByBob: fc.boolean(),
      offered: mask,
      accepted: mask,
      forgets: fc.constant(false),
    });
    await fc.assert(fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 8 }), play), {
      numRuns: 300,
    });
  });

  test('is renewed when the daemon has forgotten it, and leaves nothing behind', async () => {
    const round = fc.record({
      isByBob: fc.boolean(),
      offered: mask,
      // Whatever is live stays so: what the daemon forgot and nobody offers again is not seen to be gone.
      accepted: fc.constant(15),
      forgets: fc.boolean(),
    });
    await fc.assert(fc.asyncProperty(fc.array(round, { minLength: 1, maxLength: 8 }), play), {
      numRuns: 300,
    });
  });
});
