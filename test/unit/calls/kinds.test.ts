import { describe, expect, test } from 'bun:test';
import type { CallFacts } from '../../../src/calls/facts.ts';
import { wishesOf } from '../../../src/calls/kinds.ts';
import type { NodeKind } from '../../../src/domain/node.ts';
import { Member, READY } from '../../../src/fleet/member.ts';
import { FakeClock } from '../../fakes/clock.ts';
import { makeNode } from '../../fakes/cluster.ts';
import { FakeDriver } from '../../fakes/driver.ts';

const PLAIN = 'v=0\r\nc=IN IP4 10.0.0.5\r\nm=audio 4000 RTP/AVP 8\r\n';
const BROWSER = `${PLAIN}a=ice-ufrag:x\r\na=candidate:1 1 UDP 1 10.0.0.5 4000 typ host\r\n`;

function members(...kinds: NodeKind[]): Member[] {
  const clock = new FakeClock();

  return kinds.map((kind, index) => {
    const id = index + 1;
    const row = { ...makeNode(id, { kind }), admin: READY, limited: null, removedAt: null };

    return new Member(row, {
      clock,
      driver: new FakeDriver(id, clock, []),
      countCalls: () => 0,
      countSessions: () => 0,
    });
  });
}

const MIXED = members('rtpproxy', 'rtpengine');
const facts = (change: Partial<CallFacts> = {}): CallFacts => ({
  callId: 'c1',
  fromTag: 'A',
  extra: {},
  ...change,
});

describe('in a set with nodes of both kinds', () => {
  test('a call that only needs relaying has no wish', () => {
    expect(wishesOf(facts(), PLAIN, MIXED)).toEqual({ require: [], prefer: [] });
    expect(wishesOf(facts({ extra: { ICE: 'remove' } }), PLAIN, MIXED)).toEqual({ require: [], prefer: [] });
  });

  test('a call that wants media converted must have an rtpengine', () => {
    for (const extra of [
      { ICE: 'force' },
      { codec: { transcode: ['PCMA'] } },
      { 'transport-protocol': 'RTP/SAVP' },
    ])
      expect(wishesOf(facts({ extra }), PLAIN, MIXED)).toEqual({ require: ['rtpengine'], prefer: [] });
  });

  test('a caller who speaks ICE rather has an rtpengine', () => {
    expect(wishesOf(facts(), BROWSER, MIXED)).toEqual({ require: [], prefer: ['rtpengine'] });
  });

  test('a browser whose media is converted must have one', () => {
    const extra = { 'transport-protocol': 'RTP/SAVP' };
    expect(wishesOf(facts({ extra }), BROWSER, MIXED).require).toEqual(['rtpengine']);
  });

  test('what the client asks for comes first, and is not changed', () => {
    const asked = { require: ['eu'], prefer: ['big'] };
    expect(wishesOf(facts({ ...asked, extra: { ICE: 'force' } }), PLAIN, MIXED)).toEqual({
      require: ['eu', 'rtpengine'],
      prefer: ['big'],
    });
    expect(wishesOf(facts(asked), BROWSER, MIXED)).toEqual({ require: ['eu'], prefer: ['big', 'rtpengine'] });
    expect(wishesOf(facts(asked), PLAIN, MIXED)).toEqual(asked);
    expect(asked).toEqual({ require: ['eu'], prefer: ['big'] });
  });
});

describe('in a set with nodes of one kind', () => {
  test.each<[NodeKind[]]>([[['rtpproxy']], [['rtpengine', 'rtpengine']], [[]]])(
    '%j, wishes for a kind would only be in the way',
    (kinds) => {
      for (const sdp of [PLAIN, BROWSER])
        expect(wishesOf(facts({ extra: { ICE: 'force' }, prefer: ['big'] }), sdp, members(...kinds))).toEqual(
          {
            require: [],
            prefer: ['big'],
          },
        );
    },
  );
});
