import { describe, expect, test } from 'bun:test';
import type { OfferFacts } from '../../../src/calls/facts.ts';
import type { Node } from '../../../src/domain/node.ts';
import { failed, makeCluster, makeNode, outerOf, phoneSdp, relayed, shown } from '../../fakes/cluster.ts';
import { anchored } from '../../fakes/driver.ts';

function offer(changes: Partial<OfferFacts> = {}): OfferFacts {
  return {
    callId: 'c1',
    fromTag: 'A',
    sdp: phoneSdp('10.9.9.9'),
    direction: { from: 'inner', to: 'outer' },
    isInDialog: false,
    extra: {},
    ...changes,
  };
}

const DUAL: Partial<Node> = {
  mediaAddresses: [
    { side: 'inner', family: 'IP4', address: '10.0.0.1', interface: 'priv4' },
    { side: 'inner', family: 'IP6', address: 'fd00::1', interface: 'priv6' },
    { side: 'outer', family: 'IP4', address: '198.51.100.1', interface: 'pub4' },
    { side: 'outer', family: 'IP6', address: '2001:db8::1', interface: 'pub6' },
  ],
};

describe('the address imposed', () => {
  test('an explicit media-address of the client wins, in brackets or not, with its own family', async () => {
    for (const [given, address, family] of [
      ['203.0.113.77', '203.0.113.77', 'IP4'],
      ['[2001:db8::77]', '2001:db8::77', 'IP6'],
    ] as const) {
      const { media, relay } = makeCluster();
      expect(shown(await media.offer(offer({ extra: { 'media-address': given } })))).toBe(address);
      expect(relay(0).offers[0]).toMatchObject({ address, family });
    }
  });

  test('an explicit media-address is imposed even when the relay ignored it', async () => {
    const { media, relay } = makeCluster();
    relay(0).next('offer', anchored(outerOf(0)));
    expect(shown(await media.offer(offer({ extra: { 'media-address': '203.0.113.77' } })))).toBe(
      '203.0.113.77',
    );
  });

  test.each(['relay.example.org', '', '1.2.3', 'fe80::1%eth0', '0.0.0.0', '::'])(
    'an explicit media-address %p, which relays would ignore, is refused with RTPC_BAD_PARAMETER',
    async (given) => {
      const { media, asked } = makeCluster();
      const failure = failed(await media.offer(offer({ extra: { 'media-address': given } })));
      expect(failure.code).toBe('RTPC_BAD_PARAMETER');
      expect(asked()).toEqual([]);
    },
  );

  test('keys that should be words and are dictionaries are refused or passed over, and never throw', async () => {
    // As JSON bodies are read: without a prototype, so without a text of its own.
    const dict = Object.assign(Object.create(null), { a: 1 });
    const { media } = makeCluster();
    const failure = failed(await media.offer(offer({ extra: { 'media-address': dict } })));
    expect(failure).toMatchObject({
      code: 'RTPC_BAD_PARAMETER',
      message: expect.stringContaining('{"a":1}'),
    });
    expect(shown(await media.offer(offer({ callId: 'c2', extra: { ICE: dict } })))).toBe(outerOf(0));
  });

  test('has the family of the sender if the node has one of it', async () => {
    const { media } = makeCluster({ nodes: [makeNode(0, DUAL)] });
    expect(shown(await media.offer(offer()))).toBe('198.51.100.1');
    expect(shown(await media.offer(offer({ callId: 'c2', sdp: phoneSdp('fd00::99', 'IP6') })))).toBe(
      '2001:db8::1',
    );
  });

  test('has the family asked for by address-family, across families', async () => {
    const { media, relay } = makeCluster({ nodes: [makeNode(0, DUAL)] });
    expect(shown(await media.offer(offer({ extra: { 'address-family': 'IP6' } })))).toBe('2001:db8::1');
    expect(relay(0).offers[0]?.family).toBe('IP6');
  });

  test('of an answer has the family of the offer, whatever the answerer uses', async () => {
    const { media, relay } = makeCluster({ nodes: [makeNode(0, DUAL)] });
    relayed(await media.offer(offer({ extra: { 'address-family': 'IP6' } })));
    const result = await media.answer({
      callId: 'c1',
      fromTag: 'A',
      toTag: 'B',
      sdp: phoneSdp('2001:db8::99', 'IP6'),
      isFinal: true,
      extra: {},
    });
    expect(shown(result)).toBe('10.0.0.1');
    expect(relay(0).answers[0]).toMatchObject({ address: '10.0.0.1', family: 'IP4' });
  });

  test('of a re-offer has the family its reader is known to use', async () => {
    const { media } = makeCluster({ nodes: [makeNode(0, DUAL)] });
    relayed(await media.offer(offer({ extra: { 'address-family': 'IP6' } })));
    const facts = { callId: 'c1', fromTag: 'A', toTag: 'B', isFinal: true, extra: {} };
    relayed(await media.answer({ ...facts, sdp: phoneSdp('2001:db8::99', 'IP6') }));
    expect(shown(await media.offer(offer({ toTag: 'B', isInDialog: true })))).toBe('2001:db8::1');
  });

  test('is of the other family where the node has no other, and the relay is told so', async () => {
    const { media, relay } = makeCluster();
    expect(shown(await media.offer(offer({ sdp: phoneSdp('fd00::99', 'IP6') })))).toBe(outerOf(0));
    expect(relay(0).offers[0]?.family).toBe('IP4');
  });
});

