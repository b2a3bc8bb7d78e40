/** What a relay changed in an SDP, line by line. */

/** A line that both have, that only the first has, or only the second. */
export interface DiffLine {
  readonly mark: ' ' | '-' | '+';
  readonly text: string;
}

/** More pairs of lines are not compared: an SDP has a hundred lines, a hostile one all there is room for. */
const MAX_PAIRS = 1_000_000;

/** The lines of two texts, those they share once; of the others the old ones before the new ones. */
export function diffSdp(before: string, after: string): DiffLine[] {
  const [a, b] = [linesOf(before), linesOf(after)];
  if (a.length * b.length > MAX_PAIRS)
    return [
      ...a.map((text) => ({ mark: '-' as const, text })),
      ...b.map((text) => ({ mark: '+' as const, text })),
    ];
  const shared = longestShared(a, b);
  const diff: DiffLine[] = [];
  let [i, j] = [0, 0];
  for (const [x, y] of [...shared, [a.length, b.length] as const]) {
    for (; i < x; i++) diff.push({ mark: '-', text: a[i] ?? '' });
    for (; j < y; j++) diff.push({ mark: '+', text: b[j] ?? '' });
    if (i < a.length && j < b.length) diff.push({ mark: ' ', text: a[i] ?? '' });
    i++;
    j++;
  }

  return diff;
}

function linesOf(text: string): string[] {
  return text.split(/\r\n|\r|\n/).filter((line) => line !== '');
}

/** Places of the longest row of lines that both have in the same order. */
function longestShared(a: readonly string[], b: readonly string[]): (readonly [number, number])[] {
  const width = b.length + 1;
  const lengths = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      lengths[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const places: [number, number][] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    if (a[i] === b[j]) places.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i++;
    else j++;
  }

  return places;
}
