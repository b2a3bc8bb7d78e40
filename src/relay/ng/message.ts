/** Builds the messages of the ng driver and reads its replies: plain data in, plain data out (reference: ng-protocol 3, 5, 6, 14). */

import {
  type DeleteRequest,
  type MediaRequest,
  type NgDict,
  type NgValue,
  type Parties,
  RelayFailure,
} from '../driver.ts';
import { newDict } from './bencode.ts';

/** Keys whose value must be a list: 10.5 ignores a plain string there without a word (ng-protocol 2). */
const LIST_KEYS: ReadonlySet<string> = new Set([
  'flags',
  'replace',
  'rtcp-mux',
  'SDES',
  'OSRTP',
  'supports',
  'from-tags',
  'direction',
  'received-from',
  'T.38',
]);

/** Keys the driver answers for, in any spelling; the client's own are dropped. */
const OWN_KEYS: ReadonlySet<string> = new Set([
  'command',
  'call-id',
  'from-tag',
  'to-tag',
  'via-branch',
  'sdp',
  'media-address',
  'address-family',
  'direction',
  'from-interface',
  'to-interface',
]);

const REPLACE = ['origin', 'session-connection'];

/** Said to a call the relay has, this means that the relay has ended it (ng-protocol 3.1). */
const OUT_OF_PORTS = 'ran out of ports';

/** Limits of a relay in its own words, met by new calls only (ng-protocol 3.1). */
const LIMITS: ReadonlySet<string> = new Set([
  'parallel session limit reached',
  'cpu usage limit exceeded',
  'load limit exceeded',
  'bandwidth limit exceeded',
]);

const NOT_FOUND = "call-id not found or tags didn't match";

/** An offer or answer with everything section 14 of the reference asks for. */
export function mediaMessage(command: 'offer' | 'answer', request: MediaRequest): NgDict {
  const message = newDict();
  message.command = command;
  addParties(message, request);
  message.sdp = request.sdp;
  for (const key of Object.keys(request.extra)) {
    const name = fold(key);
    if (OWN_KEYS.has(name.toLowerCase()) || name.toLowerCase().startsWith('cluster-')) continue;
    addKey(message, key, name, request.extra[key]);
  }
  // On a whole SDP it is wrong, and may be fatal (`precautions.ts`).
  if (Array.isArray(message.flags)) message.flags = message.flags.filter((flag) => flag !== 'fragment');
  const { replace } = message;
  if (Array.isArray(replace) && replace.length === 0) delete message.replace;
  else message.replace = merge(replace, REPLACE);
  if (command === 'offer') message.supports = merge(message.supports, ['load limit']);
  if (request.interfaces === undefined) message['media-address'] = request.address;
  else message.direction = [...request.interfaces];
  // The socket's family must be that of the address in the SDP, or nobody can send there (ng-protocol 5.2). Without this key the
  // relay takes the family the leg had before, or the sender's (6.2). So it goes with every message, answers and re-offers
  // included: said again it changes nothing, and a node without such an interface falls back to its default one.
  message['address-family'] = request.family;

  return message;
}

/**
 * The deletion of a call, or of one branch of it. A whole call is named by its Call-ID alone, which every version takes
 * for everything; a branch needs the flag `to-tag` on 12.5 and later (ng-protocol 7 and 8).
 */
export function deleteMessage(call: DeleteRequest): NgDict {
  const message = newDict();
  message.command = 'delete';
  message['call-id'] = call.callId;
  const { delayS = 0 } = call;
  if (delayS !== null) message['delete-delay'] = delayS;
  if (call.branch === undefined || call.fromTag === undefined) return message;
  message['from-tag'] = call.fromTag;
  message['via-branch'] = call.branch;
  message.flags = ['to-tag'];

  return message;
}

/** A message as the client wrote it, with lists where the relay wants lists and without keys meant for the cluster. */
export function plainMessage(source: NgDict): NgDict {
  const message = newDict();
  for (const key of Object.keys(source)) {
    const name = fold(key);
    if (!name.toLowerCase().startsWith('cluster-')) addKey(message, key, name, source[key]);
  }

  return message;
}

/** The failure a reply tells of, or undefined if it tells of none. `isNew`: it answers an offer that should create a call. */
export function failureIn(reply: NgDict, isNew = false): RelayFailure | undefined {
  const { result } = reply;
  if (result === 'ok' || result === 'pong') return undefined;
  if (result === 'load limit') return new RelayFailure('refused', textOf(reply.message) || 'load limit');
  if (result === undefined) return new RelayFailure('garbled', 'the reply has no result');
  if (result !== 'error') return new RelayFailure('rejected', `unexpected result "${textOf(result)}"`);
  const reason = textOf(reply['error-reason']) || 'no reason given';
  const folded = reason.toLowerCase();
  if (folded === 'unknown call-id') return new RelayFailure('unknown-call', reason);

  const isRefusal = folded === OUT_OF_PORTS || (isNew && LIMITS.has(folded));

  return new RelayFailure(isRefusal ? 'refused' : 'rejected', reason);
}

/** Whether a reply to a delete says that the relay knows no such call. */
export function saysNotFound(reply: NgDict): boolean {
  const text = reply.result === 'error' ? reply['error-reason'] : reply.warning;

  return textOf(text).toLowerCase() === NOT_FOUND;
}

function addParties(message: { [key: string]: NgValue }, parties: Parties): void {
  message['call-id'] = parties.callId;
  message['from-tag'] = parties.fromTag;
  if (parties.toTag !== undefined) message['to-tag'] = parties.toTag;
  if (parties.branch !== undefined) message['via-branch'] = parties.branch;
}

/** `rtcp mux` and `rtcp-mux` are one key to the relay. */
function fold(key: string): string {
  return key.replaceAll(' ', '-');
}

function addKey(
  message: { [key: string]: NgValue },
  key: string,
  name: string,
  value: NgValue | undefined,
): void {
  if (value === undefined) return;
  if (LIST_KEYS.has(name)) message[name] = typeof value === 'string' ? splitList(name, value) : value;
  else if (name !== 'ICE') message[key] = value;
  else {
    // A list came with 26.2; before, only a plain string counts (ng-protocol 2).
    const word = Array.isArray(value) ? value[0] : value;
    if (word !== undefined) message.ICE = word;
  }
}

/** Splits as 11.4 and later do, at commas; flags may contain spaces, an address and its family do not. */
function splitList(name: string, text: string): string[] {
  const parts = text.split(name === 'received-from' ? /[\s,]+/ : ',');

  return parts.map((part) => part.trim()).filter((part) => part !== '');
}

/** The client's words, then ours that are missing; `session connection` is the same word as `session-connection`. */
function merge(words: NgValue | undefined, ours: readonly string[]): NgValue[] {
  const list = Array.isArray(words) ? [...words] : [];
  const known = new Set(list.map((word) => (typeof word === 'string' ? fold(word) : '')));

  return [...list, ...ours.filter((word) => !known.has(fold(word)))];
}

function textOf(value: NgValue | undefined): string {
  return typeof value === 'string' ? value : '';
}
