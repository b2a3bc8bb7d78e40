import { describe, expect, test } from 'bun:test';
import type { NgDict } from '../../../src/relay/driver.ts';
import { innerOf, makeNode, outerOf } from '../../fakes/cluster.ts';
import { makeFront, OFFER, shownIn } from './front.ts';

describe('the reader of an SDP', () => {
  const both = { nodes: [makeNode(0)], networks: [] };

  test.each<[NgDict, string]>([
    [{ direction: ['internal', 'external'] }, outerOf(0)],
    [{ direction: ['External', 'INTERNAL'] }, innerOf(0)],
    [{ direction: 'pub,priv' }, innerOf(0)],
    [{ direction: 'outer>inner' }, innerOf(0)],
    [{ 'from-interface': 'pub', 'to-interface': 'priv' }, innerOf(0)],
    [{ 'in-iface': 'pub', 'out-iface': 'priv' }, innerOf(0)],
    [{ 'cluster-to': 'inner' }, innerOf(0)],
    [{ 'cluster-to': 'pub' }, outerOf(0)],
    [{ 'cluster-from': 'outer', 'cluster-to': 'outer', direction: ['a', 'b'] }, outerOf(0)],
    [{ 'rtpp-flags': 'external internal replace-origin' }, innerOf(0)],
    [{ rtpp_flags: 'direction=pub direction=priv' }, innerOf(0)],
    [{ 'rtpp flags': 'direction=[pub priv]' }, innerOf(0)],
    [{ 'rtpp-flags': 'in-iface=pub out-iface=priv' }, innerOf(0)],
    [{ 'rtpp-flags': 'cluster-to=inner' }, innerOf(0)],
    [{ 'rtpp-flags': 'direction=pub direction=priv', direction: ['priv', 'pub'] }, outerOf(0)],
  ])('is found by %j', async (keys, address) => {
    const { ask, relay } = makeFront(both);
    const { direction: _, ...rest } = OFFER;
    expect(shownIn(await ask({ ...rest, ...keys }))).toBe(address);
    const { extra } = relay(0).offers[0] ?? { extra: {} };
    expect(Object.keys(extra).filter((key) => key !== 'replace')).toEqual([]);
  });

  test.each<[NgDict, string]>([
    [{ direction: ['priv', 'dmz'] }, 'direction is "priv dmz"'],
    [{ direction: 'priv' }, 'direction is "priv"'],
    [{ direction: ['priv', 'pub', 'pub'] }, 'direction is "priv pub pub"'],
    [{ direction: [{}, 'pub'] }, 'direction is " pub"'],
    [{ 'out-iface': 'priv' }, 'direction is "priv"'],
    [{ 'cluster-to': 'dmz' }, 'cluster-to is "dmz"'],
    [{ 'cluster-from': 'inner' }, 'cluster-from needs cluster-to'],
  ])('is never guessed: %j', async (keys, words) => {
    const { ask, asked } = makeFront(both);
    const { direction: _, ...rest } = OFFER;
    const reply = await ask({ ...rest, ...keys });
    expect(reply.result).toBe('error');
    expect(String(reply['error-reason'])).toStartWith(`RTPC_BAD_PARAMETER ${words}`);
    if (!words.includes('needs')) {
      expect(String(reply['error-reason'])).toContain('inner, outer, mpls');
      expect(String(reply['error-reason'])).toContain('"sides.NAME.aliases"');
    }
    expect(asked()).toEqual([]);
  });

  test('that nothing tells is an error', async () => {
    const { ask } = makeFront(both);
    const { direction: _, ...rest } = OFFER;
    expect(String((await ask(rest))['error-reason'])).toStartWith('RTPC_DIRECTION_UNKNOWN');
  });
});
