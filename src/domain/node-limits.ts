/** What the fields of a node and of a set may be: the service and the command line refuse the same. */

import { Failure } from './errors.ts';
import { NODE_KINDS } from './node.ts';

/** Ids are 32-bit integers, as in OpenSIPS's table. */
export const MAX_ID = 2_147_483_647;
export const MAX_SET_ID = 999_999_999;
export const MAX_WEIGHT = 65_535;
export const MAX_PRIORITY = 65_535;
/** Calls a node may have at a time; more than any relay can carry. */
export const MAX_CAPACITY = 1_000_000;
export const MAX_PORT = 65_535;
/** Percent of a node's media ports that a set may keep back. */
export const MAX_PORT_RESERVE = 50;

const MAX_TAGS = 16;

/** Reads tags: lower-cased, sorted, each once. */
export function readTags(words: readonly string[]): readonly string[] | Failure {
  const tags = [...new Set(words.map((word) => word.trim().toLowerCase()))].sort();
  const wrong = tags.find((tag) => !/^[a-z0-9][a-z0-9._-]{0,31}$/.test(tag));
  if (wrong !== undefined) {
    return new Failure(
      'RTPC_BAD_PARAMETER',
      `a tag is "${wrong.slice(0, 64)}"; it must have 1 to 32 letters, digits and ._- and begin with a letter or digit`,
    );
  }
  if (tags.length <= MAX_TAGS) return tags;

  return new Failure('RTPC_BAD_PARAMETER', `there are ${tags.length} tags; a node may have ${MAX_TAGS}`);
}

/** The tags of a node: its kind is one without being given. */
export function readNodeTags(words: readonly string[]): readonly string[] | Failure {
  const tags = readTags(words);
  const reserved = tags instanceof Failure ? undefined : NODE_KINDS.find((kind) => tags.includes(kind));
  if (reserved === undefined) return tags;

  return new Failure(
    'RTPC_BAD_PARAMETER',
    `a tag is "${reserved}"; every node has its kind as a tag already, and it cannot be given`,
  );
}
