/** Which nodes of the fleet are wanted, in which order, and which part of them: for the list and for the live stream. */

import { t } from 'elysia';
import { Failure } from '../domain/errors.ts';
import type { Node } from '../domain/node.ts';
import { HEALTHS, type Health, ORDERS } from '../domain/state.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Member } from '../fleet/member.ts';

/** Nodes on a page, where one is asked for. */
export const MAX_PAGE = 1000;
const MAX_SEARCH = 128;
/** Health from worst to best: who sorts by it looks for trouble. */
const WORST_FIRST: readonly Health[] = ['down', 'ejected', 'falling', 'rising', 'unknown', 'up'];
const STATES: readonly string[] = [...HEALTHS, ...ORDERS];

/** What nodes may be sorted by; null comes last either way. */
const KEYS: Readonly<Record<string, (member: Member) => number | string | null>> = {
  id: ({ id }) => id,
  socket: ({ socket }) => socket,
  set: ({ node }) => node.setId,
  calls: ({ calls }) => calls,
  sessions: ({ figures, sessions }) => (figures === null ? null : sessions),
  ports: ({ portsInUse }) => portsInUse,
  rtt: ({ rttMs }) => rttMs,
  health: ({ health }) => WORST_FIRST.indexOf(health),
};

/** Whole numbers, and what they may be. Checked by `queryFault`, whose errors say which of them is wrong. */
const RANGES = { set: [0, 999_999_999], limit: [1, MAX_PAGE], offset: [0, 1_000_000] } as const;
const whole = (name: keyof typeof RANGES, description: string) =>
  t.Optional(t.Numeric({ description: `${description} ${RANGES[name].join(' to ')}.` }));

/** The query of the list; all nodes by id if it is empty. */
export const NodeQuery = t.Object({
  set: whole('set', 'Only nodes of this set:'),
  search: t.Optional(
    t.String({
      description:
        'Only nodes with this in their socket, id, tags or addresses; large letters are as good as small ones.',
    }),
  ),
  state: t.Optional(t.String({ description: `Only nodes in this state: ${STATES.join(', ')}.` })),
  sort: t.Optional(
    t.String({
      description: `One of ${Object.keys(KEYS).join(', ')}; with \`-\` before it the other way round. \`health\` begins with the worst. Default: id.`,
    }),
  ),
  limit: whole('limit', 'Nodes on a page; all if missing.'),
  offset: whole('offset', 'Nodes left out before the first; none if missing.'),
});
export type NodeQuery = typeof NodeQuery.static;

/** What is wrong with a query, or undefined. */
export function queryFault(query: NodeQuery): Failure | undefined {
  const { state, sort, search = '' } = query;
  for (const [name, [least, most]] of Object.entries(RANGES)) {
    const value = query[name as keyof typeof RANGES];
    if (value !== undefined && !(Number.isInteger(value) && value >= least && value <= most))
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `${name} is ${value}; it must be a whole number from ${least} to ${most}`,
      );
  }
  if (search.length > MAX_SEARCH)
    return new Failure(
      'RTPC_BAD_PARAMETER',
      `search has ${search.length} characters; at most ${MAX_SEARCH} are allowed`,
    );
  if (state !== undefined && !STATES.includes(state))
    return new Failure(
      'RTPC_BAD_PARAMETER',
      `state is "${state.slice(0, 32)}"; allowed are ${STATES.join(', ')}`,
    );
  if (sort !== undefined && !Object.hasOwn(KEYS, sort.replace(/^-/, '')))
    return new Failure(
      'RTPC_BAD_PARAMETER',
      `sort is "${sort.slice(0, 32)}"; allowed are ${Object.keys(KEYS).join(', ')}, with or without - before`,
    );

  return undefined;
}

/** A page of nodes, and how many there are on all pages. The query has no fault. */
export function pageOf(fleet: Fleet, query: NodeQuery): { readonly page: Member[]; readonly total: number } {
  const { set, search = '', state, sort = 'id', limit, offset = 0 } = query;
  const wanted = search.trim().toLowerCase();
  const found = fleet
    .list(set)
    .filter(
      (member) =>
        (state === undefined || member.health === state || member.order === state) &&
        (wanted === '' || textOf(member.node).includes(wanted)),
    );
  const ordered = sort === 'id' ? found : sorted(found, sort);
  const end = limit === undefined ? undefined : offset + limit;

  return { page: ordered.slice(offset, end), total: found.length };
}

/** Sorted by one key, then by id. */
function sorted(members: readonly Member[], sort: string): Member[] {
  const isDown = sort.startsWith('-');
  const keyOf = KEYS[isDown ? sort.slice(1) : sort];
  if (keyOf === undefined) return [...members];
  const way = isDown ? -1 : 1;

  return members
    .map((member) => ({ member, key: keyOf(member) }))
    .sort((a, b) => {
      if (a.key === b.key) return a.member.id - b.member.id;
      if (a.key === null) return 1;
      if (b.key === null) return -1;

      return a.key < b.key ? -way : way;
    })
    .map(({ member }) => member);
}

/** Made once for each node as it is declared. */
const texts = new WeakMap<Node, string>();

/** All that a search looks at, a line each. */
function textOf(node: Node): string {
  let text = texts.get(node);
  if (text === undefined) {
    const addresses = node.mediaAddresses.map(({ address }) => address);
    text = [node.socket, node.id, node.kind, ...node.tags, ...addresses].join('\n').toLowerCase();
    texts.set(node, text);
  }

  return text;
}
