/** The form of a node as a value: from a node to texts, from texts to what the API takes, and which field an error is about. */

import type { MediaAddress, NodeResource } from '../resources.ts';

export type Kind = NodeResource['kind'];
export type ImposeMode = NodeResource['impose_mode'];

/** One line of the media addresses, as typed. */
export interface AddressDraft {
  readonly side: string;
  readonly address: string;
  readonly interface: string;
}

/** All fields as typed. */
export interface Draft {
  readonly kind: Kind;
  readonly socket: string;
  readonly httpPort: string;
  readonly imposeMode: ImposeMode;
  readonly addresses: readonly AddressDraft[];
  readonly setId: string;
  readonly weight: string;
  readonly priority: string;
  readonly capacity: string;
  readonly tags: string;
}

/** The body of `POST /v1/nodes` and `PUT /v1/nodes/ID`. */
export interface NodeBody {
  readonly kind: Kind;
  readonly socket: string;
  readonly http_port: number | null;
  readonly impose_mode: ImposeMode;
  readonly media_addresses: readonly {
    readonly side: string;
    readonly address: string;
    readonly interface: string | null;
  }[];
  readonly set_id: number;
  readonly weight: number;
  readonly priority: number;
  readonly capacity: number | null;
  readonly tags: readonly string[];
}

/** Fields by the names of the API: where an error can stand. */
export const FIELDS = [
  'kind',
  'socket',
  'http_port',
  'impose_mode',
  'media_addresses',
  'set_id',
  'weight',
  'priority',
  'capacity',
  'tags',
] as const;
export type Field = (typeof FIELDS)[number];

/** An empty form has a line for each of the two sides that exist everywhere. */
export function emptyDraft(setId = '0'): Draft {
  return {
    kind: 'rtpengine',
    socket: '',
    httpPort: '',
    imposeMode: 'media-address',
    addresses: ['inner', 'outer'].map((side) => ({ side, address: '', interface: '' })),
    setId,
    weight: '100',
    priority: '0',
    capacity: '',
    tags: '',
  };
}

export function draftOf(node: NodeResource): Draft {
  return {
    kind: node.kind,
    socket: node.socket,
    httpPort: node.http_port === null ? '' : String(node.http_port),
    imposeMode: node.impose_mode,
    addresses: node.media_addresses.map(addressDraft),
    setId: String(node.set_id),
    weight: String(node.weight),
    priority: String(node.priority),
    capacity: node.capacity === null ? '' : String(node.capacity),
    tags: node.tags.join(', '),
  };
}

function addressDraft({ side, address, interface: name }: MediaAddress): AddressDraft {
  return { side, address, interface: name ?? '' };
}

/** A number field that holds none, and what was typed there. */
export interface NotANumber {
  readonly field: Field;
  readonly value: string;
}

/** What the API takes, or the first field that holds no number. Lines without an address are left out. */
export function bodyOf(draft: Draft): NodeBody | NotANumber {
  const numbers = [
    ['http_port', draft.kind === 'rtpproxy' ? '' : draft.httpPort, true],
    ['set_id', draft.setId, false],
    ['weight', draft.weight, false],
    ['priority', draft.priority, false],
    ['capacity', draft.capacity, true],
  ] as const;
  const read = new Map<Field, number | null>();
  for (const [field, text, mayBeEmpty] of numbers) {
    const value = text.trim();
    if (!/^-?\d+$/.test(value) && !(mayBeEmpty && value === '')) return { field, value };
    read.set(field, value === '' ? null : Number(value));
  }
  const usesNames = draft.kind === 'rtpproxy' || draft.imposeMode === 'interface';

  return {
    kind: draft.kind,
    socket: draft.socket.trim(),
    http_port: read.get('http_port') ?? null,
    impose_mode: draft.kind === 'rtpproxy' ? 'media-address' : draft.imposeMode,
    media_addresses: draft.addresses
      .filter(({ address }) => address.trim() !== '')
      .map(({ side, address, interface: name }) => ({
        side: side.trim(),
        address: address.trim(),
        interface: usesNames && name.trim() !== '' ? name.trim() : null,
      })),
    set_id: read.get('set_id') ?? 0,
    weight: read.get('weight') ?? 0,
    priority: read.get('priority') ?? 0,
    capacity: read.get('capacity') ?? null,
    tags: draft.tags
      .split(/[,\s]+/)
      .filter((tag) => tag !== '')
      .map((tag) => tag.toLowerCase()),
  };
}

/** One field that will be another. */
export interface Change {
  readonly field: Field;
  readonly from: string;
  readonly to: string;
}

/** What saving would change. Texts are '' where there is nothing. */
export function changesBetween(before: NodeBody, after: NodeBody): Change[] {
  return FIELDS.flatMap((field): Change[] => {
    const [from, to] = [shown(before, field), shown(after, field)];

    return from === to ? [] : [{ field, from, to }];
  });
}

function shown(body: NodeBody, field: Field): string {
  if (field === 'media_addresses') {
    return body.media_addresses
      .map(({ side, address, interface: name }) => `${side}=${address}${name === null ? '' : `@${name}`}`)
      .sort()
      .join(', ');
  }
  if (field === 'tags') return [...body.tags].sort().join(', ');

  return String(body[field] ?? '');
}

/** The beginnings of messages that name a field by other words than its own. */
const BEGINNINGS: readonly (readonly [RegExp, Field])[] = [
  [
    /^(inner_media_ip|out_media_ip|the node (has no media address|moves|changes)|side |.*media address)/,
    'media_addresses',
  ],
  [/^(a tag|there are \d+ tags)/, 'tags'],
  [/socket/, 'socket'],
];

/** The field a message of the API is about; undefined if it names none. */
export function fieldOf(message: string): Field | undefined {
  const word = /^[a-z_]+/.exec(message)?.[0];

  return FIELDS.find((field) => field === word) ?? BEGINNINGS.find(([pattern]) => pattern.test(message))?.[1];
}

/** Whether a text looks like an address of a family, for the mark beside it; undefined while it is neither. */
export function familyOf(address: string): 'IP4' | 'IP6' | undefined {
  const text = address.trim().replace(/^\[(.*)\]$/, '$1');
  if (/^\d{1,3}(\.\d{1,3}){3}$/.test(text)) return 'IP4';

  return /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text) && text.length > 1 ? 'IP6' : undefined;
}
