import { describe, expect, test } from 'bun:test';
import {
  type Arrow,
  type Ladder,
  ladderOf,
  MAX_RELAYS,
  placeLanes,
} from '../../../src/ui/page/calls/ladder.ts';
import { callOf, explainedOf, placementOf, START, stepOf, tryOf } from './explained.ts';

/** An arrow as people would draw it in a line of text. */
function drawn({ lanes, arrows }: Ladder): string[] {
  const nameOf = (index: number) => lanes[index]?.nodeId ?? lanes[index]?.kind;

  return arrows.map(({ kind, from, to, label, isFailed }: Arrow) =>
    [kind, `${nameOf(from)}>${nameOf(to)}`, label, ...(isFailed ? ['failed'] : [])].join(' '),
  );
}

describe('the ladder of a call', () => {
  test('goes from the proxy by the cluster to the relay, and back', () => {
    const ladder = ladderOf(explainedOf([stepOf({ tries: [tryOf(1)], placement: placementOf() })]));
    expect(drawn(ladder)).toEqual([
      'request proxy>cluster INVITE',
      'ask cluster>1 offer',
      'told 1>cluster ok',
      'reply cluster>proxy ok',
    ]);
    expect(ladder.arrows.map(({ isPlacement }) => isPlacement)).toEqual([true, false, false, false]);
    expect(ladder.arrows.map(({ tookMs }) => tookMs)).toEqual([null, null, 3, 4]);
  });

  test('gives each relay that was tried a lane, in the order of trying', () => {
    const ladder = ladderOf(
      explainedOf(
        [stepOf({ node_id: 2, tries: [tryOf(7, 'silent', 250), tryOf(2)] })],
        callOf({ node_id: 2 }),
      ),
    );
    expect(ladder.lanes.map(({ nodeId, isOwner }) => [nodeId, isOwner])).toEqual([
      [null, false],
      [null, false],
      [7, false],
      [2, true],
    ]);
    expect(drawn(ladder)).toEqual([
      'request proxy>cluster INVITE',
      'lost cluster>7 silent failed',
      'ask cluster>2 offer',
      'told 2>cluster ok',
      'reply cluster>proxy ok',
    ]);
  });

  test('tells a relay that refused from one that was silent, and from one that was not asked', () => {
    const ladder = ladderOf(
      explainedOf(
        [
          stepOf({
            node_id: null,
            result: 'RTPC_RELAY_SILENT',
            tries: [tryOf(1, 'refused'), tryOf(2, 'unreachable'), tryOf(3, 'node-down')],
          }),
        ],
        null,
      ),
    );
    expect(drawn(ladder).slice(1)).toEqual([
      'ask cluster>1 offer',
      'told 1>cluster refused failed',
      'lost cluster>2 unreachable failed',
      'unasked cluster>3 node-down failed',
      'reply cluster>proxy RTPC_RELAY_SILENT failed',
    ]);
  });

  test('shows the relay of steps that tell of no tries', () => {
    const steps = [
      stepOf({ operation: 'answer', message: '200 INVITE' }),
      stepOf({ operation: 'delete', message: 'BYE' }),
    ];
    expect(drawn(ladderOf(explainedOf(steps))).filter((text) => text.startsWith('ask'))).toEqual([
      'ask cluster>1 answer',
      'ask cluster>1 delete',
    ]);
  });

  test('shows no relay where none was asked', () => {
    const steps = [
      stepOf({ operation: 'announce', node_id: null }),
      stepOf({ operation: 'answer', result: 'RTPC_BAD_SDP' }),
    ];
    expect(drawn(ladderOf(explainedOf(steps))).map((text) => text.split(' ')[0])).toEqual([
      'request',
      'reply',
      'request',
      'reply',
    ]);
  });

  test('shows time in which nothing happened, but no short one', () => {
    const ladder = ladderOf(
      explainedOf([
        stepOf({ at: START, took_ms: 10 }),
        stepOf({ at: START + 500 }),
        stepOf({ at: START + 60_504, operation: 'delete' }),
      ]),
    );
    expect(ladder.pauses.map(({ ms }) => ms)).toEqual([60_000]);
    expect(ladder.bands.map(({ sinceStartMs }) => sinceStartMs)).toEqual([0, 500, 60_504]);
    const rows = [...ladder.arrows, ...ladder.pauses].map(({ row }) => row).sort((a, b) => a - b);
    expect(rows).toEqual(Array.from({ length: ladder.rows }, (_, index) => index));
  });

  test('draws the newest steps of a long call, with their place in the whole', () => {
    const steps = Array.from({ length: 10 }, (_, index) => stepOf({ at: START + index * 100 }));
    const ladder = ladderOf(explainedOf(steps), 4);
    expect([ladder.earlier, ladder.bands.map(({ step }) => step)]).toEqual([6, [6, 7, 8, 9]]);
    expect(ladder.bands[0]?.sinceStartMs).toBe(600);
  });

  test('has few lanes whatever happened, and one for the relay that has the call', () => {
    const tries = Array.from({ length: 20 }, (_, index) => tryOf(index + 1, 'silent'));
    const { lanes } = ladderOf(explainedOf([stepOf({ node_id: 20, tries })], callOf({ node_id: 20 })));
    expect(lanes.length).toBe(2 + MAX_RELAYS);
    expect(lanes.at(-1)).toEqual({ kind: 'relay', nodeId: 20, isOwner: true });
  });

  test('of a call of which nothing is known has the lanes and no arrow', () => {
    const ladder = ladderOf(explainedOf([]));
    expect([ladder.rows, ladder.lanes.length]).toEqual([0, 3]);
  });
});

describe('the places of lanes', () => {
  const space = { left: 100, right: 50 };

  test('use the width there is', () => {
    expect(placeLanes(3, { width: 550, ...space })).toEqual({ width: 550, xs: [100, 300, 500] });
  });

  test('are never so close that no word fits between them', () => {
    const { width, xs } = placeLanes(6, { width: 300, ...space });
    expect(width).toBeGreaterThan(300);
    expect((xs[1] ?? 0) - (xs[0] ?? 0)).toBeGreaterThanOrEqual(90);
  });

  test('are not torn apart on a wide screen', () => {
    expect(placeLanes(3, { width: 4000, ...space }).width).toBeLessThan(800);
  });
});
