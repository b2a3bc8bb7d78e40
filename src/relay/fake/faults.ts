/** What may go wrong at a fake node, as settings, as an order and as a script. */

import type { NodeKind } from '../../domain/node.ts';
import { familyOf } from '../../util/ip.ts';

export interface Faults {
  /** Share of datagrams lost, 0 to 1, in each direction. */
  loss: number;
  /** Milliseconds before a reply leaves, 0 to 60,000. The command is done at once. */
  delayMs: number;
  /** Share of replies that leave twice, 0 to 1. */
  duplicate: number;
  /** Share of replies that cannot be read, 0 to 1. */
  garbage: number;
  /**
   * Why new calls are refused, '' = they are not. rtpengine: `load limit` or one of its limit texts makes a `load limit` reply for
   * those who support it, anything else an error with this text. rtpproxy: an error code such as E72 or E99.
   */
  refuse: string;
  /** IP literal shown in place of the right one, '' = not. */
  wrongAddress: string;
  /** rtpproxy: port shown in place of the right one, 0 = not. */
  wrongPort: number;
}

export const NO_FAULTS: Readonly<Faults> = {
  loss: 0,
  delayMs: 0,
  duplicate: 0,
  garbage: 0,
  refuse: '',
  wrongAddress: '',
  wrongPort: 0,
};

/** Longest delay, hang or death, in milliseconds. */
export const MAX_FAULT_MS = 3_600_000;
const MAX_DELAY_MS = 60_000;
const MAX_STEPS = 256;

/** A change of the node's behaviour. */
export interface FaultOrder {
  readonly faults: Partial<Faults>;
  /** Answer nothing for so many milliseconds; 0 ends it, `Infinity` has no end. */
  readonly hangMs?: number;
  /** Close the socket for so many milliseconds: senders hear ECONNREFUSED. */
  readonly dieMs?: number;
  /** Forget calls and cookies, and count from 0. */
  readonly restart?: boolean;
  /** Calls at most, negative = no limit. */
  readonly maxSessions?: number;
}

/** A change at a time after the start. */
export interface ScriptStep {
  readonly atMs: number;
  readonly order: FaultOrder;
}

const SHARES = ['loss', 'duplicate', 'garbage'] as const;
/** What `parseFault` reads for nodes of a kind, in words. */
export const FAULT_NAMES: Readonly<Record<NodeKind, string>> = {
  rtpengine:
    'loss, duplicate, garbage (0 to 1), delay, hang, die (such as 200, 200ms or 2s), refuse (a text), wrong-address (an IP literal), max-sessions (a number), restart',
  rtpproxy:
    'loss, duplicate, garbage (0 to 1), delay, hang, die (such as 200, 200ms or 2s), refuse (a code such as E72), wrong-address (an IP literal), wrong-port (0 to 65535), max-sessions (a number), restart',
};

/** Faults by name, all at once. A string says what is wrong with them. */
export function parseOrder(
  parts: Iterable<readonly [key: string, text: string]>,
  kind: NodeKind,
): FaultOrder | string {
  const faults: Partial<Faults> = {};
  let order: FaultOrder = { faults };
  for (const [key, text] of parts) {
    const part = parseFault(key, text, kind);
    if (typeof part === 'string') return part;
    Object.assign(faults, part.faults);
    order = { ...order, ...part, faults };
  }

  return order;
}

/** Reads `hang 2s; loss 0.3; restart`: a script without times. A string says what is wrong with it. */
export function parseOrderText(text: string, kind: NodeKind): FaultOrder | string {
  const parts = text.split(';').map((part) => part.trim());

  return parseOrder(
    parts
      .filter((part) => part !== '')
      .map((part): [string, string] => {
        const [key = '', ...rest] = part.split(/\s+/);

        return [key, rest.join(' ')];
      }),
    kind,
  );
}

/** Reads `5s hang 2s; 10s die 1s; 20s loss 0.3; 30s restart`: time after the start, fault, value. A string says what is wrong. */
export function parseScript(text: string, kind: NodeKind): ScriptStep[] | string {
  const steps: ScriptStep[] = [];
  for (const part of text.split(';')) {
    if (part.trim() === '') continue;
    const [time = '', key = '', ...rest] = part.trim().split(/\s+/);
    const atMs = parseMs(time);
    if (atMs === undefined) return `"${part.trim()}" does not begin with a time such as 5s or 200ms`;
    const order = parseFault(key, rest.join(' '), kind);
    if (typeof order === 'string') return order;
    steps.push({ atMs, order });
  }
  if (steps.length > MAX_STEPS)
    return `the script has ${steps.length} steps; at most ${MAX_STEPS} are allowed`;

  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** One fault of nodes of a kind by its name. */
export function parseFault(key: string, text: string, kind: NodeKind): FaultOrder | string {
  for (const share of SHARES) {
    if (key !== share) continue;
    const value = Number(text);
    if (text === '' || !(value >= 0 && value <= 1))
      return `${key} is "${text}"; allowed is a share from 0 to 1`;

    return { faults: { [share]: value } };
  }
  switch (key) {
    case 'delay':
    case 'hang':
    case 'die': {
      const most = key === 'delay' ? MAX_DELAY_MS : MAX_FAULT_MS;
      const ms = key === 'hang' && text === '' ? Number.POSITIVE_INFINITY : parseMs(text);
      if (ms === undefined || (ms > most && key !== 'hang'))
        return `${key} is "${text}"; allowed is a time up to ${most} ms such as 200, 200ms or 2s`;
      if (key === 'delay') return { faults: { delayMs: ms } };

      return key === 'hang' ? { faults: {}, hangMs: ms } : { faults: {}, dieMs: ms };
    }
    case 'refuse':
      if (kind === 'rtpproxy' && text !== '' && !/^E\d{1,3}$/.test(text))
        return `refuse is "${text}"; allowed is a code such as E72 or E99`;

      return { faults: { refuse: text.slice(0, 200) } };
    case 'wrong-address':
      if (text !== '' && familyOf(text) === undefined)
        return `wrong-address is "${text}"; allowed is an IP literal`;

      return { faults: { wrongAddress: text } };
    case 'wrong-port':
      if (kind !== 'rtpproxy') return unknownFault(key, kind);
      if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535)
        return `wrong-port is "${text}"; allowed is a port, or 0 for the right one`;

      return { faults: { wrongPort: Number(text) } };
    case 'max-sessions':
      if (!/^-?\d{1,9}$/.test(text)) return `max-sessions is "${text}"; allowed is a whole number`;

      return { faults: {}, maxSessions: Number(text) };
    case 'restart':
      return { faults: {}, restart: true };
    default:
      return unknownFault(key, kind);
  }
}

function unknownFault(key: string, kind: NodeKind): string {
  return `there is no fault "${key}"; allowed are ${FAULT_NAMES[kind]}`;
}

/** `200`, `200ms` or `2s` (also with a fraction) in milliseconds. */
function parseMs(text: string): number | undefined {
  const match = /^(\d{1,9}(?:\.\d{1,6})?)(ms|s)?$/.exec(text);

  return match === null ? undefined : Number(match[1]) * (match[2] === 's' ? 1000 : 1);
}
