/** One node as lines, for `node show`. */

import { showDuration, showWhen } from './duration.ts';
import { listOf, numberOf, objectOf, textOf, timeOf } from './json.ts';
import { addressText, tagsText } from './node-table.ts';
import { type Look, PLAIN, paint, type Style, styleOf } from './style.ts';

/** What `takes_new_calls` means. */
const NEW_CALLS: Readonly<Record<string, string>> = {
  yes: 'yes',
  spare: 'only if no better node takes them',
  panic: 'only while most of its set is gone',
  no: 'no',
};

/** All that is known of a node. `now` is UTC ms. */
export function nodeLines(node: unknown, now: number, look: Look = PLAIN): string[] {
  const isEngine = textOf(node, 'kind') !== 'rtpproxy';
  const lines: readonly (readonly [name: string, value: string, style?: Style | undefined])[] = [
    ['node', textOf(node, 'id')],
    ['kind', textOf(node, 'kind')],
    ['socket', textOf(node, 'socket')],
    ['set', textOf(node, 'set_id')],
    ['order', orderLine(node, now), styleOf(textOf(objectOf(node, 'order'), 'state'))],
    ['until', whenLine(objectOf(node, 'order'), 'until', now)],
    ['relay told', objectOf(node, 'order')?.relay_told === true ? 'to take no new calls' : ''],
    ['drain', drainText(node)],
    ['health', healthLine(node, now), styleOf(textOf(objectOf(node, 'health'), 'state'))],
    ['ejected', whenLine(objectOf(node, 'health'), 'ejected_until', now)],
    ['last change', lastChange(node, now)],
    ['new calls', NEW_CALLS[textOf(node, 'takes_new_calls')] ?? '', styleOf(textOf(node, 'takes_new_calls'))],
    ['calls', textOf(node, 'calls')],
    ['sessions', textOf(objectOf(node, 'load'), 'sessions')],
    ['ports', portsLine(node)],
    ['media', mediaLine(node)],
    ['media probe', probeLine(node, now), styleOf(textOf(objectOf(node, 'probe'), 'result'))],
    ['round trip', unit(textOf(node, 'rtt_ms'), 'ms')],
    ['version', textOf(node, 'version')],
    ['uptime', duration(numberOf(node, 'uptime_s'))],
    ['weight', weightLine(node)],
    ['impose', isEngine ? textOf(node, 'impose_mode') : ''],
    ['priority', textOf(node, 'priority')],
    ['capacity', textOf(node, 'capacity') || 'none'],
    ['tags', tagsText(node) || 'none'],
    ['http port', isEngine ? textOf(node, 'http_port') || 'none' : ''],
    ...listOf(node, 'media_addresses').map(
      (address) => [textOf(address, 'side'), addressText(address)] as const,
    ),
  ];

  return lines
    .filter(([, value]) => value !== '')
    .map(([name, value, style]) => `${paint(look, `${name}:`.padEnd(12))} ${paint(look, value, style)}`);
}

/** How the drain of a node goes; '' unless it is draining. */
export function drainText(node: unknown): string {
  const drain = objectOf(node, 'drain');
  const left = numberOf(drain, 'calls_left');
  if (drain === undefined || left === undefined) return '';
  if (left === 0) return 'no calls left';
  const [perMinute, eta] = [numberOf(drain, 'per_minute'), numberOf(drain, 'eta_s')];
  const pace = perMinute === undefined ? '' : `, ${perMinute} ended per minute`;
  const end = eta === undefined ? '' : `, about ${showDuration(eta * 1000)} to go`;

  return `${left} ${left === 1 ? 'call' : 'calls'} left${pace}${end}`;
}

function orderLine(node: unknown, now: number): string {
  const order = objectOf(node, 'order');
  const [state, by, reason] = [textOf(order, 'state'), textOf(order, 'by'), textOf(order, 'reason')];
  const at = numberOf(order, 'at') ?? 0;
  if (at === 0) return state;

  return `${state}${by === '' ? '' : ` by ${by}`}, ${showWhen(at, now)}${reason === '' ? '' : `: ${reason}`}`;
}

function healthLine(node: unknown, now: number): string {
  const health = objectOf(node, 'health');
  const since = numberOf(health, 'since');
  if (since === undefined) return textOf(health, 'state');

  return `${textOf(health, 'state')} for ${showDuration(now - since)}: ${textOf(health, 'cause')}`;
}

function whenLine(object: unknown, field: string, now: number): string {
  const at = numberOf(object, field);

  return at === undefined ? '' : `${timeOf(object, field)} (${showWhen(at, now)})`;
}

function lastChange(node: unknown, now: number): string {
  const change = objectOf(node, 'last_change');
  const at = numberOf(change, 'at');

  return at === undefined ? '' : `${showWhen(at, now)}: ${textOf(change, 'cause')}`;
}

function portsLine(node: unknown): string {
  const load = objectOf(node, 'load');
  const used = textOf(load, 'ports_in_use');

  return used === '' ? '' : `${used} of ${textOf(load, 'ports_total')} in use`;
}

function mediaLine(node: unknown): string {
  const load = objectOf(node, 'load');
  const packets = textOf(load, 'packets_per_s');
  const bytes = numberOf(load, 'bytes_per_s');
  const age = numberOf(load, 'figures_age_ms');
  if (packets === '' || bytes === undefined) return '';
  const old = age === undefined ? '' : ` (${showDuration(age)} ago)`;

  return `${packets} packets/s, ${Math.round(bytes / 1000)} kB/s, ${textOf(load, 'errors_per_s') || 0} errors/s${old}`;
}

/** What the last synthetic call through the node found; '' if there was none. */
function probeLine(node: unknown, now: number): string {
  const probe = objectOf(node, 'probe');
  const at = numberOf(probe, 'at');
  if (at === undefined) return '';
  const facts = [
    unit(textOf(probe, 'loss_percent'), '% lost'),
    unit(textOf(probe, 'delay_ms'), 'ms'),
    numberOf(probe, 'reordered') ? `${textOf(probe, 'reordered')} out of order` : '',
    textOf(probe, 'reason'),
  ].filter((fact) => fact !== '');
  const words = [textOf(probe, 'result'), ...facts].join(', ');

  return `${words} (${showWhen(at, now)})`;
}

/** The weight, and how much of it counts while the node comes up. */
function weightLine(node: unknown): string {
  const share = numberOf(node, 'share') ?? 1;
  const counts = share < 1 ? `, of which ${Math.round(share * 100)} % count while it comes up` : '';

  return textOf(node, 'weight') + counts;
}

function unit(text: string, name: string): string {
  return text === '' ? '' : `${text} ${name}`;
}

function duration(seconds: number | undefined): string {
  return seconds === undefined ? '' : showDuration(seconds * 1000);
}
