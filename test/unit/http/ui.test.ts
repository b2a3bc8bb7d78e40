/** The files of the dashboard on the wire. */

import { describe, expect, test } from 'bun:test';
import { PAGE_FILES } from '../../../src/ui/files.ts';
import { admins, makeApi } from './api.ts';

/** What the whole page may weigh, compressed, bytes. */
const MAX_BYTES = 250_000;

const api = makeApi({ guard: { tokens: admins('correct-horse-battery') } });
const page = await (await api.ask('GET', '/')).text();
const PATHS = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = '']) => path);
const script = PATHS.find((path) => path.endsWith('.js')) ?? '';

test('the page is there without a token, and names files that are there too', async () => {
  expect(PATHS.length).toBe(3);
  for (const path of PATHS) {
    expect(path).toMatch(/^\/ui\/[a-z]+-[a-z0-9]+\.(?:js|css|svg)$/);
    const response = await api.ask('GET', path);
    expect([path, response.status, (await response.arrayBuffer()).byteLength > 100]).toEqual([
      path,
      200,
      true,
    ]);
  }
  expect(PAGE_FILES.size).toBe(PATHS.length + 1);
});

test('all of it together weighs little', () => {
  const sizes = [...PAGE_FILES].map(([name, { gzip }]) => [name, gzip.length] as const);
  const sum = sizes.reduce((all, [, size]) => all + size, 0);
  console.log(
    `the page: ${sum} bytes of gzip (${sizes.map(([name, size]) => `${name} ${size}`).join(', ')})`,
  );
  expect(sum).toBeLessThan(MAX_BYTES);
});

test('nothing in it asks another host', async () => {
  const stylesheet = PATHS.find((path) => path.endsWith('.css')) ?? '';
  const css = await (await api.ask('GET', stylesheet)).text();
  expect(css).not.toMatch(/url\(\s*["']?(?!data:)|@import/);
  expect(page).not.toMatch(/<script(?![^>]*src=)|<style|\son[a-z]+=|\sstyle=/i);
});

describe('headers', () => {
  test('let nothing in but what this program serves', async () => {
    for (const path of ['/', script]) {
      const { headers } = await api.ask('GET', path);
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
    }
  });

  test('let a browser keep the files for good, and ask for the page anew', async () => {
    const { headers } = await api.ask('GET', '/');
    expect(headers.get('cache-control')).toBe('no-cache');
    const etag = headers.get('etag') ?? '';
    expect(etag).toMatch(/^"\w+"$/);
    for (const given of [etag, `W/${etag}`, `"other", ${etag}`]) {
      const response = await api.ask('GET', '/', { headers: { 'if-none-match': given } });
      expect([response.status, await response.text()]).toEqual([304, '']);
    }
    expect((await api.ask('GET', '/', { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
    expect((await api.ask('GET', script)).headers.get('cache-control')).toBe(
      'public, max-age=31536000, immutable',
    );
  });

  test.each([
    ['gzip', true],
    ['br, GZIP;q=0.5', true],
    ['*', true],
    ['', false],
    ['br', false],
    ['gzip;q=0', false],
    ['gzip; q=0.0, br', false],
  ])('"%s" is answered in kind', async (accepted, isCompressed) => {
    const response = await api.ask('GET', script, { headers: { 'accept-encoding': accepted } });
    expect(response.headers.get('vary')).toBe('Accept-Encoding');
    expect(response.headers.get('content-encoding')).toBe(isCompressed ? 'gzip' : null);
    const body = new Uint8Array(await response.arrayBuffer());
    const text = Buffer.from(isCompressed ? Bun.gunzipSync(body) : body).toString();
    expect(text).toContain('/v1/session');
  });
});

test('HEAD is answered without a body', async () => {
  const response = await api.ask('HEAD', '/');
  expect([response.status, await response.text()]).toEqual([200, '']);
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
});

test.each(['/ui/', '/ui/index.html', '/ui/..%2fetc%2fpasswd', '/ui/nothing.js', '/ui/constructor'])(
  '%s is no file of it',
  async (path) => {
    expect(
      (await api.ask('GET', path, { headers: { authorization: 'Bearer correct-horse-battery' } })).status,
    ).toBe(404);
  },
);

test('a host that is not served here does not get it either', async () => {
  for (const path of ['/', script])
    expect((await api.ask('GET', path, { headers: { host: 'evil.example.org' } })).status).toBe(404);
});
