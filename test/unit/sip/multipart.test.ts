import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { findSdp, replaceSdp } from '../../../src/sip/multipart.ts';

const SDP =
  'v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n';
const ISUP = '\x01\x11\x48\x00\xff\x0a\x03--\x90';

function found(body: string): string | undefined {
  const part = findSdp(body);

  return part === undefined ? undefined : body.slice(part.start, part.end);
}

function swapped(body: string, sdp: string): string {
  const part = findSdp(body);
  if (part === undefined) throw new Error('there is no SDP');

  return replaceSdp(body, part, sdp);
}

function part(type: string, content: string, ...headers: string[]): string {
  return [`Content-Type: ${type}`, ...headers, '', content].join('\r\n');
}

function multipart(boundary: string, ...parts: string[]): string {
  return `${parts.map((each) => `--${boundary}\r\n${each}\r\n`).join('')}--${boundary}--\r\n`;
}

describe('the SDP in a body', () => {
  test('is the body itself if that starts with v=', () => {
    expect(findSdp(SDP)).toEqual({ start: 0, end: SDP.length });
  });

  test('is found after blank lines', () => {
    expect(found(`\r\n\n${SDP}`)).toBe(SDP);
  });

  test.each(['', 'hello', '{"sdp":"v=0"}', 'xv=0', '--', '--x', '--x\r\n', '--x--\r\n', '\r\n'])(
    'is not there in %p',
    (body) => {
      expect(findSdp(body)).toBeUndefined();
    },
  );

  test.each([
    ['application/sdp'],
    ['APPLICATION/SDP'],
    ['application/sdp; charset=utf-8'],
    [' application/sdp '],
    ['\r\n application/sdp'],
  ])('is the part of type %p', (type) => {
    expect(found(multipart('b1', part('application/isup', ISUP), part(type, SDP)))).toBe(SDP);
  });

  test('is found whether it is the first part, the last or the only one', () => {
    const isup = part('application/isup', ISUP);
    const sdp = part('application/sdp', SDP);
    for (const parts of [[sdp], [sdp, isup], [isup, sdp], [isup, sdp, isup]]) {
      expect(found(multipart('b1', ...parts))).toBe(SDP);
    }
  });

  test('is not another part that happens to start with v=', () => {
    expect(found(multipart('b1', part('text/plain', SDP)))).toBeUndefined();
    expect(found(multipart('b1', `\r\n${SDP}`))).toBeUndefined();
  });

  test('is found with LF line ends alone, and its own line ends stay', () => {
    const sdp = SDP.replaceAll('\r\n', '\n');
    const body = `--b1\nContent-Type: application/isup\n\nxx\n--b1\nContent-Type: application/sdp\n\n${sdp}\n--b1--\n`;
    expect(found(body)).toBe(sdp);
  });

  test('is found without a closing boundary', () => {
    expect(found(`--b1\r\n${part('application/sdp', SDP)}`)).toBe(SDP);
  });

  test('is found where white space follows the boundary', () => {
    expect(found(`--b1 \r\n${part('application/sdp', SDP)}\r\n--b1 \r\n${part('a/b', 'x')}\r\n--b1-- `)).toBe(
      SDP,
    );
  });

  test('is found after a preamble, which the grammar allows', () => {
    expect(found(`This is a multi-part message.\r\n${multipart('b1', part('application/sdp', SDP))}`)).toBe(
      SDP,
    );
    expect(found(`\r\n${multipart('b1', part('application/sdp', SDP))}`)).toBe(SDP);
  });

  test('is not looked for in what follows the closing boundary', () => {
    const epilogue = `--b1\r\n${part('application/sdp', SDP)}\r\n`;
    expect(found(`${multipart('b1', part('text/plain', 'x'))}${epilogue}`)).toBeUndefined();
  });

  test('is found in a multipart within a multipart, down to four levels', () => {
    let body = multipart('b0', part('application/sdp', SDP));
    const depths: (string | undefined)[] = [];
    for (let depth = 1; depth <= 4; depth++) {
      body = multipart(`b${depth}`, part(`multipart/mixed; boundary=b${depth - 1}`, body));
      depths.push(found(body));
    }
    expect(depths).toEqual([SDP, SDP, SDP, undefined]);
  });

  test.each([
    ['outer', 'outer-inner'],
    ['outer', 'outer--x'],
    ['outer--x', 'outer'],
  ])('is found when the boundary %p stands beside %p', (outer, inner) => {
    const nested = multipart(inner, part('text/plain', 'x'), part('text/html', 'y'));
    const body = multipart(outer, part('multipart/alternative', nested), part('application/sdp', SDP));
    expect(found(body)).toBe(SDP);
    const deep = multipart(inner, part('text/plain', 'x'), part('application/sdp', SDP));
    expect(found(multipart(outer, part('multipart/mixed', deep), part('a/b', 'x')))).toBe(SDP);
  });

  test('an inner multipart ends where its part ends, closed or not', () => {
    const open = `--in\r\n${part('application/sdp', SDP)}`;
    const body = multipart(
      'out',
      part('multipart/mixed', open),
      part('multipart/mixed', `--in\r\n${part('a/b', 'x')}`),
    );
    expect(found(body)).toBe(SDP);
  });

  test('is found in linear time in a body made to be slow', () => {
    const body = `--b\r\n${'\r\n--bb'.repeat(20_000)}\r\n--b\r\n${part('application/sdp', SDP)}\r\n--b--`;
    expect(found(body)).toBe(SDP);
  });
});

