/** Changes people make to the list of nodes: checked as a whole, then made as a whole. */

import { Failure } from '../domain/errors.ts';
import { type ImposeMode, type MediaAddress, type Node, type NodeKind, parseSocket } from '../domain/node.ts';
import { findSide, type Sides } from '../domain/side.ts';
import type { Store } from '../store/store.ts';
import { familyOf, isUnspecified } from '../util/ip.ts';
import { type Fleet, MAX_NODES, type Member } from './fleet.ts';

/** A node as people describe it. What is left out keeps its value, or has its default in a new node. */
export interface NodeInput {
  readonly id?: number | undefined;
  readonly kind?: string | undefined;
  readonly socket?: string | undefined;
  readonly set_id?: number | undefined;
  readonly weight?: number | undefined;
  readonly impose_mode?: string | undefined;
  readonly media_addresses?: readonly AddressInput[] | undefined;
  /** The author's columns: short for the addresses of sides `inner` and `outer`. */
  readonly inner_media_ip?: string | undefined;
  readonly out_media_ip?: string | undefined;
}

export interface AddressInput {
  readonly side: string;
  readonly address: string;
  readonly interface?: string | null | undefined;
}

/** One row of an import. */
export interface ImportRow extends NodeInput {
  /** Line in the file, for the report. */
  readonly row: number;
}

export interface RowReport {
  readonly row: number;
  readonly id: number | null;
  readonly result: 'added' | 'updated' | 'unchanged' | 'ok' | 'error';
  readonly message: string;
}

const MAX_WEIGHT = 65_535;
const MAX_SET_ID = 999_999_999;
const MAX_ID = 2 ** 31 - 1;

export class Roster {
  readonly #fleet: Fleet;
  readonly #store: Store;
  readonly #sides: Sides;
  readonly #callsOn: (nodeId: number) => number;

  constructor(fleet: Fleet, store: Store, sides: Sides, callsOn: (nodeId: number) => number) {
    this.#fleet = fleet;
    this.#store = store;
    this.#sides = sides;
    this.#callsOn = callsOn;
  }

  /** Adds one node. Adding the socket of a removed node that still has calls brings that node back. */
  add(input: NodeInput): Member | Failure {
    const node = this.#read(input, undefined, []);
    if (node instanceof Failure) return node;

    return this.#put(node, 'node.added');
  }

  /** Changes one node. */
  change(id: number, input: NodeInput): Member | Failure {
    const member = this.#fleet.find(id);
    if (member instanceof Failure) return member;
    if (input.id !== undefined && input.id !== id) {
      return new Failure(
        'RTPC_BAD_PARAMETER',
        `id is ${input.id} but the path says ${id}; a node keeps its id`,
      );
    }
    const node = this.#read({ ...input, id }, member.node, []);
    if (node instanceof Failure) return node;

    return this.#put(node, 'node.changed');
  }

  /** Takes a node out of its set. Calls on it go on until they end. */
  remove(id: number): { calls: number } | Failure {
    const member = this.#fleet.find(id);
    if (member instanceof Failure) return member;
    const calls = this.#callsOn(id);
    const failure = this.#fleet.remove(id, calls > 0);
    if (failure !== undefined) return failure;
    this.#store.event('node.removed', { nodeId: id, socket: member.socket, calls });

    return { calls };
  }

  /** Adds and changes many nodes. If any row is bad nothing is changed. */
  import(rows: readonly ImportRow[], isDryRun: boolean): { reports: RowReport[]; isGood: boolean } | Failure {
    const nodes: Node[] = [];
    const reports = rows.map((row): RowReport => {
      const known = row.id === undefined ? undefined : this.#fleet.get(row.id)?.node;
      const node = this.#read(row, known, nodes);
      if (node instanceof Failure)
        return { row: row.row, id: row.id ?? null, result: 'error', message: node.message };
      nodes.push(node);
      const before = this.#fleet.find(node.id);
      const result =
        before instanceof Failure ? 'added' : isSame(before.node, node) ? 'unchanged' : 'updated';

      return { row: row.row, id: node.id, result, message: '' };
    });
    if (reports.some(({ result }) => result === 'error')) {
      return {
        reports: reports.map((report) => (report.result === 'error' ? report : { ...report, result: 'ok' })),
        isGood: false,
      };
    }
    if (isDryRun) return { reports, isGood: true };
    const failure = this.#fleet.put(nodes);
    if (failure !== undefined) return failure;
    for (const { id, result } of reports) {
      if (id !== null && result !== 'unchanged') {
        this.#store.event(result === 'added' ? 'node.added' : 'node.changed', { nodeId: id, by: 'import' });
      }
    }

    return { reports, isGood: true };
  }

