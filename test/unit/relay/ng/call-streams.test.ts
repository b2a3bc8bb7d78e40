import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { CallStream } from '../../../../src/relay/call-streams.ts';
import { type NgDict, type NgValue, RelayFailure } from '../../../../src/relay/driver.ts';
import { DecodeError, decode, isDict } from '../../../../src/relay/ng/bencode.ts';
import { readCallStreams } from '../../../../src/relay/ng/call-streams.ts';
import { NgDriver } from '../../../../src/relay/ng/driver.ts';
import { bodyOf, readFixtures } from './harness.ts';

const FIXTURES = readFixtures();

/** The streams of a recorded `query`. */
function recorded(file: string): CallStream[] {
  const fixture = FIXTURES.find((candidate) => candidate.file === file);
  const body = fixture?.response == null ? undefined : bodyOf(fixture.response);
  const reply = body === undefined ? undefined : decode(body);
  if (reply === undefined || reply instanceof DecodeError || !isDict(reply))
    throw new Error(`${file} is no recorded bencode reply`);

  return readCallStreams(reply);
}

/** A record of one party with one stream. */
function record(stream: NgDict, media: NgDict = {}, more: NgDict = {}): NgDict {
  const streams = [{ flags: ['RTP'], stats: { packets: 5, bytes: 860, errors: 1 }, ...stream }];

  return { tags: { A: { tag: 'A', medias: [{ index: 1, type: 'audio', ...media, streams }] } }, ...more };
}

const VERSIONS = ['10.5.3.5', '11.5.1.53', '12.5.1.55', '13.5.1.25', '26.3.0-git-e8b82121f'];

