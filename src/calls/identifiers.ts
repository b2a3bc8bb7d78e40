/** What Call-IDs and tags may be, whatever door they come through. */

/** Longest Call-ID and longest tag or branch id, bytes. SIP sets none; longer ones are attacks on tables and logs. */
export const MAX_CALL_ID = 1024;
export const MAX_TAG = 512;

/**
 * What is wrong with an identifier, in words that follow its name; undefined if it can be used.
 * RFC 3261 section 25.1: no white space and no control characters in words and tokens.
 */
export function findFault(identifier: string, max: number): string | undefined {
  if (identifier.length > max) return `has ${identifier.length} bytes; at most ${max} are allowed`;
  for (let i = 0; i < identifier.length; i++) {
    const code = identifier.charCodeAt(i);
    if (code <= 32 || code === 127) {
      return `has the byte ${code} at position ${i}; white space and control characters are not allowed`;
    }
  }

  return undefined;
}
