/** What a look at a node found, for people: a line for each check, and below what to do. */

import { type JsonObject, listOf, textOf } from './json.ts';
import { type Look, tinted } from './style.ts';
import { formatRows } from './table.ts';

const INDENT = '  ';

/** The checks of a report, as `POST /v1/nodes/{id}/check` answers. */
export function reportLines(report: unknown, look: Look): string[] {
  const rows = listOf(report, 'checks').flatMap((check) => {
    const advice = textOf(check, 'advice');
    const row = [tinted(textOf(check, 'result')), nameOf(check), textOf(check, 'detail')];

    return advice === '' ? [row] : [row, ['', '', `do: ${advice}`]];
  });

  return formatRows(rows, look, INDENT);
}

/** `address outer IP6`; the family of IPv4, which most have alone, goes without saying. */
function nameOf(check: JsonObject): string {
  const family = textOf(check, 'family');

  return [textOf(check, 'check'), textOf(check, 'side'), family === 'IP4' ? '' : family]
    .filter((part) => part !== '')
    .join(' ');
}
