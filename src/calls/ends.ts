/** Calls that ended, by the reason: clients write what they like there, so all they may write is a few words here. */

const WORDS: ReadonlySet<string> = new Set([
  ...['bye', 'cancel', 'busy', 'delete'],
  ...['lost', 'idle', 'media timeout'],
]);

/** The word under which an end is counted: one of a few, the class of a final reply as `4xx`, or `other`. */
export function endWord(reason: string): string {
  if (WORDS.has(reason)) return reason;

  return /^[3-6]\d\d$/.test(reason) ? `${reason[0]}xx` : 'other';
}
