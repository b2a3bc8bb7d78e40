/** Times in a query: as the API gives them, or as people write them. */

import { Failure } from '../domain/errors.ts';

/** Reads UTC milliseconds or ISO 8601, UTC if it names no zone; undefined if there is none. */
export function readTime(name: string, text: string | undefined): number | undefined | Failure {
  if (text === undefined) return undefined;
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const iso = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(Z|[+-]\d\d:?\d\d)?)?$/i.exec(
    text,
  );
  const [, day = '', hour = '00:00', zone = 'Z'] = iso ?? [];
  const at = Date.parse(`${day}T${hour}${zone.toUpperCase()}`);

  return Number.isNaN(at)
    ? new Failure(
        'RTPC_BAD_PARAMETER',
        `${name} is "${text.slice(0, 64)}"; it must be UTC milliseconds or ISO 8601, as in 2026-11-23T12:00:00Z`,
      )
    : at;
}
