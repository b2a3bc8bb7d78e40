/** Sides, and the direction of a call or of one SDP between them. */

import { Failure } from './errors.ts';

/** A network that reads SDP. `inner` and `outer` always exist. */
export type Side = string;

/** Caller's side to callee's side; of a single SDP: sender's side to reader's side. */
export interface Direction {
  readonly from: Side;
  readonly to: Side;
}

/** The sides of this installation, the other names they go by, and the networks their SIP packets come from. */
export interface Sides {
  readonly names: readonly Side[];
  /** Alias to side, in lower case. */
  readonly aliases: ReadonlyMap<string, Side>;
}

/** The side called `text`, by name or alias, letter case ignored. */
export function findSide(text: string, sides: Sides): Side | undefined {
  const name = text.trim().toLowerCase();

  return sides.names.includes(name) ? name : sides.aliases.get(name);
}

/**
 * Reads a direction: `out` (inner to outer), `in` (outer to inner), one side (both parties are there) or `from>to`.
 * Side names may be aliases.
 */
export function parseDirection(text: string, sides: Sides): Direction | Failure {
  const word = text.trim().toLowerCase();
  if (word === 'out') return { from: 'inner', to: 'outer' };
  if (word === 'in') return { from: 'outer', to: 'inner' };
  const [from, to, ...rest] = word.split('>').map((name) => findSide(name, sides));
  const both = word.includes('>') ? to : from;
  if (from !== undefined && both !== undefined && rest.length === 0) return { from, to: both };

  return new Failure(
    'RTPC_BAD_PARAMETER',
    `direction is "${text}"; allowed are "out", "in", one side, or "from>to" with sides ${sides.names.join(', ')} or their aliases`,
  );
}

/** The same direction seen from the other end. */
export function reverse(direction: Direction): Direction {
  return { from: direction.to, to: direction.from };
}

/** `out`, `in`, the one side both are on, or `from>to`: what `parseDirection` reads. */
export function formatDirection({ from, to }: Direction): string {
  if (from === to) return from;
  if (from === 'inner' && to === 'outer') return 'out';
  if (from === 'outer' && to === 'inner') return 'in';

  return `${from}>${to}`;
}
