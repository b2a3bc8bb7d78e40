/** A client of the API: requests, calls and nodes, and what the appliance says of itself. */

import { expect } from 'bun:test';
import { connect } from 'node:net';
import type { NodeKind } from '../../src/domain/node.ts';
import { type Appliance, settled } from './appliance.ts';
import { buildSdp } from './sdp.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export async function ask(url: string, path: string, init: RequestInit = {}): Promise<Answer> {
  const response = await fetch(url + path, init);
  const text = await response.text();
  let body: Answer['body'] = {};
  try {
    body = JSON.parse(text) as Answer['body'];
  } catch {
    // Not every answer is JSON.
  }

  return { status: response.status, text, body };
}

export function post(url: string, path: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };

  return ask(url, path, { method: 'POST', headers, body: JSON.stringify(body) });
}

export function offer(url: string, callId: string): Promise<Answer> {
  const sdp = buildSdp({ address: '10.1.1.1', port: 4000 });

  return post(url, '/v1/media/offer', { 'call-id': callId, 'from-tag': 'f', direction: 'out', sdp });
}

export function answer(url: string, callId: string): Promise<Answer> {
  const sdp = buildSdp({ address: '203.0.113.9', port: 5000 });

  return post(url, '/v1/media/answer', { 'call-id': callId, 'from-tag': 'f', 'to-tag': 't', sdp });
}

export function hangUp(url: string, callId: string): Promise<Answer> {
  return post(url, '/v1/media/delete', { 'call-id': callId });
}

/** Places calls at once; returns the node of each. Anything but 200 fails the test. */
export async function place(url: string, callIds: readonly string[]): Promise<Map<string, unknown>> {
  const placed = await Promise.all(
    callIds.map(async (callId) => [callId, await offer(url, callId)] as const),
  );
  const failed = placed.filter(([, { status }]) => status !== 200).map(([id, { text }]) => [id, text]);
  expect(failed).toEqual([]);

  return new Map(placed.map(([callId, { body }]) => [callId, body.node]));
}

export function names(count: number, prefix: string): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}-${i}@fails`);
}

/** Adds relays, rtpengines if nothing else is said, as nodes 1, 2 ... and waits until each has proven good. */
export async function addNodes(
  appliance: Appliance,
  relays: readonly { readonly kind?: NodeKind; readonly socket: string }[],
): Promise<void> {
  for (const [index, { kind = 'rtpengine', socket }] of relays.entries()) {
    const [inner, outer] = [`10.9.0.${index + 1}`, `198.51.100.${index + 1}`];
    await appliance.api('POST', '/v1/nodes', {
      id: index + 1,
      kind,
      socket,
      inner_media_ip: inner,
      out_media_ip: outer,
    });
    await settled(appliance, index + 1);
  }
}

/** All live calls and their nodes, page by page. */
export async function liveCalls(appliance: Appliance): Promise<Map<string, unknown>> {
  const live = new Map<string, unknown>();
  let after = '';
  for (;;) {
    const page = (await appliance.api('GET', `/v1/calls?limit=1000${after}`)) as {
      calls: { call_id: string; node_id: unknown }[];
      next: string | null;
    };
    for (const { call_id: callId, node_id: node } of page.calls) live.set(callId, node);
    if (page.next === null) return live;
    after = `&after=${encodeURIComponent(page.next)}`;
  }
}

export function sorted(map: ReadonlyMap<string, unknown>): [string, unknown][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : 1));
}

export function loggedEvents(appliance: Appliance, event: string) {
  return appliance.logs().filter((line) => line.event === event);
}

export async function eventKinds(appliance: Appliance): Promise<string[]> {
  const { events } = (await appliance.api('GET', '/v1/events')) as { events: { kind: string }[] };

  return events.map(({ kind }) => kind);
}

export async function readiness(url: string): Promise<Answer> {
  return await ask(url, '/readyz');
}

/** A TCP connection on which `text` was sent and nothing more follows. */
export function halfRequest(url: string, text: string | Buffer): Promise<ReturnType<typeof connect>> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () =>
      socket.write(text, () => resolve(socket)),
    );
    socket.on('error', reject);
  });
}
