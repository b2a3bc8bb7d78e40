/** The one kind of sorting that placement needs. */

/** The things with the lowest number first, each asked for its number once; equal ones stay in their order. */
export function sortBy<T>(things: readonly T[], numberOf: (thing: T) => number): T[] {
  return things
    .map((thing) => ({ thing, key: numberOf(thing) }))
    .sort((a, b) => a.key - b.key)
    .map(({ thing }) => thing);
}
