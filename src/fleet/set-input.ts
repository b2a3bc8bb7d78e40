/** A set as people describe it, and the same checked. */

import { Failure } from '../domain/errors.ts';
import { MAX_PORT_RESERVE, MAX_SET_ID } from '../domain/node-limits.ts';
import { formatDirection, parseDirection, type Sides } from '../domain/side.ts';
import { LOAD_MEASURES, POLICIES } from '../placement/policy.ts';
import type { NodeSet } from '../store/fleet-rows.ts';
import { outside } from './node-input.ts';

/** A set by the names of the API. What is left out keeps its value, or has its default in a declaration. */
export interface SetInput {
  readonly id: number;
  readonly description?: string | undefined;
  readonly direction?: string | null | undefined;
  readonly policy?: string | undefined;
  readonly load_by?: string | undefined;
  readonly port_reserve?: number | undefined;
  readonly media_probe?: boolean | undefined;
}

/** Names of the fields of a set, for whoever looks for typing errors. */
export const SET_KEYS = [
  'id',
  'description',
  'direction',
  'policy',
  'load_by',
  'port_reserve',
  'media_probe',
] as const satisfies readonly (keyof SetInput)[];

/** Checks a description of a set; `before` has the values of what it leaves out. */
export function readSet(input: SetInput, before: Omit<NodeSet, 'id'>, sides: Sides): NodeSet | Failure {
  const { id } = input;
  const portReserve = input.port_reserve ?? before.portReserve;
  const wrong = outside('id', id, 0, MAX_SET_ID) ?? outside('port_reserve', portReserve, 0, MAX_PORT_RESERVE);
  if (wrong !== undefined) return wrong;
  const said = input.direction === undefined ? before.direction : input.direction;
  const direction = said === null ? null : parseDirection(said, sides);
  if (direction instanceof Failure) return direction;
  const policy = oneOf('policy', input.policy ?? before.policy, POLICIES);
  if (policy instanceof Failure) return policy;
  const loadBy = oneOf('load_by', input.load_by ?? before.loadBy, LOAD_MEASURES);
  if (loadBy instanceof Failure) return loadBy;

  return {
    id,
    description: input.description ?? before.description,
    direction: direction === null ? null : formatDirection(direction),
    policy,
    loadBy,
    portReserve,
    mediaProbe: input.media_probe ?? before.mediaProbe,
  };
}

/** A set by the names of the API. */
export function setShown(set: NodeSet) {
  return {
    id: set.id,
    description: set.description,
    direction: set.direction,
    policy: set.policy,
    load_by: set.loadBy,
    port_reserve: set.portReserve,
    media_probe: set.mediaProbe,
  };
}

function oneOf<T extends string>(name: string, text: string, words: readonly T[]): T | Failure {
  return (
    words.find((word) => word === text) ??
    new Failure('RTPC_BAD_PARAMETER', `${name} is "${text}"; it must be one of ${words.join(', ')}`)
  );
}
