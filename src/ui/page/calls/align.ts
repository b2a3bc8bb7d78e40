/** Finds what two lists have in common, in order: what comparing lines, and the words of a line, is made of. */

/** A pair of indexes, of the first and of the second list, whose items belong together. */
export type Pair = readonly [number, number];

/**
 * Lists whose lengths, without what is the same at both ends, multiply to more than this are paired from both ends only: the table would take too long to fill and too
 * much memory (four bytes a cell).
 */
export const MAX_CELLS = 1_000_000;

/**
 * The longest common subsequence of two lists, as pairs in order.
 * @param isSame whether two items belong together; asked once for each cell of the table
 */
export function align<T>(
  left: readonly T[],
  right: readonly T[],
  isSame: (a: T, b: T) => boolean,
  maxCells = MAX_CELLS,
): Pair[] {
  const shorter = Math.min(left.length, right.length);
  let start = 0;
  while (start < shorter && same(start, start)) start++;
  let end = 0;
  while (end < shorter - start && same(left.length - 1 - end, right.length - 1 - end)) end++;
  const pairs: Pair[] = [];
  for (let index = 0; index < start; index++) pairs.push([index, index]);
  pairs.push(...middle(start, left.length - end, right.length - end));
  for (let index = end; index > 0; index--) pairs.push([left.length - index, right.length - index]);

  return pairs;

  function same(a: number, b: number): boolean {
    return isSame(left[a] as T, right[b] as T);
  }

  function middle(from: number, leftEnd: number, rightEnd: number): Pair[] {
    const height = leftEnd - from;
    const width = rightEnd - from;
    if (height === 0 || width === 0 || height * width > maxCells) return [];
    // lengths[row][column]: longest common part of what follows from there.
    const lengths = new Uint32Array((height + 1) * (width + 1));
    const isPair = new Uint8Array(height * width);
    for (let row = height - 1; row >= 0; row--) {
      for (let column = width - 1; column >= 0; column--) {
        const isHit = same(from + row, from + column);
        if (isHit) isPair[row * width + column] = 1;
        lengths[row * (width + 1) + column] = isHit
          ? at(lengths, (row + 1) * (width + 1) + column + 1) + 1
          : Math.max(
              at(lengths, (row + 1) * (width + 1) + column),
              at(lengths, row * (width + 1) + column + 1),
            );
      }
    }
    const found: Pair[] = [];
    for (let row = 0, column = 0; row < height && column < width; ) {
      if (at(isPair, row * width + column) === 1) found.push([from + row++, from + column++]);
      else if (at(lengths, (row + 1) * (width + 1) + column) >= at(lengths, row * (width + 1) + column + 1))
        row++;
      else column++;
    }

    return found;
  }
}

/** A number of a table that is known to be there. */
function at(table: Uint32Array | Uint8Array, index: number): number {
  return table[index] ?? 0;
}
