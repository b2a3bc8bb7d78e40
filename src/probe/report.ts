/** What a look at one node found: one line for each thing that was tested, with what to do where it is not as it should be. */

import type { Side } from '../domain/side.ts';
import type { Family } from '../util/ip.ts';

/** What is tested, in the order in which it is told. */
export const CHECK_WORDS = [
  'control',
  'version',
  'statistics',
  'ports',
  'impose-mode',
  'address',
  'media',
] as const;
export type CheckWord = (typeof CHECK_WORDS)[number];

/** `warning`: it works as far as can be seen from here, or will not for long. `skipped`: nobody could tell. */
export type CheckResult = 'ok' | 'warning' | 'failed' | 'skipped';

export interface Check {
  readonly check: CheckWord;
  /** The side that reads the address; of `media` both sides, as `inner>outer`, or the one whose address nothing came through by. Null where a check is about the node as a whole. */
  readonly side: Side | null;
  /** Of `address` and `media`. */
  readonly family: Family | null;
  readonly result: CheckResult;
  /** What was seen. */
  readonly detail: string;
  /** What to do; '' if nothing. */
  readonly advice: string;
  /** ms. */
  readonly tookMs: number;
}

export interface Report {
  readonly result: Exclude<CheckResult, 'skipped'>;
  readonly checks: readonly Check[];
}

/** A finding about the node as a whole. */
export function finding(
  check: CheckWord,
  result: CheckResult,
  detail: string,
  { advice = '', tookMs = 0 }: { readonly advice?: string; readonly tookMs?: number } = {},
): Check {
  return { check, side: null, family: null, result, detail, advice, tookMs };
}

/** The checks in their order, and the worst of them. */
export function reportOf(checks: readonly Check[]): Report {
  const results = new Set(checks.map(({ result }) => result));
  const sorted = [...checks].sort((a, b) => CHECK_WORDS.indexOf(a.check) - CHECK_WORDS.indexOf(b.check));

  return {
    result: results.has('failed') ? 'failed' : results.has('warning') ? 'warning' : 'ok',
    checks: sorted,
  };
}

/** A report by the names of the API. */
export function reportShown({ result, checks }: Report) {
  return { result, checks: checks.map(({ tookMs, ...check }) => ({ ...check, took_ms: rounded(tookMs) })) };
}

/** Tenths. */
export function rounded(value: number): number {
  return Math.round(value * 10) / 10;
}
