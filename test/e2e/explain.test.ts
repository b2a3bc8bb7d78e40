/** What was done for a call outlives the binary, both SDP of each request included; and a call is found by a part of its Call-ID. */

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { type Appliance, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, post } from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { buildSdp, readSdp } from '../lab/sdp.ts';

const OFFER = buildSdp({ address: '10.1.1.1', port: 4000 });
const ANSWER = buildSdp({ address: '203.0.113.9', port: 5000 });
/** Steps are written 2 s after the first one of their row. */
const WRITTEN_MS = 10_000;

interface Step {
  readonly operation: string;
  readonly door: string;
  readonly tag: string | null;
  readonly result: string;
  readonly sdp_received: string | null;
  readonly sdp_returned: string | null;
}

interface Explained {
  readonly call: { readonly state: string } | null;
  readonly steps: readonly Step[];
}

let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

async function explain(appliance: Appliance, callId: string): Promise<Explained> {
  return (await appliance.api('GET', `/v1/explain/${callId}`)) as Explained;
}

/** A call that was offered and answered; what came back for either. */
async function connect({ url }: Appliance, callId: string): Promise<[string, string]> {
  const common = { 'call-id': callId, 'from-tag': 'A' };
  const offered = await post(url, '/v1/media/offer', { ...common, direction: 'out', sdp: OFFER });
  const answered = await post(url, '/v1/media/answer', { ...common, 'to-tag': 'B', sdp: ANSWER });
  expect([offered.status, answered.status]).toEqual([200, 200]);

  return [String(offered.body.sdp), String(answered.body.sdp)];
}

describe('what was done for a call', () => {
  for (const [how, end] of [
    ['is stopped', (appliance: Appliance) => appliance.stop()],
    ['is killed once the steps are written', (appliance: Appliance) => appliance.kill()],
  ] as const) {
    test(`is told with both SDP of each request after the binary ${how}`, async () => {
      const relay = await startRelay();
      const database = join(temporaryFolder(), 'rtp-cluster.db');
      let appliance = await startAppliance({ binary, database });
      try {
        await addNodes(appliance, [relay]);
        const [toCallee, toCaller] = await connect(appliance, 'c1');
        expect(readSdp(toCallee).addresses).not.toContain('10.1.1.1');
        const refused = await post(appliance.url, '/v1/media/offer', {
          ...{ 'call-id': 'c2', 'from-tag': 'A', direction: 'out', require: 'gpu', sdp: OFFER },
        });
        expect(refused.status).toBe(503);
        const before = [await explain(appliance, 'c1'), await explain(appliance, 'c2')];
        if (how !== 'is stopped') await untilWritten(database, 2);
        await end(appliance);
        appliance = await startAppliance({ binary, database });
        const after = [await explain(appliance, 'c1'), await explain(appliance, 'c2')];
        expect(after.map(({ steps }) => steps)).toEqual(before.map(({ steps }) => steps));
        expect(after[0]?.steps).toMatchObject([
          {
            operation: 'offer',
            door: 'http',
            tag: 'A',
            result: 'ok',
            sdp_received: OFFER,
            sdp_returned: toCallee,
          },
          { operation: 'answer', tag: 'B', sdp_received: ANSWER, sdp_returned: toCaller },
        ]);
        // No node took it, and its SDP is there all the same.
        expect(after[1]).toMatchObject({
          call: null,
          steps: [{ result: 'RTPC_NO_NODE', sdp_received: OFFER, sdp_returned: null }],
        });
        const { calls } = (await appliance.api('GET', '/v1/calls?search=c1&state=all')) as {
          calls: unknown[];
        };
        expect(calls).toMatchObject([{ call_id: 'c1', node_id: 1 }]);
      } finally {
        await appliance.stop();
        await relay.kill();
      }
    }, 60_000);
  }
});

/** Ends when so many rows of steps are on the disk. */
async function untilWritten(database: string, rows: number): Promise<void> {
  const open = new Database(database, { readonly: true });
  const count = open.query<{ count: number }, []>('SELECT count(*) AS count FROM trace');
  try {
    await poll(
      () => ((count.get()?.count ?? 0) >= rows ? true : undefined),
      () => 'the steps are never written',
      WRITTEN_MS,
    );
  } finally {
    open.close();
  }
}
