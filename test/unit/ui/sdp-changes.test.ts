import { describe, expect, test } from 'bun:test';
import { changesOf } from '../../../src/ui/page/calls/sdp-changes.ts';

const sdp = (...lines: string[]) => `${lines.join('\r\n')}\r\n`;
const shownOf = (received: string, returned: string) =>
  changesOf(received, returned).map(({ what, stream, from, to, count }) =>
    [what, stream ?? 'session', from, to, ...(count === 0 ? [] : [count])].join(' | '),
  );

describe('what changed in an SDP', () => {
  test('is nothing if nothing did', () => {
    const body = sdp('v=0', 'c=IN IP4 10.0.0.1', 'm=audio 4000 RTP/AVP 8');
    expect(changesOf(body, body)).toEqual([]);
  });

  test('names addresses and ports with the stream they belong to', () => {
    const shown = shownOf(
      sdp(
        'v=0',
        'o=- 1 1 IN IP4 10.0.0.1',
        'c=IN IP4 10.0.0.1',
        'm=audio 4000 RTP/AVP 8',
        'm=video 4002 RTP/AVP 96',
      ),
      sdp(
        'v=0',
        'o=- 1 1 IN IP4 192.0.2.7',
        'c=IN IP4 192.0.2.7',
        'm=audio 30000 RTP/AVP 8',
        'a=rtcp:30001',
        'm=video 30002 RTP/AVP 96',
      ),
    );
    expect(shown).toEqual([
      'address | session | 10.0.0.1 | 192.0.2.7',
      'origin | session | 10.0.0.1 | 192.0.2.7',
      'port | audio 1 | 4000 | 30000',
      'rtcp | audio 1 |  | 30001',
      'port | video 2 | 4002 | 30002',
    ]);
  });

  test('counts candidates that went and came', () => {
    const shown = shownOf(
      sdp(
        'v=0',
        'm=audio 1 RTP/AVP 8',
        'a=candidate:1 1 UDP 1 10.0.0.1 1 typ host',
        'a=candidate:2 1 UDP 1 10.0.0.2 1 typ host',
      ),
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=candidate:9 1 UDP 1 192.0.2.1 1 typ host'),
    );
    expect(shown).toEqual(['candidates-removed | audio 1 |  |  | 2', 'candidates-added | audio 1 |  |  | 1']);
  });

  test('says that a stream was switched off, and nothing more of it', () => {
    expect(
      shownOf(sdp('v=0', 'm=video 4000 RTP/AVP 96', 'c=IN IP4 10.0.0.1'), sdp('v=0', 'm=video 0 RTP/AVP 96')),
    ).toEqual(['stream-off | video 1 | 4000 | 0']);
  });

  test('names streams that one side does not have', () => {
    const one = sdp('v=0', 'm=audio 1 RTP/AVP 8');
    const two = sdp('v=0', 'm=audio 1 RTP/AVP 8', 'm=video 2 RTP/AVP 96');
    expect(shownOf(one, two)).toEqual(['stream-added | video 2 |  | ']);
    expect(shownOf(two, one)).toEqual(['stream-removed | video 2 |  | ']);
  });

  test('tells transport, direction, codecs and keys', () => {
    const changes = changesOf(
      sdp(
        'v=0',
        'm=audio 1 RTP/SAVP 8 0',
        'a=crypto:1 AES inline:secret',
        'a=sendrecv',
        'a=fingerprint:sha-1 AA',
      ),
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=sendonly', 'a=fingerprint:sha-1 BB'),
    );
    expect(changes.map(({ what }) => what)).toEqual([
      'transport',
      'direction',
      'codecs',
      'crypto',
      'fingerprint',
    ]);
  });
});
