/** `rtp-cluster call watch CALL-ID`: one call as it goes on, until it ends. */

import {
  findingLine,
  findingName,
  type Rates,
  ratesOf,
  statisticsTable,
  streamLines,
} from './call-statistics.ts';
import { type Api, ApiError } from './client.ts';
import { EXIT, type Io } from './command.ts';
import { callTitle } from './explain.ts';
import { isObject, type JsonObject, listOf, objectOf, textOf } from './json.ts';
import { onScreen, screenOf } from './screen.ts';
import { stepTitle } from './step-lines.ts';
import { type Look, lookOf, paint } from './style.ts';
import { timeText } from './table.ts';
import { interruptible, pause, unless } from './waiting.ts';

/** Requests of the call on the screen; the last ones. */
const MAX_STEPS = 12;

const TOO_OLD =
  'the service is older than this command and does not tell what its relays hear; upgrade it to see that';

/** What is known of the call at a time. */
interface View {
  /** UTC ms by the clock of this host. */
  readonly at: number;
  /** The answer of `/v1/explain`. */
  readonly told: unknown;
  /** The last answer of `/v1/statistics`; null before the first. */
  readonly statistics: JsonObject | null;
  readonly rates: Rates;
  /** Why the newest statistics, or anything, could not be had. */
  readonly trouble: string | undefined;
}

/** How the call is watched. */
export interface CallWatch {
  readonly callId: string;
  /** Time between two looks, ms. */
  readonly interval: number;
  readonly isJson: boolean;
}

/** Follows a call: on a terminal as a screen, elsewhere a line for each change. 130 if a signal came before its end. */
export async function watchCall(api: Api, io: Io, watch: CallWatch): Promise<number | ApiError> {
  const first = await look(api, watch.callId, undefined);
  if (first instanceof ApiError) return first;
  const terminal = screenOf(io);
  if (terminal === undefined || watch.isJson) {
    return interruptible(async (signal) => {
      const last = await follow(api, watch, first, signal, (view, before) => {
        for (const line of changes(view, before, watch.isJson, lookOf(io))) io.out(line);
      });

      return isOver(last) ? EXIT.ok : EXIT.interrupted;
    });
  }
  const last = await onScreen({ ...io, terminal }, (screen) =>
    follow(api, watch, first, screen.signal, (view) => screen.show((look) => screenLines(view, look))),
  );
  // The screen is gone; what it said last stays.
  for (const line of screenLines(last, lookOf(io))) io.out(line);

  return isOver(last) ? EXIT.ok : EXIT.interrupted;
}

/** Looks again and again until the call is over or the signal comes; the last view. */
async function follow(
  api: Api,
  { callId, interval }: CallWatch,
  first: View,
  signal: AbortSignal,
  show: (view: View, before: View | undefined) => void,
): Promise<View> {
  let before: View | undefined;
  let view = first;
  for (;;) {
    show(view, before);
    if (isOver(view)) return view;
    await pause(interval, signal);
    const next = await unless(signal, look(api, callId, view));
    if (next === undefined) return view;
    before = view;
    // A service that is away for a while may come back.
    view = next instanceof ApiError ? { ...view, at: Date.now(), trouble: next.message } : next;
  }
}

async function look(api: Api, callId: string, before: View | undefined): Promise<View | ApiError> {
  const id = encodeURIComponent(callId);
  const told = await api.call('GET', `/v1/explain/${id}`);
  if (told instanceof ApiError) return told;
  const view = { at: Date.now(), told: told.json, trouble: undefined };
  const old = { statistics: before?.statistics ?? null, rates: before?.rates ?? new Map<string, number>() };
  const call = objectOf(told.json, 'call');
  if (call === undefined || textOf(call, 'node_id') === '') return { ...view, ...old };
  const reply = await api.call('GET', `/v1/statistics/${id}`);
  if (reply instanceof ApiError) {
    const code = textOf(reply.reply?.json, 'code');
    // Not every relay tells figures at the end; and a call may end between the two questions, which the next look says.
    const hasEnded = textOf(call, 'state') === 'ended' || code === 'RTPC_CALL_UNKNOWN';
    const why = code === 'RTPC_NOT_FOUND' ? TOO_OLD : reply.message;

    return { ...view, ...old, trouble: hasEnded ? undefined : why };
  }
  const statistics = isObject(reply.json) ? reply.json : null;

  return { ...view, statistics, rates: ratesOf(old.statistics, statistics) };
}

