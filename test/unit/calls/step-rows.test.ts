import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { beginStep, type Step } from '../../../src/calls/step.ts';
import { noted, packSteps, unpackSteps } from '../../../src/calls/step-rows.ts';
import { phoneSdp } from '../../fakes/cluster.ts';

const SDP = phoneSdp('10.9.9.9');

function makeStep(changes: Partial<Step> = {}): Step {
  return { ...beginStep(5, 'offer', 'INVITE', 'ng'), tag: 'A', sdp_received: SDP, ...changes };
}

const byteString = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes).toString('latin1'));

describe('a row of steps', () => {
  test('gives back what was packed, with the addresses of the SDP', () => {
    const steps = [makeStep({ sdp_returned: phoneSdp('198.51.100.1') }), makeStep({ operation: 'answer' })];
    expect(unpackSteps(packSteps(steps))).toEqual([
      { ...(steps[0] as Step), received: ['audio 10.9.9.9:41000'], returned: ['audio 198.51.100.1:41000'] },
      { ...(steps[1] as Step), received: ['audio 10.9.9.9:41000'], returned: [] },
    ]);
  });

  test('keeps every byte of an SDP and a tag', () => {
    fc.assert(
      fc.property(byteString, byteString, (tag, sdp) => {
        const [step] =
          unpackSteps(packSteps([makeStep({ tag, sdp_received: sdp, sdp_returned: sdp })])) ?? [];
        expect([step?.tag, step?.sdp_received, step?.sdp_returned]).toEqual([tag, sdp, sdp]);
      }),
    );
  });

  test('is smaller than the SDP of an offer and its answer', () => {
    const sdp = [SDP, phoneSdp('198.51.100.1'), phoneSdp('203.0.113.9', 'IP4', 42_000), phoneSdp('10.0.0.1')];
    const [a, b, c, d] = sdp as [string, string, string, string];
    const steps = [
      makeStep({ sdp_received: a, sdp_returned: b }),
      makeStep({ sdp_received: c, sdp_returned: d }),
    ];
    expect(packSteps(steps).length).toBeLessThan(sdp.join('').length);
  });

  test('of the first version is text without SDP, door and tag, and has the addresses', () => {
    const {
      door: _,
      tag: __,
      sdp_received: ___,
      sdp_returned: ____,
      is_sdp_cut: _____,
      streams: ______,
      ...old
    } = makeStep();
    const row = JSON.stringify([{ ...old, received: ['audio 10.9.9.9:41000'], returned: [] }]);
    expect(unpackSteps(row)).toEqual([
      {
        ...makeStep({ tag: null, sdp_received: null }),
        door: null,
        received: ['audio 10.9.9.9:41000'],
        returned: [],
      },
    ]);
  });

  test('that is damaged in any byte, or cut short, never tells anything else', () => {
    const good = packSteps([makeStep()]);
    const bad = [...good.keys()].flatMap((at) => {
      const flipped = Uint8Array.from(good);
      flipped[at] = (flipped[at] ?? 0) ^ 0x55;

      return [flipped, good.subarray(0, at)];
    });
    const read = bad.map(unpackSteps);
    // Where the damage is in what does not matter, as the checksum of a row that is otherwise whole.
    const whole = read.filter((steps) => steps !== undefined);
    expect(whole.length).toBeLessThan(10);
    for (const steps of whole) expect(steps).toEqual([noted(makeStep())]);
  });

  test('that holds something else is known as such, and nothing throws', () => {
    for (const row of [
      '',
      'x',
      '{}',
      '[1]',
      '[{}]',
      '[{"at":1}]',
      '[{"at":1,"operation":"x","tries":3}]',
      '[{"at":1,"operation":"x","tries":[null]}]',
      '[{"at":1,"operation":"x","tries":[{}]}]',
      '[{"at":1,"operation":"x","tries":[],"tag":7}]',
      '[{"at":1,"operation":"x","tries":[],"sdp_received":7}]',
      '[{"at":1,"operation":"x","tries":[],"decision":{}}]',
      '[{"at":1,"operation":"x","tries":[],"streams":"x"}]',
      '[{"at":1,"operation":"x","tries":[],"received":[1]}]',
      'null',
    ])
      expect([row, unpackSteps(row)]).toEqual([row, undefined]);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(unpackSteps(bytes)).toBeUndefined();
      }),
    );
  });

  test('that lacks what a later version notes is filled up', () => {
    for (const more of ['', ',"sdp_received":"x"'])
      expect(unpackSteps(`[{"at":1,"operation":"x","tries":[]${more}}]`)).toMatchObject([
        { reason: '', tag: null, decision: null, streams: null, door: null, received: [], returned: [] },
      ]);
  });

  test('that would unpack to more than any row has is not unpacked', () => {
    const bomb = packSteps([makeStep({ sdp_received: 'x'.repeat(8_000_000) })]);
    expect(bomb.length).toBeLessThan(2000);
    expect(unpackSteps(bomb)).toBeUndefined();
  });
});
