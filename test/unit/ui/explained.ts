/** Answers of the API for tests of the page. */

import type {
  CallResource,
  Explained,
  PlacementResource,
  StepResource,
  StreamResource,
} from '../../../src/ui/page/calls/resources.ts';

/** When the calls of these tests began, UTC ms. */
export const START = Date.UTC(2026, 0, 5, 10, 0, 0);

export function callOf(fields: Partial<CallResource> = {}): CallResource {
  return {
    call_id: 'c1',
    node_id: 1,
    set_id: 0,
    direction: 'out',
    state: 'confirmed',
    caller_tag: 'a',
    created_at: START,
    updated_at: START,
    end_reason: null,
    legs: [],
    ...fields,
  };
}

export function stepOf(fields: Partial<StepResource> = {}): StepResource {
  return {
    at: START,
    operation: 'offer',
    message: 'INVITE',
    took_ms: 4,
    result: 'ok',
    reason: '',
    node_id: 1,
    sides: 'inner>outer',
    received: [],
    returned: [],
    placement: null,
    tries: [],
    ...fields,
  };
}

export function explainedOf(steps: readonly StepResource[], call: CallResource | null = callOf()): Explained {
  return { call_id: 'c1', call, steps };
}

export function tryOf(nodeId: number, result = 'ok', tookMs = 3) {
  return {
    node_id: nodeId,
    result,
    reason: result === 'ok' ? '' : `node ${nodeId}: ${result}`,
    took_ms: tookMs,
  };
}

export function placementOf(fields: Partial<PlacementResource> = {}): PlacementResource {
  return {
    policy: 'hash',
    panic: false,
    candidates: [],
    candidate_count: 0,
    left_out: [],
    left_out_count: 0,
    ...fields,
  };
}

export function streamOf(
  tag: string,
  packets: number | null,
  fields: Partial<StreamResource> = {},
): StreamResource {
  return {
    tag,
    side: null,
    media: 'audio',
    index: 1,
    rtcp: false,
    direction: null,
    codec: null,
    local: null,
    told: null,
    remote: null,
    advertised: null,
    packets,
    bytes: null,
    errors: null,
    last_packet_s: null,
    loss_percent: null,
    jitter_ms: null,
    mos: null,
    ...fields,
  };
}
