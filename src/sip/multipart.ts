/** Finds the SDP in a SIP body, whatever the Content-Type claims. Bodies are byte strings. */

/** Where the SDP is in a body. */
export interface SdpPart {
  readonly start: number;
  readonly end: number;
  /** Where the digits of the part's own Content-Length are, if it has one. */
  readonly length?: { readonly start: number; readonly end: number };
}

/** Multiparts inside multiparts that are followed. */
const MAX_DEPTH = 4;

/**
 * Finds the SDP. The body itself decides, not its header: proxies cut or mangle Content-Type (reference: sip-proxies 2.3).
 * `v=` is SDP, `--` a multipart (RFC 2046 section 5.1) whose first line is the boundary.
 */
export function findSdp(body: string): SdpPart | undefined {
  return findIn(body, 0, body.length, 0);
}

function findIn(body: string, from: number, end: number, depth: number): SdpPart | undefined {
  const start = skipBlank(body, from, end);
  if (body.startsWith('v=', start)) return { start, end };
  if (!body.startsWith('--', start) || depth === MAX_DEPTH) return undefined;
  const lineEnd = body.indexOf('\n', start);
  if (lineEnd === -1) return undefined;
  const delimiter = body.slice(start, lineEnd).trimEnd();
  let next = start;
  while (next !== -1 && next < end) {
    const headerStart = body.indexOf('\n', next) + 1;
    if (headerStart === 0 || body.startsWith(`${delimiter}--`, next)) return undefined;
    next = body.indexOf(`\n${delimiter}`, headerStart - 1);
    const partEnd = next === -1 ? end : next > headerStart && body[next - 1] === '\r' ? next - 1 : next;
    if (next !== -1) next += 1;
    const part = readPart(body, headerStart, partEnd, depth);
    if (part !== undefined) return part;
  }

  return undefined;
}

function readPart(body: string, headerStart: number, end: number, depth: number): SdpPart | undefined {
  // A part without headers starts with the blank line itself.
  const blank = /\r?\n\r?\n|^\r?\n/.exec(body.slice(headerStart, end));
  if (blank === null) return undefined;
  const start = headerStart + blank.index + blank[0].length;
  const headers = body.slice(headerStart, headerStart + blank.index);
  const type = /^content-type[ \t]*:[ \t]*([^;\r\n]+)/im.exec(headers)?.[1]?.trim().toLowerCase();
  if (type?.startsWith('multipart/')) return findIn(body, start, end, depth + 1);
  if (type !== 'application/sdp') return undefined;
  const length = /^(content-length[ \t]*:[ \t]*)(\d+)/im.exec(headers);
  if (length === null) return { start, end };
  const digits = headerStart + length.index + (length[1]?.length ?? 0);

  return { start, end, length: { start: digits, end: digits + (length[2]?.length ?? 0) } };
}

function skipBlank(body: string, from: number, end: number): number {
  let at = from;
  while (at < end && (body[at] === '\r' || body[at] === '\n')) at++;

  return at;
}

/** The body with another SDP in the same place; everything else byte for byte. */
export function replaceSdp(body: string, part: SdpPart, sdp: string): string {
  const head =
    part.length === undefined
      ? body.slice(0, part.start)
      : body.slice(0, part.length.start) + sdp.length + body.slice(part.length.end, part.start);

  return head + sdp + body.slice(part.end);
}
