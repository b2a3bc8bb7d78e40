/** Kinds of events, and the patterns that name several of them. */

/** `node.removed`, `node.*` for all that begin with `node.`, `*` for all. */
const PATTERN = /^(?=.{1,64}$)(?:\*|[a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*(?:\.\*)?)$/;

/** What a pattern may be; completes "allowed is". */
export const KIND_RULE = 'the kind of an event such as node.removed, node.* for all of node, or *';

/** A pattern as it is kept, undefined if it is none. */
export function readKindPattern(text: string): string | undefined {
  const pattern = text.trim();

  return PATTERN.test(pattern) ? pattern : undefined;
}

/** Whether one of the patterns names a kind. */
export function matchesKind(patterns: readonly string[], kind: string): boolean {
  return patterns.some(
    (pattern) =>
      pattern === kind ||
      pattern === '*' ||
      (pattern.endsWith('.*') && kind.startsWith(pattern.slice(0, -1))),
  );
}
