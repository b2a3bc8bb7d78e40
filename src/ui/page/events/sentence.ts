/** An event as a sentence of the language of the page. */

import { duration, millis, NOTHING, time } from '../format.ts';
import { causeText, fill, language, reader, type Values } from '../i18n.ts';
import type { EventResource } from '../resources.ts';
import { fleet } from '../words/fleet.ts';
import { kinds } from '../words/kinds.ts';

const t = reader(fleet);

/** Kinds that have a sentence. A stream names each event by its kind, so these are listened for. */
export const KINDS: readonly string[] = Object.keys(kinds.en).sort();

/** What happened; the kind alone if nobody wrote a sentence for it. */
export function sentenceOf({ kind, node_id: node, call_id: call, detail }: EventResource): string {
  const sentences: Readonly<Record<string, string>> = kinds[language.value];
  const text = sentences[kind];
  if (text === undefined) return kind;
  const values: Record<string, string | number> = { node: String(node ?? ''), call: call ?? '' };
  for (const [key, value] of Object.entries(detail)) values[key] = shown(key, value);
  if (values.by === 'deadline') values.by = t('by_deadline');
  values.by ||= t('somebody');
  if (typeof values.cause === 'string') values.cause = causeText(values.cause);

  return fill(text, values as Values)
    .replace(/[:：]\s*$/, '')
    .trim();
}

/** A value of a detail as people read it; numbers stay numbers where words go with them. */
export function shown(key: string, value: unknown): string | number {
  if (value === null || value === undefined) return '';
  if (Array.isArray(value))
    return value.length === 0 ? NOTHING : value.map((one) => shown('', one)).join(', ');
  if (typeof value === 'object') return JSON.stringify(value);
  if (typeof value !== 'number') return String(value);
  if (key.endsWith('_s')) return duration(value);
  if (key.endsWith('_ms')) return `${millis(value)} ms`;
  if (key === 'until' || key === 'not_after') return time(value);
  if (key.endsWith('_id') || key === 'status') return String(value);

  return value;
}
