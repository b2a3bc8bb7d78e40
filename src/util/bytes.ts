/** Byte strings (one character per byte) and text. SIP bodies and tags are bytes; JSON is text. */

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A byte string as text: read as UTF-8 where it is valid, else taken as Latin-1. What is no byte string is text already. */
export function toText(bytes: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
  if (/^[\x00-\x7f]*$/.test(bytes) || /[^\x00-\xff]/.test(bytes)) return bytes;
  try {
    return utf8.decode(Buffer.from(bytes, 'latin1'));
  } catch {
    return bytes;
  }
}

/** Text as the byte string of its UTF-8 form. */
export function fromText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range is that of ASCII
  return /^[\x00-\x7f]*$/.test(text) ? text : Buffer.from(text, 'utf8').toString('latin1');
}

/** Undoes percent-encoding, byte by byte; a `%` without two hex digits stays as it is. */
export function percentDecode(text: string): string {
  if (!text.includes('%')) return text;

  return text.replace(/%([0-9a-f]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}
