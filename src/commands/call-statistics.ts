/** The media of a live call as lines, by what `/v1/statistics` says of it. */

import { type JsonObject, listOf, numberOf, textOf } from './json.ts';
import { type Cell, type Look, paint, type Style } from './style.ts';
import { formatTable, wrapped } from './table.ts';

/** Levels of findings. */
const LEVELS: Readonly<Record<string, Style>> = { problem: 'red', warning: 'yellow', info: 'dim' };
/** Of a party that has sent nothing for so long something is wrong, in seconds. */
const SILENT_S = 3;

/** A stream of media, not its reports. */
function media(statistics: unknown): readonly JsonObject[] {
  return listOf(statistics, 'streams').filter((stream) => stream.rtcp !== true);
}

/** Packets a second from each party since the answer before, by the name of the stream. */
export type Rates = ReadonlyMap<string, number>;

function nameOf(stream: JsonObject): string {
  return `${textOf(stream, 'tag')} ${textOf(stream, 'index')}`;
}

/** Of two answers about one call; empty where nobody can tell. */
export function ratesOf(before: unknown, now: unknown): Rates {
  const seconds = ((numberOf(now, 'at') ?? 0) - (numberOf(before, 'at') ?? Number.POSITIVE_INFINITY)) / 1000;
  if (!(seconds > 0)) return new Map();
  const old = new Map(media(before).map((stream) => [nameOf(stream), numberOf(stream, 'packets')]));

  return new Map(
    media(now).flatMap((stream) => {
      const [from, to] = [old.get(nameOf(stream)), numberOf(stream, 'packets')];

      return from === undefined || to === undefined || to < from
        ? []
        : [[nameOf(stream), Math.round((to - from) / seconds)] as const];
    }),
  );
}

/** The streams as a table, a line for what each party sends, and below what is wrong. */
export function statisticsTable(statistics: unknown, rates: Rates, look: Look): string[] {
  const rows = media(statistics).map((stream): Cell[] => [
    known(textOf(stream, 'side')),
    known(textOf(stream, 'media')),
    known(textOf(stream, 'codec')),
    known(textOf(stream, 'remote') || textOf(stream, 'advertised')),
    known(textOf(stream, 'local')),
    { text: known(textOf(stream, 'packets')), style: textOf(stream, 'packets') === '0' ? 'red' : undefined },
    known(rates.get(nameOf(stream))?.toString()),
    silenceCell(stream),
    known(textOf(stream, 'loss_percent')),
    known(textOf(stream, 'jitter_ms')),
    known(textOf(stream, 'mos')),
    textOf(stream, 'tag'),
  ]);
  const head = [
    'FROM',
    'MEDIA',
    'CODEC',
    'PARTY',
    'RELAY',
    'PACKETS',
    'PKT/S',
    'LAST/S',
    'LOSS%',
    'JITTER/MS',
    'MOS',
    'TAG',
  ];

  return [
    ...(rows.length === 0
      ? ['The relay tells no streams.']
      : formatTable(head, rows, look, ['TAG', 'JITTER/MS', 'MOS', 'CODEC', 'RELAY', 'MEDIA', 'PARTY'])),
    ...listOf(statistics, 'findings').flatMap((finding) => wrapped(findingLine(finding, look), look)),
  ];
}

/** The same in one line for a stream; of those only from which something came since the answer before. */
export function streamLines(before: unknown, statistics: unknown, rates: Rates, look: Look): string[] {
  const old = new Map(media(before).map((stream) => [nameOf(stream), textOf(stream, 'packets')]));
  const changed = media(statistics).filter((stream) => old.get(nameOf(stream)) !== textOf(stream, 'packets'));

  return changed.map((stream) => {
    const rate = rates.get(nameOf(stream));
    const facts = [
      `${known(textOf(stream, 'packets'))} packets`,
      rate === undefined ? '' : `${rate}/s`,
      fact(stream, 'last_packet_s', 'last', ' s ago'),
      fact(stream, 'loss_percent', 'loss', ' %'),
      fact(stream, 'jitter_ms', 'jitter', ' ms'),
      fact(stream, 'mos', 'MOS', ''),
    ].filter((text) => text !== '');

    const name = [textOf(stream, 'side'), textOf(stream, 'media')].filter((word) => word !== '').join(' ');

    return paint(look, `from ${name || 'a party not known yet'}  ${facts.join(', ')}`);
  });
}

/** `one-way: nothing comes from the outer side ...` */
export function findingLine(finding: JsonObject, look: Look): string {
  const code = paint(look, textOf(finding, 'code'), LEVELS[textOf(finding, 'level')] ?? 'yellow');

  return `${code}: ${paint(look, textOf(finding, 'text'))}`;
}

/** What tells a finding from others. */
export function findingName(finding: JsonObject): string {
  return ['code', 'tag', 'index'].map((field) => textOf(finding, field)).join(' ');
}

function silenceCell(stream: JsonObject): Cell {
  const seconds = numberOf(stream, 'last_packet_s');

  return {
    text: known(textOf(stream, 'last_packet_s')),
    style: seconds !== undefined && seconds >= SILENT_S ? 'red' : undefined,
  };
}

function fact(stream: JsonObject, field: string, name: string, unit: string): string {
  const text = textOf(stream, field);

  return text === '' ? '' : `${name} ${text}${unit}`;
}

function known(text = ''): string {
  return text === '' ? '-' : text;
}
