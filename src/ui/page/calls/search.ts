/** A search for calls: as the address of the page has it, and as the API is asked. */

/** States that can be asked for. */
export const STATES = ['live', 'announced', 'early', 'confirmed', 'ended', 'all'] as const;
export type SearchState = (typeof STATES)[number];

/** When a call began; `range` has a time from and until of its own. */
export const SPANS = { any: 0, '15m': 15 * 60_000, '1h': 3_600_000, '24h': 86_400_000, range: 0 } as const;
export type Span = keyof typeof SPANS;

export interface Search {
  /** A part of the Call-ID, or the whole; one or two characters find a Call-ID of just these. */
  readonly text: string;
  readonly state: SearchState;
  /** Ids as typed; '' for any. */
  readonly node: string;
  readonly set: string;
  readonly began: Span;
  /** Local times as a browser's field has them, `2026-01-05T10:00`; '' for none. */
  readonly from: string;
  readonly until: string;
}

/** Calls on a page. */
export const PAGE_SIZE = 50;

export function readSearch(query: URLSearchParams): Search {
  const of = (key: string) => query.get(key)?.trim() ?? '';
  const state = STATES.find((one) => one === of('state'));
  const began = (Object.keys(SPANS) as Span[]).find((span) => span === of('began'));
  const isRange = of('from') !== '' || of('until') !== '';

  return {
    text: of('search'),
    state: state ?? 'live',
    node: digits(of('node')),
    set: digits(of('set')),
    began: began ?? (isRange ? 'range' : 'any'),
    from: of('from'),
    until: of('until'),
  };
}

/** The path of a page of calls. @param now UTC ms @param after `next` of the page before */
export function searchPath(search: Search, after: string | null, now: number): string {
  const query = new URLSearchParams({ state: search.state, order: 'newest', limit: String(PAGE_SIZE) });
  const put = (key: string, value: string | number | undefined | null) => {
    if (value !== undefined && value !== null && value !== '') query.set(key, String(value));
  };
  put('search', search.text);
  put('node', search.node);
  put('set', search.set);
  const since = search.began === 'range' ? momentOf(search.from) : now - SPANS[search.began];
  if (search.began !== 'any') put('since', since);
  if (search.began === 'range') put('until', momentOf(search.until));
  put('after', after);

  return `/v1/calls?${query}`;
}

/** Whether anything narrows the search, besides the state. */
export function isNarrow({ text, node, set, began }: Search): boolean {
  return text !== '' || node !== '' || set !== '' || began !== 'any';
}

function digits(text: string): string {
  return /^\d{1,10}$/.test(text) ? text : '';
}

/** UTC ms of a local time; undefined if it is none. */
function momentOf(text: string): number | undefined {
  const at = text === '' ? Number.NaN : new Date(text).getTime();

  return Number.isNaN(at) ? undefined : at;
}
