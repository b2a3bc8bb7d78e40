import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import type { NgDict } from '../../../src/relay/driver.ts';
import { makeFront } from './front.ts';

/** Recorded errors where we mean to differ, and how. */
const DIFFERENT: Readonly<Record<string, NgDict>> = {
  // rtpengine says ok and keeps a call that no timer ends (ng-protocol 3.1).
  '21-offer-empty-sdp': { result: 'error', 'error-reason': 'No SDP body in message' },
  // So there is none to be listed afterwards.
  '25-list-after-bad-offers': { result: 'ok', calls: [] },
};

describe('recorded errors of rtpengine 10.5', () => {
  const DIRECTORY = new URL('../../fixtures/ng/', import.meta.url).pathname;
  const files = readdirSync(DIRECTORY).filter((file) => /^error\.\d+-/.test(file));
  const recorded = files.flatMap((file): [string, NgDict, NgDict][] => {
    const { request, response } = JSON.parse(readFileSync(`${DIRECTORY}${file}`, 'utf8'));
    const isRead = request.payload !== null && !Array.isArray(request.payload) && response !== null;
    const text = String(response?.payload?.['error-reason'] ?? '');
    // What cannot be decoded does not come here.
    const isMessage = isRead && !/^(Could not decode|Failed to parse JSON|Invalid)/.test(text);

    return isMessage ? [[file.slice(6, -5), request.payload, response.payload]] : [];
  });

  test('are read', () => {
    expect(recorded.length).toBe(32);
  });

  test.each(recorded)('%s', async (name, request, response) => {
    const { ask } = makeFront({ networks: [] });
    const { message: _, ...reply } = await ask(request);
    expect(reply).toEqual(DIFFERENT[name] ?? response);
  });
});
