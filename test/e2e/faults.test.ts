/**
 * The rehearsal in short: relays that die, hang and lose datagrams under a steady load. Nothing is timed here, as machines
 * differ; `npm run rehearse` does that.
 */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { NODE_KINDS } from '../../src/domain/node.ts';
import { ensureBinary } from '../lab/appliance.ts';
import { loopbackNetwork } from '../lab/ports.ts';
import { sweep } from '../lab/processes.ts';
import { whyNoRelay } from '../lab/relays.ts';
import { type CallRecord, isGood } from '../rehearse/load.ts';
import type { RelayOptions } from '../rehearse/relays.ts';
import { type Recording, Stage } from '../rehearse/stage.ts';

const TIMEOUT_MS = 60_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

/** Plays a scene before four relays that are all alike. */
async function rehearse(
  relays: RelayOptions,
  seconds: number,
  scene: (stage: Stage) => Promise<void>,
): Promise<Recording> {
  const options = { binary, address: loopbackNetwork(), rate: 20, seconds, calmSeconds: 1 };
  const stage = await Stage.open(options, () => relays, false);
  try {
    return await stage.record(scene);
  } finally {
    await stage.close();
  }
}

function failedOffers({ load }: Recording): readonly string[] {
  return load.calls.filter(({ offer }) => !isGood(offer)).map(({ offer }) => offer.text);
}

/** Calls that had a request which failed after they had been placed, but for those on `node`. */
function cutElsewhere({ load }: Recording, node: number): readonly CallRecord[] {
  return load.calls.filter((call) => call.node !== node && !call.bound.every(isGood));
}

/** The kinds of events that say a node is dead or ejected, and of which node. */
function distrusted({ events }: Recording): readonly string[] {
  const kinds = new Set(['node.down', 'node.ejected']);

  return events.filter(({ kind }) => kinds.has(kind)).map(({ kind, node_id: node }) => `${kind} ${node}`);
}

/** Debian has no rtpproxy, so if there is none the relays only pretend; they too can be killed and stopped. */
for (const kind of NODE_KINDS) {
  const why = whyNoRelay(kind);
  const isFake = kind === 'rtpproxy' && why !== undefined;
  if (why !== undefined) console.warn(`${isFake ? 'FAKES' : 'SKIP'} in test/e2e/faults, ${kind}: ${why}`);
  const relays: RelayOptions = { kind, ...(isFake ? { fake: [] } : {}) };
  describe.skipIf(why !== undefined && !isFake)(
    `four ${kind} relays, one of them in trouble, under load`,
    () => {
      const troubles = [
        {
          what: 'killed and started again',
          begin: (stage: Stage) => stage.relay(1).kill(),
          end: (stage: Stage) => stage.relay(1).start(),
        },
        {
          what: 'hanging for a while',
          begin: (stage: Stage) => stage.relay(1).hang(),
          end: (stage: Stage) => stage.relay(1).wake(),
        },
      ] as const;
      test.each(troubles)(
        '$what: no new call fails, none of the others is cut, and it gets calls again',
        async ({ begin, end }) => {
          const recording = await rehearse(relays, 2, async (stage) => {
            await stage.calm();
            await stage.trouble(1, () => begin(stage));
            await stage.untilEvent(1, 'node.down', 0);
            await stage.endure();
            // Waits for a new call there.
            await stage.repair(1, () => end(stage));
          });
          expect(recording.broken).toBe('');
          expect(failedOffers(recording)).toEqual([]);
          expect(cutElsewhere(recording, 1)).toEqual([]);
          expect(distrusted(recording)).toContain('node.down 1');
          expect(recording.left).toBe(0);
        },
        TIMEOUT_MS,
      );
    },
  );
}

describe.each(NODE_KINDS)(
  'four relays that lose 30 percent of all datagrams in each direction: %s',
  (kind) => {
    test(
      'all calls are placed, none is thought dead, and one that dies is found',
      async () => {
        const recording = await rehearse({ kind, fake: ['--loss', '0.3'] }, 6, async (stage) => {
          await stage.endure();
          const at = Date.now();
          // Silence is harder to tell from loss than a port where nobody listens.
          await stage.trouble(1, () => stage.relay(1).hang());
          await stage.untilEvent(1, 'node.down', at);
        });
        expect(recording.broken).toBe('');
        expect(failedOffers(recording)).toEqual([]);
        expect(distrusted(recording)).toEqual(['node.down 1']);
      },
      TIMEOUT_MS,
    );
  },
);
