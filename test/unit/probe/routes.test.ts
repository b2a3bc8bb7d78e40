import { describe, expect, test } from 'bun:test';
import type { MediaAddress } from '../../../src/domain/node.ts';
import { routesOf } from '../../../src/probe/routes.ts';

function at(side: string, family: 'IP4' | 'IP6' = 'IP4'): MediaAddress {
  return { side, family, address: family === 'IP4' ? '10.0.0.1' : 'fd00::1', interface: null };
}

function shown(mediaAddresses: MediaAddress[], all = true, media = true): string[] {
  return routesOf({ mediaAddresses }, { all, media }).map(
    ({ from, to, family, hasMedia }) => `${from}>${to} ${family}${hasMedia ? ' talk' : ''}`,
  );
}

describe('the calls that show all of a node', () => {
  test('read each address once, and let each two sides talk once', () => {
    expect(shown([at('inner'), at('outer')])).toEqual(['outer>inner IP4', 'inner>outer IP4 talk']);
    expect(shown([at('inner'), at('outer'), at('mpls')])).toEqual([
      'outer>inner IP4',
      'inner>outer IP4 talk',
      'inner>mpls IP4 talk',
    ]);
  });

  test('stay on the side there is, if there is but one', () => {
    expect(shown([at('inner')])).toEqual(['inner>inner IP4 talk']);
  });

  test('read both families of a side', () => {
    const dual = [at('inner'), at('inner', 'IP6'), at('outer'), at('outer', 'IP6')];
    expect(shown(dual)).toEqual([
      'outer>inner IP4',
      'outer>inner IP6',
      'inner>outer IP4 talk',
      'inner>outer IP6 talk',
    ]);
  });

  test('cross families where the other side has no other: so do calls', () => {
    expect(shown([at('inner'), at('outer', 'IP6')])).toEqual([
      'outer>inner IP6 talk',
      'inner>outer IP4 talk',
    ]);
    // A caller of IPv4 is shown the IPv4 address of a side that has both, so nobody outside is shown the other one.
    expect(shown([at('inner'), at('outer'), at('outer', 'IP6')])).toContain('outer>outer IP6 talk');
  });

  test('have no media where nobody wants any, and nothing else where only media is wanted', () => {
    expect(shown([at('inner'), at('outer')], true, false)).toEqual(['outer>inner IP4', 'inner>outer IP4']);
    expect(shown([at('inner'), at('outer')], false, true)).toEqual(['inner>outer IP4 talk']);
  });

  test('are 12 at most', () => {
    expect(shown(Array.from({ length: 30 }, (_, i) => at(`side${i}`)))).toHaveLength(12);
  });
});
