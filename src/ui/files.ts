/** The files of the dashboard, as they are inside the program. */

import { bundlePage } from './bundle.ts' with { type: 'macro' };

/** A file of the page. */
export interface PageFile {
  /** For `Content-Type`. */
  readonly type: string;
  /** Of the content: the name changes with it, but for that of the page itself. */
  readonly etag: string;
  readonly gzip: Uint8Array<ArrayBuffer>;
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** What a browser begins with. */
export const INDEX = 'index.html';

/** All files by name, with `index.html`. */
export const PAGE_FILES: ReadonlyMap<string, PageFile> = new Map(
  Object.entries(bundlePage()).map(([name, content]) => {
    const gzip = Uint8Array.fromBase64(content);
    const type = TYPES[name.slice(name.lastIndexOf('.') + 1)] ?? 'application/octet-stream';

    return [name, { type, etag: `"${Bun.hash(gzip).toString(36)}"`, gzip }];
  }),
);
