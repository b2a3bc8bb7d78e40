import { describe, expect, test } from 'bun:test';
import { RelayFailure } from '../../../../src/relay/driver.ts';
import { readCallStreams } from '../../../../src/relay/rtpproxy/call-streams.ts';
import { writeMemo } from '../../../../src/relay/rtpproxy/sessions.ts';
import { DEADLINE, drive } from './driving.ts';

const SESSION = { branch: '', n: 1, opener: 'A', peer: 'B', openerPort: 35_000, peerPort: 36_000 };

describe('the streams of a call on an rtpproxy', () => {
  test('are two for each session: what came from either party, and the port it sends to', async () => {
    const { driver } = drive(() => '57 120 80 199 1');
    const streams = await driver.streams({ callId: 'c1', memo: writeMemo([SESSION]) }, DEADLINE);
    if (streams instanceof RelayFailure) throw new Error(streams.reason);
    const unknown = {
      isRtcp: false,
      codec: null,
      remote: null,
      advertised: null,
      bytes: null,
      errors: null,
      lastPacketAt: null,
      heard: null,
    };
    expect(streams).toEqual([
      { tag: 'A', index: 1, packets: 120, local: { address: '', port: 36_000 }, ...unknown },
      { tag: 'B', index: 1, packets: 80, local: { address: '', port: 35_000 }, ...unknown },
    ]);
  });

  test('of a call without memo have no ports', async () => {
    const { driver } = drive(() => '57 1 0 1 0');
    expect(await driver.streams({ callId: 'c1', tags: ['A'] }, DEADLINE)).toMatchObject([
      { tag: 'A', packets: 1, local: null },
      { tag: '', packets: 0, local: null },
    ]);
  });

  test('are none where all streams are off, and a failure is passed on', async () => {
    const { driver } = drive(() => 'E50');
    expect(await driver.streams({ callId: 'c1', memo: '[]' }, DEADLINE)).toEqual([]);
    expect(await driver.streams({ callId: 'c1', memo: writeMemo([SESSION]) }, DEADLINE)).toMatchObject({
      kind: 'unknown-call',
    });
  });

  test('of other branches and lines are told apart; what is no record is left out', () => {
    const other = { ...SESSION, branch: 'b2', openerPort: 37_000, peerPort: 0 };
    const row = {
      media: 1,
      'from-tag': 'A',
      'to-tag': 'B',
      'packets from from-tag': 1,
      'packets from to-tag': 2,
    };
    const streams = readCallStreams(
      { streams: [row, { ...row, 'via-branch': 'b2' }, 7, {}, { ...row, media: 'x' }] },
      writeMemo([SESSION, other]),
    );
    expect(streams.map(({ packets, local }) => [packets, local?.port ?? null])).toEqual([
      [1, 36_000],
      [2, 35_000],
      [1, null],
      [2, 37_000],
    ]);
    expect(readCallStreams({}, null)).toEqual([]);
  });
});