describe('another SDP in the same place', () => {
  const body = multipart(
    'b1',
    part('application/isup;version=nxv3', ISUP, 'Content-Disposition: signal;handling=optional'),
    part('application/sdp', SDP, `Content-Length: ${SDP.length}`, 'Content-Disposition: session'),
    part('application/pidf+xml', '<presence/>', 'Content-ID: <x@y>'),
  );

  test('keeps order, headers and the other parts, and sets the part own Content-Length', () => {
    const other = `${SDP}a=sendonly\r\n`;
    expect(swapped(body, other)).toBe(
      body.replace(SDP, other).replace(`Content-Length: ${SDP.length}`, `Content-Length: ${other.length}`),
    );
  });

  test.each(['content-length:%', 'Content-Length \t:\t%', 'CONTENT-LENGTH: %'])(
    'finds %p however it is written',
    (header) => {
      const spelled = multipart('b1', part('application/sdp', SDP, header.replace('%', '999')));
      expect(swapped(spelled, 'v=0\r\n')).toContain(`${header.replace('%', '5')}\r\n`);
    },
  );

  test('leaves the Content-Length of other parts and of the SDP text alone', () => {
    const tricky = multipart(
      'b1',
      part('text/plain', 'x', 'Content-Length: 1'),
      part('application/sdp', `${SDP}Content-Length: 7\r\n`),
    );
    expect(swapped(tricky, SDP)).toBe(tricky.replace('Content-Length: 7\r\n', ''));
  });

  test('is the whole body if the body is bare', () => {
    expect(swapped(SDP, 'v=0\r\nx')).toBe('v=0\r\nx');
    expect(swapped(`\r\n${SDP}`, 'v=0\r\n')).toBe('\r\nv=0\r\n');
  });

  test('leaves everything else byte for byte, whatever the parts are', () => {
    const byte = fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code));
    const content = fc.string({ unit: byte, maxLength: 40 }).filter((text) => !text.includes('--'));
    const header = fc.constantFrom(
      'X-A: 1',
      'Content-Length: 12',
      'Content-ID: <a@b>',
      'Content-Encoding: binary',
    );
    const other = fc
      .tuple(
        fc.constantFrom('application/isup', 'text/plain', 'image/png'),
        content,
        fc.array(header, { maxLength: 2 }),
      )
      .map(([type, text, headers]) => part(type, text, ...headers));
    const boundary = fc.stringMatching(/^[A-Za-z0-9'+_.=-]{1,20}$/).filter((text) => !text.includes('--'));
    const end = fc.constantFrom('\r\n', '\n');
    fc.assert(
      fc.property(
        boundary,
        fc.array(other, { maxLength: 3 }),
        fc.array(other, { maxLength: 3 }),
        end,
        content,
        (name, before, after, lineEnd, tail) => {
          const sdpHead = `--${name}${lineEnd}Content-Type: application/sdp${lineEnd}${lineEnd}`;
          const first = before.map((each) => `--${name}\r\n${each}\r\n`).join('');
          const last = after.map((each) => `--${name}\r\n${each}\r\n`).join('');
          const whole = `${first}${sdpHead}${SDP}${lineEnd}${last}--${name}--\r\n`;
          const sdp = `v=0\r\n${tail}`;
          expect(found(whole)).toBe(SDP);
          expect(swapped(whole, sdp)).toBe(`${first}${sdpHead}${sdp}${lineEnd}${last}--${name}--\r\n`);
          expect(swapped(whole, SDP)).toBe(whole);
        },
      ),
      { numRuns: 1000 },
    );
  });

  test('never fails, whatever the body', () => {
    const piece = fc.constantFrom(
      '--',
      'b',
      '\r\n',
      '\n',
      ' ',
      'v=0',
      'Content-Type: application/sdp',
      'Content-Type: multipart/x',
      'Content-Length: 3',
      '\x00',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (pieces) => {
        const body = pieces.join('');
        const where = findSdp(body);
        if (where === undefined) return;
        expect(where.start).toBeLessThanOrEqual(where.end);
        expect(where.end).toBeLessThanOrEqual(body.length);
        expect(replaceSdp(body, where, body.slice(where.start, where.end)).length).toBeGreaterThan(0);
      }),
      { numRuns: 2000 },
    );
  });
});
