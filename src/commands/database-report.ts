/** The database as text, for `check --database` and the support bundle, and as JSON. */

import type { DatabaseCheckup } from '../store/checkup.ts';
import { counted, formatTable, size, timeText } from './table.ts';

/** Lines about a database; its problems are told apart. */
export function databaseLines(path: string, { content, problems }: DatabaseCheckup): string[] {
  if (content === undefined)
    return problems.length > 0 ? [] : [`Database: ${path} does not exist; the service makes it.`];
  const { bytes, logBytes, done, pending, rows, counts } = content;
  const { liveCalls, nodes, strays, newest } = counts;
  const state = newest === null ? 'nothing has happened in it' : `the newest entry is of ${timeText(newest)}`;
  const todo =
    pending.length === 0
      ? '0 to do'
      : `${pending.length} to do at the next start (${pending.join(', ')})${problems.length === 0 ? ', tried on a copy: good' : ''}`;

  return [
    `Database: ${path}, ${size(bytes)}${logBytes === 0 ? '' : ` and a log of ${size(logBytes)}`}; ${state}.`,
    ...(problems.length === 0 ? ['It is whole: every page, index and reference was read.'] : []),
    `Migrations: ${done.length} done, ${todo}.`,
    `Without it these would be lost: ${counted(liveCalls, 'live call')}, ${counted(nodes, 'node')}, ${counted(strays, 'delete')} that no node has confirmed.`,
    ...formatTable(
      ['TABLE', 'ROWS'],
      rows.map(([table, count]) => [table, String(count)]),
    ),
  ];
}

/** The same for programs. */
export function databaseFacts(path: string, { content, problems }: DatabaseCheckup): object {
  if (content === undefined) return { path, exists: problems.length > 0, problems };
  const { bytes, logBytes, done, pending, rows, counts } = content;

  return {
    path,
    exists: true,
    problems,
    bytes,
    log_bytes: logBytes,
    migrations: { done, pending },
    live_calls: counts.liveCalls,
    nodes: counts.nodes,
    strays: counts.strays,
    newest: counts.newest,
    rows: Object.fromEntries(rows),
  };
}