describe('impose mode interface', () => {
  const nodes = [makeNode(0, { ...DUAL, imposeMode: 'interface' })];

  test('names the interfaces of sender and reader, turned round in the answer', async () => {
    const { media, relay } = makeCluster({ nodes });
    relayed(await media.offer(offer()));
    expect(relay(0).offers[0]?.interfaces).toEqual(['priv4', 'pub4']);
    const facts = { callId: 'c1', fromTag: 'A', toTag: 'B', isFinal: true, extra: {} };
    relayed(await media.answer({ ...facts, sdp: phoneSdp('203.0.113.9') }));
    expect(relay(0).answers[0]?.interfaces).toEqual(['pub4', 'priv4']);
  });

  test('the address of another interface of the same node is not repaired but refused', async () => {
    const { media, relay } = makeCluster({ nodes });
    relay(0).always('offer', anchored('10.0.0.1'));
    expect(failed(await media.offer(offer())).code).toBe('RTPC_RELAY_ADDRESS');
  });

  test('in mode media-address no interface is named, and the other address of the node is repaired', async () => {
    const { media, relay } = makeCluster({ nodes: [makeNode(0, DUAL)] });
    relay(0).next('offer', anchored('10.0.0.1'));
    expect(shown(await media.offer(offer()))).toBe('198.51.100.1');
    expect(relay(0).offers[0]?.interfaces).toBeUndefined();
  });
});

describe('what else the relay is told', () => {
  test('the source of the SIP message as received-from, unless the client gave one', async () => {
    const { media, relay } = makeCluster();
    relayed(await media.offer(offer({ source: '10.9.9.9' })));
    relayed(await media.offer(offer({ source: '2001:db8::9', extra: { ICE: 'remove' } })));
    relayed(
      await media.offer(offer({ source: '10.9.9.9', extra: { 'received-from': ['IP4', '10.1.1.1'] } })),
    );
    expect(relay(0).offers.map(({ extra }) => extra)).toEqual([
      { 'received-from': ['IP4', '10.9.9.9'] },
      { ICE: 'remove', 'received-from': ['IP6', '2001:db8::9'] },
      { 'received-from': ['IP4', '10.1.1.1'] },
    ]);
  });

  test('the sender stays in sight with ICE=force-relay, and only then', async () => {
    const sent = phoneSdp('10.9.9.9');
    for (const spelling of ['force-relay', 'force_relay', 'force relay']) {
      const { media, relay } = makeCluster();
      relay(0).next('offer', sent);
      expect(shown(await media.offer(offer({ extra: { ICE: spelling } })))).toBe('10.9.9.9');
    }
    const { media, relay } = makeCluster({ nodes: [makeNode(0)] });
    relay(0).always('offer', sent);
    expect(failed(await media.offer(offer({ extra: { ICE: 'force' } }))).code).toBe('RTPC_RELAY_ADDRESS');
  });

  test('branch and tags as the client gave them', async () => {
    const { media, relay } = makeCluster();
    relayed(await media.offer(offer({ branch: 'b1' })));
    expect(relay(0).offers[0]).toMatchObject({ callId: 'c1', fromTag: 'A', branch: 'b1' });
    expect(relay(0).offers[0]).not.toHaveProperty('toTag');
  });
});