  #put(node: Node, event: string): Member | Failure {
    const failure = this.#fleet.put([node]);
    if (failure !== undefined) return failure;
    this.#store.event(event, { nodeId: node.id, socket: node.socket, set_id: node.setId });

    return this.#fleet.find(node.id);
  }

  /**
   * Checks a description.
   * @param before the node as it is now
   * @param others further nodes that will be there, besides those of the fleet
   */
  #read(input: NodeInput, before: Node | undefined, others: readonly Node[]): Node | Failure {
    const socket = input.socket?.trim() ?? before?.socket;
    if (socket === undefined) return bad('socket is missing; write it as udp:192.168.2.3:7890');
    if (parseSocket(socket) === undefined) {
      return bad(
        `socket is "${socket}"; allowed are udp:IPV4:PORT and udp6:[IPV6]:PORT with IP addresses, as in udp:192.168.2.3:7890`,
      );
    }
    const setId = input.set_id ?? before?.setId ?? 0;
    if (!isWhole(setId, 0, MAX_SET_ID))
      return bad(`set_id is ${setId}; it must be a whole number from 0 to ${MAX_SET_ID}`);
    const twin = before === undefined ? this.#fleet.removedTwin({ socket, setId }) : undefined;
    const id = input.id ?? twin?.id ?? Math.max(this.#fleet.nextId(), ...others.map((other) => other.id + 1));
    if (!isWhole(id, 0, MAX_ID)) return bad(`id is ${id}; it must be a whole number from 0 to ${MAX_ID}`);
    const weight = input.weight ?? before?.weight ?? 100;
    if (!isWhole(weight, 0, MAX_WEIGHT))
      return bad(`weight is ${weight}; it must be a whole number from 0 to ${MAX_WEIGHT}`);
    const kind = readKind(input.kind ?? before?.kind ?? 'rtpengine');
    if (kind instanceof Failure) return kind;
    const imposeMode = readImposeMode(input.impose_mode ?? before?.imposeMode ?? 'media-address');
    if (imposeMode instanceof Failure) return imposeMode;
    const mediaAddresses = this.#readAddresses(input, before?.mediaAddresses ?? []);
    if (mediaAddresses instanceof Failure) return mediaAddresses;
    if (mediaAddresses.length === 0)
      return bad('the node has no media address; give inner_media_ip and out_media_ip, or media_addresses');
    if (imposeMode === 'interface') {
      const bare = mediaAddresses.find((address) => address.interface === null);
      if (bare !== undefined)
        return bad(
          `impose_mode is "interface", but the address ${bare.address} of side ${bare.side} names no interface`,
        );
    }
    const node: Node = { id, kind, socket, setId, weight, imposeMode, mediaAddresses };

    return this.#conflict(node, before, others) ?? node;
  }

  #conflict(node: Node, before: Node | undefined, others: readonly Node[]): Failure | undefined {
    const current = this.#fleet.get(node.id);
    if (others.some(({ id }) => id === node.id)) {
      return new Failure('RTPC_NODE_EXISTS', `id ${node.id} stands in an earlier row too`);
    }
    if (
      before === undefined &&
      current !== undefined &&
      (current.removedAt === null || current.socket !== node.socket)
    ) {
      return new Failure(
        'RTPC_NODE_EXISTS',
        `node ${node.id} exists already, with socket ${current.socket}${current.removedAt === null ? '' : '; it is removed but still has calls'}`,
      );
    }
    const same = [...this.#fleet.list().map((member) => member.node), ...others].find(
      ({ id, socket, setId }) => id !== node.id && socket === node.socket && setId === node.setId,
    );
    if (same !== undefined) {
      return new Failure(
        'RTPC_NODE_EXISTS',
        `socket ${node.socket} is in set ${node.setId} already, as node ${same.id}`,
      );
    }
    const calls = this.#callsOn(node.id);
    if (before !== undefined && before.socket !== node.socket && calls > 0) {
      return new Failure(
        'RTPC_NODE_IN_USE',
        `node ${node.id} has ${calls} calls on ${before.socket}; add ${node.socket} as a new node and remove this one`,
      );
    }
    if (current === undefined && this.#fleet.list().length + others.length >= MAX_NODES) {
      return new Failure('RTPC_BUSY', `there are ${MAX_NODES} nodes already`);
    }

    return undefined;
  }

  #readAddresses(input: NodeInput, before: readonly MediaAddress[]): readonly MediaAddress[] | Failure {
    const short = [
      { side: 'inner', address: input.inner_media_ip, name: 'inner_media_ip' },
      { side: 'outer', address: input.out_media_ip, name: 'out_media_ip' },
    ].flatMap(({ address, ...rest }) => (address === undefined ? [] : [{ ...rest, address }]));
    const given: (AddressInput & { name: string })[] = [
      ...short,
      ...(input.media_addresses ?? []).map((address) => ({ ...address, name: 'media_addresses' })),
    ];
    if (given.length === 0) return before;
    const read: MediaAddress[] = [];
    for (const { side: sideText, address: text, interface: name = null, name: key } of given) {
      const side = findSide(sideText, this.#sides);
      if (side === undefined)
        return bad(`${key}: there is no side "${sideText}"; there are ${this.#sides.names.join(', ')}`);
      const address = text.trim().replace(/^\[(.*)\]$/, '$1');
      const family = familyOf(address);
      if (family === undefined || isUnspecified(address)) {
        return bad(
          `${key} is "${text}"; it must be an IP address, IPv4 or IPv6, that the ${side} side can reach`,
        );
      }
      if (name !== null && !/^[\w.:-]{1,64}$/.test(name))
        return bad(`${key}: interface is "${name}"; it must be a name of up to 64 letters, digits and ._:-`);
      if (read.some((other) => other.side === side && other.family === family)) {
        return bad(
          `${key}: side ${side} has two ${family} addresses; a node has one for each side and family`,
        );
      }
      read.push({ side, family, address, interface: name });
    }
    // The short form of one side leaves the other as it was.
    const isShort = input.media_addresses === undefined;
    const kept = isShort
      ? before.filter((old) => !read.some(({ side, family }) => old.side === side && old.family === family))
      : [];

    return [...kept, ...read].sort(
      (a, b) => a.side.localeCompare(b.side) || a.family.localeCompare(b.family),
    );
  }
}

function readKind(text: string): NodeKind | Failure {
  if (text === 'rtpengine') return text;
  if (text === 'rtpproxy') return bad('kind is "rtpproxy"; this version drives rtpengine only');

  return bad(`kind is "${text}"; it must be "rtpengine"`);
}

function readImposeMode(text: string): ImposeMode | Failure {
  if (text === 'media-address' || text === 'interface') return text;

  return bad(`impose_mode is "${text}"; it must be "media-address" or "interface"`);
}

function isWhole(value: number, least: number, most: number): boolean {
  return Number.isInteger(value) && value >= least && value <= most;
}

function bad(message: string): Failure {
  return new Failure('RTPC_BAD_PARAMETER', message);
}

function isSame(a: Node, b: Node): boolean {
  return Bun.deepEquals(
    {
      ...a,
      mediaAddresses: [...a.mediaAddresses].sort((x, y) =>
        `${x.side}${x.family}`.localeCompare(`${y.side}${y.family}`),
      ),
    },
    { ...b },
  );
}
