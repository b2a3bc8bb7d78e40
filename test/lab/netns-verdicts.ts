/** What comes out of calls in the namespaces, counted, and the table of it. */

import type { Relay } from './netns.ts';
import type { LabCall } from './netns-call.ts';

export interface Verdict {
  readonly scenario: string;
  readonly calls: number;
  /** Calls in which somebody talked, and in how many of them both heard what they should, and nothing else. */
  readonly talked: number;
  readonly heard: number;
  /** Calls whose SDPs all named the right address, of one relay. */
  readonly rightAddress: number;
  /** Sessions left on relays and in the appliance. */
  readonly leftover: number;
  readonly relays: ReadonlySet<Relay>;
  readonly complaints: readonly string[];
}

export function verdictOf(scenario: string, calls: readonly LabCall[], leftover: number): Verdict {
  const judged = calls.map((call) => call.judge());

  return {
    scenario,
    calls: calls.length,
    talked: judged.filter(({ isHeard }) => isHeard !== undefined).length,
    heard: judged.filter(({ isHeard }) => isHeard === true).length,
    rightAddress: judged.filter(({ isAddressRight }) => isAddressRight).length,
    leftover,
    relays: new Set(judged.flatMap(({ relay }) => (relay === undefined ? [] : [relay]))),
    complaints: judged.flatMap(({ complaints }, index) =>
      complaints.map((complaint) => `${calls[index]?.id}: ${complaint}`),
    ),
  };
}

export function isGood({ calls, talked, heard, rightAddress, leftover }: Verdict): boolean {
  return calls > 0 && heard === talked && rightAddress === calls && leftover === 0;
}

const HEADS = ['scenario', 'calls', 'two-way audio', 'right address', 'left over', 'relays used', 'verdict'];

/** The table, for people. */
export function verdictTable(verdicts: readonly Verdict[]): string {
  const total: Verdict = {
    scenario: 'all',
    calls: sum(verdicts, 'calls'),
    talked: sum(verdicts, 'talked'),
    heard: sum(verdicts, 'heard'),
    rightAddress: sum(verdicts, 'rightAddress'),
    leftover: sum(verdicts, 'leftover'),
    relays: new Set(verdicts.flatMap(({ relays }) => [...relays])),
    complaints: [],
  };
  const rows = [
    HEADS,
    ...[...verdicts, total].map((verdict) => [
      verdict.scenario,
      String(verdict.calls),
      verdict.talked === 0 ? '-' : `${verdict.heard}/${verdict.talked}`,
      `${verdict.rightAddress}/${verdict.calls}`,
      String(verdict.leftover),
      `${verdict.relays.size}/4`,
      isGood(verdict) ? 'good' : 'BAD',
    ]),
  ];
  const widths = HEADS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));

  return rows
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

function sum(
  verdicts: readonly Verdict[],
  what: 'calls' | 'talked' | 'heard' | 'rightAddress' | 'leftover',
): number {
  return verdicts.reduce((total, verdict) => total + verdict[what], 0);
}