/** A call no node took has nothing to wait for. */
function isOver({ told }: View): boolean {
  const call = objectOf(told, 'call');

  return call === undefined || textOf(call, 'state') === 'ended';
}

function screenLines({ told, statistics, rates, trouble }: View, look: Look): string[] {
  const steps = listOf(told, 'steps');
  const shown = steps.slice(-MAX_STEPS);
  const hidden = steps.length - shown.length;

  return [
    callTitle(told, look),
    '',
    ...(trouble === undefined ? [] : [paint(look, trouble, 'red')]),
    ...(statistics === null ? [] : statisticsTable(statistics, rates, look)),
    '',
    ...(hidden === 0 ? [] : [paint(look, `${hidden} requests before these`, 'dim')]),
    ...shown.map((step) => stepTitle(step, look)),
  ];
}

/** What is new since the view before, a line each. */
function changes(view: View, before: View | undefined, isJson: boolean, look: Look): string[] {
  const { at, told, statistics, rates, trouble } = view;
  const line = (event: string, fields: object): string => JSON.stringify({ at, event, ...fields });
  const stamp = (text: string): string => `${timeText(at)}  ${text}`;
  const known = new Set(listOf(before?.told, 'steps').map(stepName));
  const steps = listOf(told, 'steps').filter((step) => !known.has(stepName(step)));
  const call = objectOf(told, 'call') ?? null;
  const hasCall = before === undefined || callName(told) !== callName(before.told);
  const hasStatistics = statistics !== null && statistics !== before?.statistics;
  const hasTrouble = trouble !== undefined && trouble !== before?.trouble;
  if (isJson) {
    return [
      ...steps.map((step) => line('step', { step })),
      ...(hasCall ? [line('call', { call })] : []),
      ...(hasStatistics ? [line('statistics', { statistics })] : []),
      ...(hasTrouble ? [line('trouble', { message: trouble })] : []),
    ];
  }

  return [
    ...steps.map((step) => stepTitle(step, look)),
    ...(hasCall ? [stamp(callTitle(told, look))] : []),
    ...(hasStatistics ? streamLines(before?.statistics, statistics, rates, look).map(stamp) : []),
    ...findingChanges(before?.statistics ?? null, statistics, look).map(stamp),
    ...(hasTrouble ? [stamp(paint(look, trouble, 'red'))] : []),
  ];
}

function findingChanges(before: JsonObject | null, now: JsonObject | null, look: Look): string[] {
  const [old, fresh] = [before, now].map((statistics) => listOf(statistics, 'findings'));
  const [had, has] = [old, fresh].map((list) => new Set(list?.map(findingName)));
  const gone = (old ?? []).filter((finding) => finding.level !== 'info' && !has?.has(findingName(finding)));
  const come = (fresh ?? []).filter((finding) => !had?.has(findingName(finding)));

  return [
    ...come.map((finding) => findingLine(finding, look)),
    ...gone.map((finding) => paint(look, `no longer ${textOf(finding, 'code')}`, 'green')),
  ];
}

/** What tells a step from the others of its call. */
function stepName(step: JsonObject): string {
  return ['at', 'operation', 'message', 'node_id', 'result', 'took_ms']
    .map((field) => textOf(step, field))
    .join(' ');
}

/** What of the call is worth a line when it changes. */
function callName(told: unknown): string {
  const call = objectOf(told, 'call');

  return ['state', 'node_id', 'end_reason'].map((field) => textOf(call, field)).join(' ');
}
