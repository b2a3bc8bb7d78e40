/** Reads fields of JSON whose shape only the server knows; what is missing shows as an empty text. */

import { timeText } from './table.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field as text; '' if it is missing or null. */
export function textOf(object: unknown, field: string): string {
  const value = isObject(object) ? object[field] : undefined;
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return String(value.length);

  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

/** A field that holds a number, undefined if it does not. */
export function numberOf(object: unknown, field: string): number | undefined {
  const value = isObject(object) ? object[field] : undefined;

  return typeof value === 'number' ? value : undefined;
}

/** A field that holds an object, undefined if it does not. */
export function objectOf(object: unknown, field: string): JsonObject | undefined {
  const value = isObject(object) ? object[field] : undefined;

  return isObject(value) ? value : undefined;
}

/** A field that holds a list of objects; empty if it is missing. */
export function listOf(object: unknown, field: string): readonly JsonObject[] {
  const value = isObject(object) ? object[field] : undefined;

  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A time stamp in UTC milliseconds as `2026-11-23 12:00:00Z`; other texts as they are. */
export function timeOf(object: unknown, field: string): string {
  const text = textOf(object, field);
  const ms = /^\d{1,15}(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;

  return Number.isNaN(ms) ? text : timeText(ms);
}