describe('the streams of a call on an rtpengine', () => {
  test.each(VERSIONS)('are told by %s: packets of each party, ports, addresses, codec', (version) => {
    const streams = recorded(`versions/${version}/ver.11-query.json`);
    const rtp = streams.filter(({ isRtcp }) => !isRtcp);
    expect(
      rtp.map(({ tag, index, codec, packets, bytes, errors }) => [tag, index, codec, packets, bytes, errors]),
    ).toEqual([
      ['A', 1, 'PCMA/8000', 20, 3440, 0],
      ['C', 1, 'PCMA/8000', 20, 3440, 0],
    ]);
    expect(rtp.map(({ remote, advertised }) => [remote, advertised])).toEqual([
      [
        { address: '10.11.0.50', port: 41_000 },
        { address: '10.11.0.50', port: 41_000 },
      ],
      [
        { address: '198.51.100.77', port: 42_000 },
        { address: '198.51.100.77', port: 42_000 },
      ],
    ]);
    for (const { local, lastPacketAt, heard } of rtp) {
      expect(local?.address).toBe('10.11.0.21');
      expect(Number(local?.port) % 2).toBe(0);
      expect(lastPacketAt).toBeGreaterThan(1_795_425_900_000);
      expect(heard).toBeNull();
    }
    expect(
      streams
        .filter(({ isRtcp }) => isRtcp)
        .map(({ tag, packets, lastPacketAt }) => [tag, packets, lastPacketAt]),
    ).toEqual([
      ['A', 0, null],
      ['C', 0, null],
    ]);
  });

  test('of who has not answered have the empty tag, and no address', () => {
    const streams = recorded('fork.04-query-two-branches.json').map(({ tag }) => tag);
    expect(new Set(streams)).toEqual(new Set(['A', 'B1', 'B2']));
    const unanswered = readCallStreams({
      tags: {
        '<untagged 1>': {
          tag: '',
          medias: [
            { index: 1, streams: [{ flags: ['RTP'], endpoint: {}, 'local port': 4, stats: { packets: 0 } }] },
          ],
        },
      },
    });
    expect(unanswered).toMatchObject([
      { tag: '', remote: null, advertised: null, bytes: null, lastPacketAt: null },
    ]);
  });

  test('of browsers are one for RTP and RTCP', () => {
    const streams = recorded('webrtc.03-query.json');
    expect(streams.filter(({ tag }) => tag === 'A').map(({ isRtcp }) => isRtcp)).toEqual([false]);
    expect(streams.filter(({ tag }) => tag === 'C').map(({ isRtcp }) => isRtcp)).toEqual([false, true]);
  });

  test('that were rejected have no port', () => {
    const video = recorded('av.03-query.json').filter(({ index, isRtcp }) => index === 2 && !isRtcp);
    expect(video.map(({ tag, local }) => [tag, local])).toEqual([
      ['A', null],
      ['C', null],
    ]);
    expect(video[1]?.remote).toBeNull();
  });

  test.each<[string, NgDict, NgDict, NgDict]>([
    [
      'under the SSRC of the stream (10.5, measured)',
      { SSRC: 111 },
      {},
      {
        SSRC: {
          111: { 'average MOS': { MOS: 34, jitter: 10, 'packet loss': 10, samples: 5 } },
          222: { 'average MOS': { MOS: 43 } },
        },
      },
    ],
    [
      'in the stream (12)',
      { 'ingress SSRCs': [{ SSRC: 111, 'average MOS': { MOS: 34, jitter: 10, 'packet loss': 10 } }] },
      {},
      {},
    ],
    [
      'by a list in the media (13)',
      {},
      { 'ingress SSRCs': [{ SSRC: 111 }] },
      { SSRC: { 111: { 'average MOS': { MOS: 34, jitter: 10, 'packet loss': 10 } } } },
    ],
  ])('say how well the party hears, found %s', (_name, stream, media, more) => {
    expect(readCallStreams(record(stream, media, more))[0]?.heard).toEqual({
      lossPercent: 10,
      jitterMs: 10,
      mos: 3.4,
    });
  });

  test('have no score where the relay could not work one out', () => {
    const report = {
      SSRC: { 7: { 'cumulative loss': 2, 'average MOS': { MOS: 0, jitter: 3, 'packet loss': 1 } } },
    };
    expect(readCallStreams(record({ SSRC: 7 }, {}, report))[0]?.heard).toEqual({
      lossPercent: 1,
      jitterMs: 3,
      mos: null,
    });
    expect(readCallStreams(record({ SSRC: 7 }, {}, { SSRC: { 7: { packets: 9 } } }))[0]?.heard).toBeNull();
  });

  test('are left out where they cannot be read, and cut off at 256', () => {
    const odd: NgValue[] = [
      7,
      'x',
      [],
      {},
      { stats: 3 },
      { stats: { packets: -1 } },
      { stats: { packets: 'x' } },
    ];
    expect(readCallStreams({ tags: { A: { tag: 'A', medias: [{ index: 1, streams: odd }] } } })).toEqual([]);
    const many = Array.from({ length: 300 }, () => ({ flags: ['RTP'], stats: { packets: 1 } }));
    expect(
      readCallStreams({ tags: { A: { tag: 'A', medias: [{ index: 1, streams: many }] } } }),
    ).toHaveLength(256);
  });

  test('never throw, whatever a relay says', () => {
    const value: fc.Arbitrary<NgValue> = fc.letrec<{ any: NgValue }>((tie) => ({
      any: fc.oneof(
        { maxDepth: 4 },
        fc.integer(),
        fc.constantFrom('RTP', 'A', ''),
        fc.array(tie('any'), { maxLength: 3 }),
        fc.dictionary(
          fc.constantFrom(
            'tags',
            'A',
            'tag',
            'medias',
            'streams',
            'stats',
            'packets',
            'SSRC',
            'endpoint',
            'average MOS',
            'MOS',
            'flags',
            'index',
          ),
          tie('any'),
        ),
      ),
    })).any;
    fc.assert(
      fc.property(value, (tags) => {
        for (const { packets, index } of readCallStreams({ tags, SSRC: tags })) {
          expect(packets).toBeGreaterThanOrEqual(0);
          expect(typeof index).toBe('number');
        }
      }),
    );
  });

  test('are asked for by one query, and a failure is passed on', async () => {
    const asked: NgDict[] = [];
    const replies: NgDict[] = [
      { ...record({}), result: 'ok' },
      { result: 'error', 'error-reason': 'Unknown call-id' },
    ];
    const request = async (message: NgDict) => {
      asked.push(message);

      return replies.shift() as NgDict;
    };
    const client = { request };
    const driver = new NgDriver(client as unknown as ConstructorParameters<typeof NgDriver>[0]);
    expect(await driver.streams({ callId: 'c1' }, 9)).toMatchObject([{ tag: 'A', packets: 5, errors: 1 }]);
    expect(await driver.streams({ callId: 'c1' }, 9)).toBeInstanceOf(RelayFailure);
    expect(asked.map(({ command }) => command)).toEqual(['query', 'query']);
  });
});
