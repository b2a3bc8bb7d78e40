/** Every metric there is, in the order in which they are told. `docs/metrics.md` shows this table. */

import { CALL_METRICS } from './calls.ts';
import type { Family } from './family.ts';
import { FLEET_METRICS } from './fleet.ts';
import { REQUEST_METRICS } from './requests.ts';
import { SERVICE_METRICS } from './service.ts';
import { WIRE_METRICS } from './wire.ts';

const GROUPS: readonly (readonly [title: string, metrics: readonly Family[]])[] = [
  ['Requests and placement', REQUEST_METRICS],
  ['Calls', CALL_METRICS],
  ['Nodes and sets', FLEET_METRICS],
  ['Sockets', WIRE_METRICS],
  ['The service', SERVICE_METRICS],
];

export const METRICS: readonly Family[] = GROUPS.flatMap(([, metrics]) => metrics);

/** The table as Markdown, for the documents. */
export function metricsMarkdown(): string {
  const tables = GROUPS.map(([title, metrics]) => {
    const rows = metrics.map(
      ({ name, type, labels, help }) =>
        `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(', ')} | ${help} |`,
    );

    return [
      '',
      `## ${title}`,
      '',
      '| metric | type | labels | what it tells |',
      '| --- | --- | --- | --- |',
      ...rows,
    ];
  });

  return `${tables.flat().slice(1).join('\n')}\n`;
}
