/** The declaration of a fleet as a TOML file: `[[set]]` and `[[node]]` with the keys of the API. */

import { parse, stringify, TomlError } from 'smol-toml';
import { nearest } from '../util/suggest.ts';
import { isObject, type JsonObject, listOf } from './json.ts';

/** A declaration as the API takes it, and where its entries stand in the file. */
export interface FleetFile {
  readonly sets: readonly JsonObject[];
  readonly nodes: readonly JsonObject[];
  /** Line of an entry, or of one of its keys, counted from 1. `index` counts from 0 among its kind. */
  lineOf(what: string, index: number, key?: string): number;
}

/** The file cannot be read. */
export class FleetFileFault {
  constructor(
    readonly line: number,
    readonly message: string,
  ) {}
}

const KINDS = ['set', 'node'] as const;

/** Reads a file. The values are checked by the service. */
export function readFleetFile(text: string): FleetFile | FleetFileFault {
  const toml = text.replace(/^\uFEFF/, '');
  let root: JsonObject;
  try {
    root = parse(toml, { unsafeKeyBehaviour: 'throw', maxDepth: 16 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = error.message] = error.message.replace('Invalid TOML document: ', '').split('\n');

    return new FleetFileFault(
      error.line,
      `column ${error.column}: ${reason}; correct the syntax (TOML 1.0, https://toml.io)`,
    );
  }
  const lines = toml.split('\n');
  for (const [key, value] of Object.entries(root)) {
    const fault = faultOf(key, value);
    if (fault !== undefined) {
      const at = lines.findIndex((line) =>
        /^\s*\[*\s*(?:"(.*?)"|'(.*?)'|([\w-]+))/.exec(line)?.slice(1).includes(key),
      );

      return new FleetFileFault(at + 1 || 1, fault);
    }
  }

  return { sets: listOf(root, 'set'), nodes: listOf(root, 'node'), lineOf: finder(lines) };
}

function faultOf(key: string, value: unknown): string | undefined {
  if (!KINDS.some((kind) => kind === key)) {
    const hint = nearest(key, KINDS);
    const guess = hint === undefined ? 'allowed are [[set]] and [[node]]' : `did you mean [[${hint}]]?`;

    return `there is no "${key}" in a fleet; ${guess}`;
  }

  return Array.isArray(value) && value.every(isObject)
    ? undefined
    : `${key} must be written as [[${key}]], once for each ${key}`;
}

/** Finds entries by their headers: the parser tells no lines. A header inside of a multi-line text would be taken for one. */
function finder(lines: readonly string[]): FleetFile['lineOf'] {
  const headers = lines.map((line) => /^\s*\[\[\s*(\w+)\s*\]\]/.exec(line)?.[1]);

  return (what, index, key) => {
    let left = index;
    const start = headers.findIndex((kind) => kind === what && left-- === 0);
    if (start < 0) return 1;
    if (key === undefined) return start + 1;
    const end = headers.findIndex((kind, at) => at > start && kind !== undefined);
    const keys = lines.slice(start, end < 0 ? undefined : end).map((line) => line.split('=')[0] ?? '');
    const at = keys.findIndex((name) => name.trim().replace(/^(["'])(.*)\1$/, '$2') === key);

    return start + 1 + Math.max(0, at);
  };
}

/** Writes what `GET /v1/fleet` tells. What has no value is left out: that is its default. */
export function writeFleetFile(fleet: unknown): string {
  const entries = [
    ...listOf(fleet, 'sets').map((set) => entry('set', set)),
    ...listOf(fleet, 'nodes').map((node) => entry('node', withShortAddresses(node))),
  ];

  return ['# The fleet of rtp_cluster. After a change: rtp-cluster apply FILE --dry-run\n', ...entries].join(
    '\n',
  );
}

function entry(kind: string, fields: JsonObject): string {
  const lines = Object.entries(fields).flatMap(([key, value]) => {
    const isEmpty = value === null || value === '' || (Array.isArray(value) && value.length === 0);
    if (isEmpty) return [];

    return Array.isArray(value) && value.every(isObject)
      ? [`${key} = [\n${value.map((item) => `  ${inline(item)},\n`).join('')}]\n`]
      : [stringify({ [key]: value })];
  });

  return `[[${kind}]]\n${lines.join('')}`;
}

function inline(table: JsonObject): string {
  return `{ ${stringify({ ...table })
    .trim()
    .split('\n')
    .join(', ')} }`;
}

/** Media addresses in the short form if they fit into it, else without what follows from the rest. */
function withShortAddresses(shown: JsonObject): JsonObject {
  const { media_addresses: _shown, ...node } = shown;
  const addresses = listOf(shown, 'media_addresses');
  const short = Object.fromEntries(
    addresses.flatMap(({ side, address, interface: name }) => {
      const key = { inner: 'inner_media_ip', outer: 'out_media_ip' }[String(side)];

      return key === undefined || (name ?? null) !== null ? [] : [[key, address]];
    }),
  );
  if (Object.keys(short).length === addresses.length) return { ...node, ...short };
  const long = addresses.map(({ side, address, interface: name }) => ({
    side,
    address,
    ...((name ?? null) === null ? {} : { interface: name }),
  }));

  return { ...node, media_addresses: long };
}
