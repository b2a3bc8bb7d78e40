import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { Failure } from '../../../src/domain/errors.ts';
import { findSide, formatDirection, parseDirection, reverse } from '../../../src/domain/side.ts';
import { SIDES } from '../../fakes/cluster.ts';

describe('a side', () => {
  test.each([
    ['inner', 'inner'],
    [' OUTER ', 'outer'],
    ['priv', 'inner'],
    ['Pub', 'outer'],
    ['mpls', 'mpls'],
  ])('%p is found as %p', (text, side) => {
    expect(findSide(text, SIDES)).toBe(side);
  });

  test.each(['', 'out', 'innner', 'constructor', '__proto__'])('%p is none', (text) => {
    expect(findSide(text, SIDES)).toBeUndefined();
  });
});

describe('a direction', () => {
  test.each([
    ['out', 'inner', 'outer'],
    ['IN ', 'outer', 'inner'],
    ['inner', 'inner', 'inner'],
    ['pub', 'outer', 'outer'],
    ['inner>mpls', 'inner', 'mpls'],
    ['priv > pub', 'inner', 'outer'],
  ])('%p is read', (text, from, to) => {
    expect(parseDirection(text, SIDES)).toEqual({ from, to });
  });

  test.each(['', '>', 'inner>', '>outer', 'inner>outer>mpls', 'sideways', 'in>out'])(
    '%p is refused with RTPC_BAD_PARAMETER, saying what is allowed',
    (text) => {
      const failure = parseDirection(text, SIDES);
      expect(failure).toMatchObject({ code: 'RTPC_BAD_PARAMETER' });
      expect(failure instanceof Failure && failure.message).toContain(`"${text}"`);
      expect(failure instanceof Failure && failure.message).toContain('inner, outer, mpls');
    },
  );

  test('written is read as the same, for all sides', () => {
    const side = fc.constantFrom(...SIDES.names);
    fc.assert(
      fc.property(side, side, (from, to) => {
        expect(parseDirection(formatDirection({ from, to }), SIDES)).toEqual({ from, to });
        expect(reverse(reverse({ from, to }))).toEqual({ from, to });
      }),
    );
    expect(reverse({ from: 'inner', to: 'outer' })).toEqual({ from: 'outer', to: 'inner' });
  });
});
