/** Where in the page somebody is: the part of the address behind `#`, as in `#/nodes/3?span=week`. */

import { signal } from '@preact/signals';

export interface Place {
  /** Parts of the path, decoded: `['nodes', '3']`; none for the overview. */
  readonly path: readonly string[];
  readonly query: URLSearchParams;
}

function read(): Place {
  const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);

  return { path: path.split('/').filter(Boolean).map(decoded), query: new URLSearchParams(query) };
}

export const place = signal<Place>(read());
addEventListener('hashchange', () => {
  place.value = read();
});

/** The address of a place; query values that are empty are left out. */
export function href(
  path: readonly (string | number)[],
  query: Readonly<Record<string, string | number | undefined>> = {},
): string {
  const pairs = Object.entries(query).flatMap(([key, value]) =>
    value === undefined || value === '' ? [] : [[key, String(value)]],
  );
  const text = new URLSearchParams(pairs).toString();

  return `#/${path.map((part) => encodeURIComponent(part)).join('/')}${text === '' ? '' : `?${text}`}`;
}

export function go(to: string): void {
  location.hash = to;
}

/** Changes the query of this place without a step in the history; empty values go. */
export function setQuery(changes: Readonly<Record<string, string | number | undefined>>): void {
  const { path, query } = place.peek();
  const to = href(path, { ...Object.fromEntries(query), ...changes });
  if (to === location.hash || (to === '#/' && location.hash === '')) return;
  history.replaceState(null, '', to);
  place.value = read();
}

/** The values of a pattern such as `['nodes', ':id']` in a path; undefined if it does not fit. */
export function match(
  pattern: readonly string[],
  path: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (pattern.length !== path.length) return undefined;
  const values: Record<string, string> = {};
  for (const [index, part] of pattern.entries()) {
    const given = path[index] ?? '';
    if (part.startsWith(':')) values[part.slice(1)] = given;
    else if (part !== given) return undefined;
  }

  return values;
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
