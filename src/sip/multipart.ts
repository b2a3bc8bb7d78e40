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
 * `v=` is SDP, `--` a multipart (RFC 2046 section 5.1): its first line, or the first after a preamble, is the boundary.
 */
export function findSdp(body: string): SdpPart | undefined {
  return findIn(body, 0, body.length, 0);
}

function findIn(body: string, from: number, end: number, depth: number): SdpPart | undefined {
  const start = skipBlank(body, from, end);
  if (body.startsWith('v=', start)) return { start, end };
  if (depth === MAX_DEPTH) return undefined;
  let next = body.startsWith('--', start) ? start : body.indexOf('\n--', start) + 1;
  const lineEnd = body.indexOf('\n', next);
  if (!body.startsWith('--', next) || lineEnd === -1) return undefined;
  const delimiter = body.slice(next, lineEnd).trimEnd();
  while (next < end) {
    const headerStart = body.indexOf('\n', next) + 1;
    if (headerStart === 0 || body.startsWith(`${delimiter}--`, next)) return undefined;
    next = nextDelimiter(body, delimiter, headerStart - 1, end);
    const newline = next - 1;
    const partEnd =
      next === end ? end : newline > headerStart && body[newline - 1] === '\r' ? newline - 1 : newline;
    const part = readPart(body, headerStart, partEnd, depth);
    if (part !== undefined) return part;
  }

  return undefined;
}

/** Where the next delimiter line begins, or `end`. A line that only starts like it belongs to another multipart. */
function nextDelimiter(body: string, delimiter: string, from: number, end: number): number {
  for (let at = from; ; ) {
    const newline = body.indexOf(`\n${delimiter}`, at);
    if (newline === -1 || newline >= end) return end;
    const rest = newline + 1 + delimiter.length;
    const lineEnd = body.indexOf('\n', rest);
    if (/^(--)?[ \t]*\r?$/.test(body.slice(rest, lineEnd === -1 ? undefined : lineEnd))) return newline + 1;
    at = newline + 1;
  }
}

function readPart(body: string, headerStart: number, end: number, depth: number): SdpPart | undefined {
  // A part without headers starts with the blank line itself.
  const blank = /\r?\n\r?\n|^\r?\n/.exec(body.slice(headerStart, end));
  if (blank === null) return undefined;
  const start = headerStart + blank.index + blank[0].length;
  const headers = body.slice(headerStart, headerStart + blank.index);
  const type = /^content-type[ \t]*:\s*([^;\r\n]+)/im.exec(headers)?.[1]?.trim().toLowerCase();
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
