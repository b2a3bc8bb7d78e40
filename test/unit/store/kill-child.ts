/**
 * Saves calls as fast as it can, many at a time, and writes the Call-ID of each to standard output once its promise has
 * resolved. Never ends by itself.
 */

import { writeSync } from 'node:fs';
import { DatabaseProblem, openDatabase } from '../../../src/store/open.ts';
import { Store } from '../../../src/store/store.ts';
import { systemClock } from '../../../src/util/clock.ts';
import { makeCall, makeLeg } from '../../fakes/store.ts';

const [path = '', round = ''] = process.argv.slice(2);
const open = openDatabase({ path, synchronous: 'full' });
if (open instanceof DatabaseProblem) throw new Error(open.message);
const store = new Store(open, systemClock);

/** Node of a call: the parent checks it. */
async function save(worker: number): Promise<void> {
  for (let count = 0; ; count++) {
    const callId = `${round}-${worker}-${count}`;
    const leg = makeLeg('A');
    const call = makeCall(callId, { nodeId: count % 7, legs: [leg] });
    await store.saveCall(call, { isNew: true, leg, sdp: { received: 'v=0', returned: 'v=0' } });
    writeSync(1, `${callId}\n`);
  }
}

for (let worker = 0; worker < 16; worker++) save(worker);
