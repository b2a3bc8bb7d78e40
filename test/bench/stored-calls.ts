/** A database with calls in it, as an appliance leaves it behind. */

import type { Call } from '../../src/domain/call.ts';
import { READY } from '../../src/fleet/member.ts';
import { DatabaseProblem, openDatabase } from '../../src/store/open.ts';
import { Store } from '../../src/store/store.ts';
import { systemClock } from '../../src/util/clock.ts';

const SDP = `v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 41000 RTP/AVP 8\r\n${'a=fmtp:101 0-15\r\n'.repeat(20)}`;

/** Fills a new database with established calls of two legs each. */
export function fillDatabase(path: string, count: number): void {
  const database = openDatabase({ path, synchronous: 'normal' });
  if (database instanceof DatabaseProblem) throw new Error(database.message);
  const store = new Store(database, systemClock);
  const now = Date.now();
  store.fleet.writeNodes([
    {
      id: 0,
      kind: 'rtpengine',
      socket: 'udp:127.0.0.1:22301',
      setId: 0,
      weight: 100,
      imposeMode: 'media-address',
      mediaAddresses: [
        { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: null },
        { side: 'outer', family: 'IP4', address: '1.2.3.4', interface: null },
      ],
      priority: 0,
      capacity: null,
      tags: [],
      httpPort: null,
      admin: READY,
      limited: null,
      removedAt: null,
    },
  ]);
  for (let i = 0; i < count; i++) {
    const leg = { branch: '', family: 'IP4' as const, offering: false, createdAt: now, updatedAt: now };
    const call: Call = {
      callId: `stored-${i}@bench`,
      nodeId: 0,
      setId: 0,
      direction: { from: 'inner', to: 'outer' },
      callerTag: 'caller-tag',
      state: 'confirmed',
      initial: '1 INVITE caller-tag',
      offers: ['1 INVITE caller-tag'],
      memo: null,
      sessions: 1,
      legs: [
        { ...leg, tag: 'caller-tag', side: 'inner', readerSide: 'outer', confirmed: false },
        { ...leg, tag: 'callee-tag', side: 'outer', readerSide: 'inner', confirmed: true },
      ],
      createdAt: now,
      updatedAt: now,
      endReason: null,
    };
    for (const [index, each] of call.legs.entries()) {
      store.saveCall(call, { isNew: index === 0, leg: each, sdp: { received: SDP, returned: SDP } });
    }
  }
  store.close();
}
