/** Nodes as a table: of `node list` and of `top`. */

import { showDuration } from './duration.ts';
import { isObject, type JsonObject, listOf, numberOf, objectOf, textOf, timeOf } from './json.ts';
import { type Cell, type Look, PLAIN, paint, paintWord, tinted } from './style.ts';
import { formatTable } from './table.ts';

/** What a narrow terminal does without, the first the first. */
const OPTIONAL = [
  'CAUSE',
  'UPTIME',
  'VERSION',
  'PKT/S',
  'TAGS',
  'CAPACITY',
  'PRIO',
  'WEIGHT',
  'RTT/MS',
  'KIND',
];

/** Nodes as lines, the first of which is the head. `isWide` adds what is seldom looked for. */
export function nodeTable(nodes: readonly JsonObject[], isWide: boolean, look: Look = PLAIN): string[] {
  const sides = new Set(['inner', 'outer']);
  for (const node of nodes)
    for (const address of listOf(node, 'media_addresses')) sides.add(textOf(address, 'side'));
  const hasOthers = nodes.some((node) => textOf(node, 'kind') !== 'rtpengine');
  const columns: Record<string, (node: JsonObject) => Cell> = {
    ID: (node) => textOf(node, 'id'),
    SOCKET: (node) => textOf(node, 'socket'),
    ...(isWide || hasOthers ? { KIND: (node) => textOf(node, 'kind') } : {}),
    SET: (node) => textOf(node, 'set_id'),
    ORDER: (node) => tinted(textOf(objectOf(node, 'order'), 'state')),
    HEALTH: (node) => tinted(textOf(objectOf(node, 'health'), 'state')),
    ...(isWide ? { NEW: (node) => tinted(textOf(node, 'takes_new_calls')) } : {}),
    ...(isWide || nodes.some((node) => objectOf(node, 'probe') !== undefined) ? { PROBE: probeCell } : {}),
    CALLS: (node) => textOf(node, 'calls'),
    SESS: (node) => known(textOf(objectOf(node, 'load'), 'sessions')),
    'FREE%': portsFree,
    'RTT/MS': (node) => known(numberOf(node, 'rtt_ms')?.toFixed(1)),
    WEIGHT: weightText,
    PRIO: (node) => textOf(node, 'priority'),
    ...Object.fromEntries(
      [...sides].map((side) => [side.toUpperCase(), (node: JsonObject) => addressesText(node, side)]),
    ),
    ...(isWide ? WIDE : {}),
  };

  return [
    ...formatTable(
      Object.keys(columns),
      nodes.map((node) => Object.values(columns).map((cell) => cell(node))),
      look,
      [...OPTIONAL, ...[...sides].reverse().map((side) => side.toUpperCase())],
    ),
    ...nodes.flatMap((node) => orderLine(node, look)),
  ];
}

/** Who gave an order, when, until when and why; nothing for nodes that are ready. */
function orderLine(node: JsonObject, look: Look): string[] {
  const order = objectOf(node, 'order');
  const state = textOf(order, 'state');
  if (state === 'ready' || state === '') return [];
  const by = textOf(order, 'by');
  const until = timeOf(order, 'until');
  const reason = textOf(order, 'reason');
  const words = [by && `by ${by}`, `since ${timeOf(order, 'at')}`, until && `until ${until}`].filter(
    (word) => word !== '',
  );

  return [
    `node ${paint(look, textOf(node, 'id'))}: ${paintWord(look, state)} ${paint(look, words.join(' ') + (reason === '' ? '' : `: ${reason}`))}`,
  ];
}

/** The result of the last media probe. */
function probeCell(node: JsonObject): Cell {
  return tinted(known(textOf(objectOf(node, 'probe'), 'result')));
}

const WIDE: Readonly<Record<string, (node: JsonObject) => string>> = {
  CAPACITY: (node) => known(textOf(node, 'capacity')),
  TAGS: (node) => known(tagsText(node)),
  'PKT/S': (node) => known(textOf(objectOf(node, 'load'), 'packets_per_s')),
  VERSION: (node) => known(textOf(node, 'version')),
  UPTIME: (node) => {
    const uptime = numberOf(node, 'uptime_s');

    return uptime === undefined ? '-' : showDuration(uptime * 1000);
  },
  CAUSE: (node) => textOf(objectOf(node, 'last_change'), 'cause'),
};

/** What nobody knows is a dash: an empty cell would look like a mistake. */
function known(text = ''): string {
  return text === '' ? '-' : text;
}

function portsFree(node: JsonObject): string {
  const load = objectOf(node, 'load');
  const [used, total] = [numberOf(load, 'ports_in_use'), numberOf(load, 'ports_total')];

  return used === undefined || total === undefined || total === 0
    ? '-'
    : String(Math.floor((100 * (total - used)) / total));
}

/** The weight, with the share of it that counts while the node comes up. */
function weightText(node: unknown): string {
  const share = numberOf(node, 'share') ?? 1;

  return share < 1 ? `${textOf(node, 'weight')} (${Math.round(share * 100)}%)` : textOf(node, 'weight');
}

function addressesText(node: JsonObject, side: string): string {
  return listOf(node, 'media_addresses')
    .filter((address) => address.side === side)
    .map(addressText)
    .join(', ');
}

/** A media address with its interface. */
export function addressText(address: JsonObject): string {
  const name = textOf(address, 'interface');

  return name === '' ? textOf(address, 'address') : `${textOf(address, 'address')}@${name}`;
}

/** The tags of a node; '' if it has none. */
export function tagsText(node: unknown): string {
  return isObject(node) && Array.isArray(node.tags) ? node.tags.join(', ') : '';
}
