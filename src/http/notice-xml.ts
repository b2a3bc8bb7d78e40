/** Reads the XML-RPC calls by which rtpengine tells of a call it ended (reference: ng-protocol 10, `xmlrpc-format`). */

import type { Notice } from '../calls/notices.ts';

/** Longest notice, bytes. A real one has some hundred. */
export const MAX_NOTICE_BYTES = 16_384;
/** No format has more. */
const MAX_PARAMETERS = 4;

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/**
 * Format 0 (SEMS) names a tag, formats 1 and 2 (`teardown`, Kamailio's `dlg.terminate_dlg`) the call.
 * @param xml the body, a byte string
 * @returns undefined if it is none of the three
 */
export function readNotice(xml: string): Notice | undefined {
  const call = readMethodCall(xml);
  if (call === undefined) return undefined;
  const { method, parameters } = call;
  const [first = ''] = parameters;
  if (method === 'teardown' && parameters.length === 1 && first !== '') return { callId: first };
  if (method === 'dlg.terminate_dlg' && parameters.length === 3 && first !== '') return { callId: first };
  const [, command, tag = '', verb] = parameters;
  const isSems = method === 'di' && parameters.length === 4;

  return isSems && command === 'postControlCmd' && verb === 'teardown' && tag !== '' ? { tag } : undefined;
}

function readMethodCall(xml: string): { method: string; parameters: readonly string[] } | undefined {
  if (xml.length > MAX_NOTICE_BYTES) return undefined;
  const reader = new Reader(xml);
  reader.skipProlog();
  if (!reader.take('<methodCall>') || !reader.take('<methodName>')) return undefined;
  const method = reader.text('</methodName>');
  if (method === undefined || !reader.take('<params>')) return undefined;
  const parameters: string[] = [];
  while (!reader.take('</params>')) {
    if (parameters.length === MAX_PARAMETERS || !reader.take('<param>') || !reader.take('<value>')) {
      return undefined;
    }
    // A value without a type is a string (XML-RPC specification).
    const hasType = reader.take('<string>');
    const value = reader.text(hasType ? '</string>' : '</value>');
    if (value === undefined || (hasType && !reader.take('</value>')) || !reader.take('</param>')) {
      return undefined;
    }
    parameters.push(value);
  }

  return reader.take('</methodCall>') && reader.isAtEnd ? { method, parameters } : undefined;
}

/** Goes through a text once, from left to right. */
class Reader {
  readonly #xml: string;
  #at = 0;

  constructor(xml: string) {
    this.#xml = xml;
  }

  get isAtEnd(): boolean {
    this.#skipSpace();

    return this.#at === this.#xml.length;
  }

  skipProlog(): void {
    this.#skipSpace();
    if (!this.#xml.startsWith('<?xml ', this.#at)) return;
    const end = this.#xml.indexOf('?>', this.#at);
    if (end !== -1) this.#at = end + 2;
  }

  /** Takes a tag, and the space before it, if it comes next. */
  take(tag: string): boolean {
    this.#skipSpace();
    if (!this.#xml.startsWith(tag, this.#at)) return false;
    this.#at += tag.length;

    return true;
  }

  /** The text up to a closing tag, which is taken too; undefined if anything else comes, or a character XML does not know. */
  text(closing: string): string | undefined {
    const end = this.#xml.indexOf('<', this.#at);
    if (end === -1 || !this.#xml.startsWith(closing, end)) return undefined;
    const text = this.#xml.slice(this.#at, end);
    this.#at = end + closing.length;
    let isGood = true;
    const read = text.replace(/&([^&;]{0,8};?)/g, (_, name: string) => {
      const character = name.endsWith(';') ? ENTITIES[name.slice(0, -1)] : undefined;
      isGood &&= character !== undefined;

      return character ?? '';
    });

    return isGood ? read : undefined;
  }

  #skipSpace(): void {
    while (SPACE.has(this.#xml[this.#at] ?? '')) this.#at++;
  }
}

const SPACE: ReadonlySet<string> = new Set([' ', '\t', '\r', '\n']);
