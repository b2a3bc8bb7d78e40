/** The table of settings as text: for `--help`, as a commented file, and for the documents. */

import type { Setting } from './kinds.ts';
import { DEFAULT_FILE } from './load.ts';
import { envName, FIRST_SIDES, FIXED_ROWS, flagName, sideRows } from './rows.ts';

const WIDTH = 100;

/** Breaks text at blanks so that no line is longer than `width` where words allow. */
export function wrap(text: string, prefix: string, width = WIDTH): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && prefix.length + line.length + 1 + word.length > width) {
      lines.push(prefix + line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }

  return [...lines, prefix + line];
}

function sideRowList(side: string): Setting<unknown>[] {
  return Object.values(sideRows(side));
}

/** Flags of `serve` and `check`, one for each setting. */
export function settingsHelp(): string {
  const rows = [...FIXED_ROWS, ...sideRowList('NAME')];
  const entries = rows.flatMap((row) => [
    `  ${flagName(row.key).replace('-name-', '-NAME-')} VALUE`,
    ...wrap(row.reason, '      '),
    ...wrap(`Allowed: ${row.allowed}. Default: ${row.show(row.fallback)}`, '      '),
  ]);

  return [
    `  --config FILE`,
    ...wrap(
      `Settings file (TOML); also RTP_CLUSTER_CONFIG. Default: ${DEFAULT_FILE}, if it exists.`,
      '      ',
    ),
    ...entries,
    '',
    ...wrap(
      'Order: default, file, environment, flag; the later one wins. A setting such as http.listen is RTP_CLUSTER_HTTP_LISTEN in the environment and --http-listen as a flag; lists have commas there. A token is never a flag: RTP_CLUSTER_TOKEN or http.token_file.',
      '',
    ),
  ].join('\n');
}

/** A complete settings file: every setting with its reason, as a comment with its default. */
export function defaultConfig(): string {
  const lines = [
    '# Settings of rtp_cluster. Every value below is the default: take away the "#" in front of one to change it.',
    '# Order: default, this file, environment (RTP_CLUSTER_HTTP_LISTEN), flag (--http-listen); the later one wins.',
    '# Check with: rtp-cluster check --config FILE',
  ];
  const rows = [...FIXED_ROWS, ...FIRST_SIDES.flatMap(sideRowList)];
  let section = '';
  for (const row of rows) {
    const dot = row.key.lastIndexOf('.');
    if (row.key.slice(0, dot) !== section) {
      section = row.key.slice(0, dot);
      lines.push('', `[${section}]`);
    }
    lines.push(
      '',
      ...wrap(row.reason, '# '),
      ...wrap(`Allowed: ${row.allowed}.`, '# '),
      `#${row.key.slice(dot + 1)} = ${row.show(row.fallback)}`,
    );
  }
  lines.push('', '# Further sides appear by naming them:', '#[sides.mpls]', '#networks = ["10.64.0.0/10"]');

  return `${lines.join('\n')}\n`;
}

/** A setting as text. */
export interface SettingText {
  readonly key: string;
  /** As it would stand in the file. */
  readonly fallback: string;
  readonly allowed: string;
  readonly reason: string;
  readonly changeBy: 'reload' | 'restart';
  readonly environment: string;
  /** With its dashes. */
  readonly flag: string;
}

/** All settings, with those of the sides there are from the beginning. */
export function settingTexts(): SettingText[] {
  return [...FIXED_ROWS, ...FIRST_SIDES.flatMap(sideRowList)].map((row) => ({
    key: row.key,
    fallback: row.show(row.fallback),
    allowed: row.allowed,
    reason: row.reason,
    changeBy: row.reloads === true ? 'reload' : 'restart',
    environment: envName(row.key),
    flag: flagName(row.key),
  }));
}

/** The table as Markdown, for the documents. */
export function settingsMarkdown(): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|');
  const rows = settingTexts().map(
    ({ key, fallback, allowed, reason, changeBy, environment }) =>
      `| \`${key}\` | \`${cell(fallback)}\` | ${cell(allowed)} | ${cell(reason)} | ${changeBy} | \`${environment}\` |`,
  );

  return `${['| setting | default | allowed | what for | change by | environment |', '| --- | --- | --- | --- | --- | --- |', ...rows].join('\n')}\n`;
}
