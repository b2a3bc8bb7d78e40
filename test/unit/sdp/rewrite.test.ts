import { describe, expect, test } from 'bun:test';
import { readdirSync, readFileSync } from 'node:fs';
import { impose } from '../../../src/sdp/impose.ts';
import { outline } from '../../../src/sdp/outline.ts';
import { rewrite, type Shown } from '../../../src/sdp/rewrite.ts';
import { Refusal, readStreams } from '../../../src/sdp/streams.ts';

const RELAY4 = '203.0.113.21';
const RELAY6 = '2001:db8:ffff::21';
const FIXTURES = new URL('../../fixtures/', import.meta.url).pathname;

function shown(ports: Readonly<Record<number, number>>, changes: Partial<Shown> = {}): Shown {
  const entries = Object.entries(ports).map(([n, port]) => [Number(n), port] as const);

  return { ports: new Map(entries), address: RELAY4, family: 'IP4', isAnswer: false, ...changes };
}

/** Every relayed stream gets 30000 + 2n. */
function portsFor(sdp: string): Map<number, number> {
  const streams = readStreams(sdp);
  if (streams instanceof Refusal) throw new Error(streams.reason);

  return new Map(streams.flatMap(({ n, handling }) => (handling === 'relay' ? [[n, 30_000 + 2 * n]] : [])));
}

/** What the reader gets in the end: rewritten, then looked at once more as every relay's SDP is. */
function delivered(sdp: string, want: Shown): string {
  const result = impose(rewrite(sdp, want), outline(sdp), {
    address: want.address,
    family: want.family,
    readerSide: [want.address],
    own: [want.address],
    mayReplace: true,
    leavesOtherTransports: true,
  });

  return typeof result === 'string' ? result : `refused: ${result.line}`;
}

function sdpOf(...lines: string[]): string {
  return ['v=0', 'o=- 1 1 IN IP4 192.0.2.10', 's=-', ...lines, ''].join('\r\n');
}

describe('phones, browsers and the examples of the RFCs', () => {
  const names = readdirSync(`${FIXTURES}sdp`)
    .filter((name) => name.endsWith('.in.sdp'))
    .map((name) => name.slice(0, -'.in.sdp'.length));
  const load = (name: string) => readFileSync(`${FIXTURES}sdp/${name}.sdp`, 'latin1');

  test('are there', () => {
    expect(names.length).toBeGreaterThanOrEqual(35);
  });

  test.each(names)('%s comes out as written down', (name) => {
    const sdp = load(`${name}.in`);
    const isSix = name.endsWith('-to-ip6');
    const want: Shown = {
      ports: portsFor(sdp),
      address: isSix ? RELAY6 : RELAY4,
      family: isSix ? 'IP6' : 'IP4',
      isAnswer: name.includes('-answer'),
    };
    expect(delivered(sdp, want)).toBe(load(`${name}.out`));
    // The o= line is not ours, and nothing else is left for the last look to change.
    const withoutOrigin = (text: string) => text.replace(/^o=.*$/m, '');
    expect(withoutOrigin(delivered(sdp, want))).toBe(withoutOrigin(rewrite(sdp, want)));
  });
});

interface Recorded {
  readonly offer_in: string;
  readonly offer_out: string;
  readonly answer_in: string;
  readonly answer_out: string;
}

describe('what Kamailio was given', () => {
  const load = (name: string): Recorded =>
    JSON.parse(readFileSync(`${FIXTURES}rtpproxy/kamailio-sdp-${name}.json`, 'utf8'));
  /** As Kamailio's, with the address and ports of that recording. */
  const made = (sdp: string, ports: readonly number[], changes: Partial<Shown>): string =>
    rewrite(
      sdp,
      shown(Object.fromEntries(ports.map((port, index) => [index + 1, port])), {
        address: '127.0.0.1',
        ...changes,
      }),
    );
  /** Kamailio's, without its mark and its o= line. */
  const theirs = (sdp: string, origin: string): string =>
    sdp.replace('a=nortpproxy:yes\n', '').replace(/^o=.*$/m, /^o=.*$/m.exec(origin)?.[0] ?? '');

  test.each([
    ['audio-session-c', [43_000], [43_002], {}],
    ['audio-session-c-cor', [43_004], [43_006], {}],
    ['audio-video-both-c', [43_016, 43_018], [43_020, 43_022], {}],
    ['hold-null-address', [43_032], [43_034], {}],
    ['sdes-srtp', [43_036], [43_038], {}],
    ['offer-port-zero-first', [0, 43_026], [0, 43_030], {}],
    ['ipv6', [43_000], [43_002], { address: '::1', family: 'IP6' as const }],
  ])('%s becomes the same, without its mark and with the old o= line', (name, offer, answer, changes) => {
    const { offer_in, offer_out, answer_in, answer_out } = load(name);
    expect(made(offer_in, offer, changes)).toBe(theirs(offer_out, offer_in));
    expect(made(answer_in, answer, { ...changes, isAnswer: true })).toBe(theirs(answer_out, answer_in));
  });

  test('audio-video-media-c becomes the same, but a=rtcp keeps an address, and c= of the rejected video its own', () => {
    const { offer_in, offer_out, answer_in, answer_out } = load('audio-video-media-c');
    expect(made(offer_in, [43_008, 43_010], {})).toBe(
      theirs(offer_out, offer_in).replace('a=rtcp:43011', 'a=rtcp:43011 IN IP4 127.0.0.1'),
    );
    expect(made(answer_in, [43_012], { isAnswer: true })).toBe(
      theirs(answer_out, answer_in).replace(
        'm=video 0 RTP/AVP 96\nc=IN IP4 127.0.0.1',
        'm=video 0 RTP/AVP 96\nc=IN IP4 192.0.2.20',
      ),
    );
  });

  test('mixed-v4-v6 shows the offerer, who is on IPv4, an IPv4 address', () => {
    const { answer_in } = load('mixed-v4-v6-ei');
    expect(made(answer_in, [43_004], { isAnswer: true })).toBe(
      answer_in.replace('c=IN IP6 2001:db8::20', 'c=IN IP4 127.0.0.1').replace('audio 5000', 'audio 43004'),
    );
  });

  test('t38-and-msrp: MSRP is not relayed, and keeps its port and its address', () => {
    const { offer_in } = load('t38-and-msrp');
    expect(made(offer_in, [43_048], {})).toBe(
      [
        'v=0',
        'o=alice 1 1 IN IP4 192.0.2.10',
        's=-',
        'c=IN IP4 127.0.0.1',
        't=0 0',
        'm=image 43048 udptl t38',
        'a=T38FaxVersion:0',
        'm=message 7654 TCP/MSRP *',
        'c=IN IP4 192.0.2.10',
        'a=path:msrp://192.0.2.10:7654/s;tcp',
        '',
      ].join('\n'),
    );
  });

  test('webrtc-bundle-ice: no bundle, no candidates, security as it was, RTCP where it will be', () => {
    const { offer_in, answer_in } = load('webrtc-bundle-ice');
    const gone = /^a=(?:group:BUNDLE|candidate|ice-).*\n/gm;
    const want = (sdp: string, audio: number, video: number, rtcp: number) =>
      sdp
        .replace(gone, '')
        .replace(/^c=.*$/m, 'c=IN IP4 127.0.0.1')
        .replace(/^m=audio \d+/m, `m=audio ${audio}`)
        .replace(/^m=video \d+/m, `m=video ${video}`)
        .replace(/^a=rtcp:.*$/m, `a=rtcp:${rtcp} IN IP4 127.0.0.1`);
    expect(made(offer_in, [43_040, 43_042], {})).toBe(want(offer_in, 43_040, 43_042, 43_041));
    // a=rtcp-mux in an answer is settled: RTCP is on the port of RTP.
    expect(made(answer_in, [43_044, 43_046], { isAnswer: true })).toBe(
      want(answer_in, 43_044, 43_046, 43_044),
    );
  });
});

describe('a=rtcp', () => {
  const AUDIO = ['c=IN IP4 192.0.2.10', 't=0 0', 'm=audio 4000 RTP/AVP 8'];
  const rtcpOf = (sdp: string, changes: Partial<Shown> = {}): string[] =>
    rewrite(sdp, shown({ 1: 30_000 }, changes))
      .split('\r\n')
      .filter((line) => line.startsWith('a=rtcp:'));

  test.each([
    ['a=rtcp:53020', 'a=rtcp:30001'],
    ['a=rtcp:53020 IN IP4 192.0.2.11', `a=rtcp:30001 IN IP4 ${RELAY4}`],
    ['a=rtcp: 53020  in ip6  2001:DB8::1 ', `a=rtcp: 30001  IN IP4 ${RELAY4}`],
    ['a=rtcp:53020 IN IP4 phone.example.org', `a=rtcp:30001 IN IP4 ${RELAY4}`],
    ['a=rtcp:9 IN IP4 0.0.0.0', `a=rtcp:30001 IN IP4 ${RELAY4}`],
    ['a=rtcp:4000', 'a=rtcp:30001'],
  ])('%s is set to the port above RTP', (line, expected) => {
    expect(rtcpOf(sdpOf(...AUDIO, line))).toEqual([expected]);
  });

  test.each([
    'a=rtcp:',
    'a=rtcp:x IN IP4 192.0.2.10',
    'a=rtcp:4001 192.0.2.10',
    'a=rtcp:4001 IN IP4 192.0.2.10 x',
  ])('%s cannot be read and is left out', (line) => {
    expect(rtcpOf(sdpOf(...AUDIO, line))).toEqual([]);
  });

  test('in the session is left out, since each stream has its own', () => {
    expect(rtcpOf(sdpOf('c=IN IP4 192.0.2.10', 'a=rtcp:4001', 'm=audio 4000 RTP/AVP 8'))).toEqual([]);
  });

  test.each(['a=rtcp-fb:* nack', 'a=rtcp-xr:voip-metrics', 'a=rtcp-rsize', 'a=rtcp-mux', 'a=rtcp-mux-only'])(
    'is not %s, which stays',
    (line) => {
      expect(rewrite(sdpOf(...AUDIO, line), shown({ 1: 30_000 }))).toContain(`\r\n${line}\r\n`);
    },
  );

  test.each([
    ['an offer that names another port', 'a=rtcp:4001', false, 'a=rtcp:30001'],
    ['an offer that names the port of RTP', 'a=rtcp:4000', false, 'a=rtcp:30000'],
    ['an offer that names no port', 'a=rtcp:9 IN IP4 0.0.0.0', false, `a=rtcp:30000 IN IP4 ${RELAY4}`],
    ['an answer', 'a=rtcp:4001', true, 'a=rtcp:30000'],
  ])('with a=rtcp-mux before or after it in %s', (_, line, isAnswer, expected) => {
    expect(rtcpOf(sdpOf(...AUDIO, line, 'a=rtcp-mux'), { isAnswer })).toEqual([expected]);
    expect(rtcpOf(sdpOf(...AUDIO, 'a=rtcp-mux', line), { isAnswer })).toEqual([expected]);
  });

  test('of another stream with a=rtcp-mux is not touched by it', () => {
    const sdp = sdpOf(...AUDIO, 'a=rtcp:4001', 'm=video 4002 RTP/AVP 96', 'a=rtcp:4003', 'a=rtcp-mux');
    const out = rewrite(sdp, shown({ 1: 30_000, 2: 30_002 }, { isAnswer: true }));
    expect(out).toContain('a=rtcp:30001\r\n');
    expect(out).toContain('a=rtcp:30002\r\n');
  });
});

describe('hold by an unspecified address', () => {
  test('stays in the family of the reader, and the port is still the relay’s', () => {
    const sdp = sdpOf('c=IN IP6 ::', 't=0 0', 'm=audio 4000 RTP/AVP 8', 'a=inactive');
    expect(delivered(sdp, shown({ 1: 30_000 }))).toBe(
      sdp
        .replace('c=IN IP6 ::', 'c=IN IP4 0.0.0.0')
        .replace('4000', '30000')
        .replace('IN IP4 192.0.2.10', `IN IP4 ${RELAY4}`),
    );
  });

  test('beside a stream whose candidates come later is told in a c= line of its own', () => {
    const sdp = sdpOf(
      'c=IN IP4 0.0.0.0',
      't=0 0',
      'm=audio 4000 RTP/AVP 8',
      'i=voice',
      'a=sendrecv',
      'm=video 9 RTP/AVP 96',
    );
    const expected = sdpOf(
      `c=IN IP4 ${RELAY4}`,
      't=0 0',
      'm=audio 30000 RTP/AVP 8',
      'i=voice',
      'c=IN IP4 0.0.0.0',
      'a=sendrecv',
      'm=video 30002 RTP/AVP 96',
    );
    const want = shown({ 1: 30_000, 2: 30_002 });
    expect(rewrite(sdp, want)).toBe(expected);
    expect(delivered(sdp, want)).toBe(expected.replace('IP4 192.0.2.10', `IP4 ${RELAY4}`));
  });
});

describe('a stream that is not relayed', () => {
  test('keeps the session’s address if nobody replaces it', () => {
    const sdp = sdpOf(
      'c=IN IP4 192.0.2.10',
      't=0 0',
      'm=message 7654 TCP/MSRP *',
      'm=audio 4000 RTP/AVP 8',
      'c=IN IP4 192.0.2.11',
    );
    expect(rewrite(sdp, shown({ 2: 30_000 }))).toBe(
      sdp.replace('4000', '30000').replace('192.0.2.11', RELAY4),
    );
    expect(delivered(sdp, shown({ 2: 30_000 }))).toContain('\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n');
  });

  test('gets its c= line with the line end of the others, even as the last line without one', () => {
    const sdp = sdpOf('c=IN IP4 192.0.2.10', 'm=audio 4000 RTP/AVP 8').replaceAll('\r', '');
    expect(rewrite(`${sdp}m=message 7654 TCP/MSRP *`, shown({ 1: 30_000 }))).toEndWith(
      'm=audio 30000 RTP/AVP 8\nm=message 7654 TCP/MSRP *\nc=IN IP4 192.0.2.10',
    );
  });

  test('keeps every line, whatever it names', () => {
    const own = [
      'm=application 5070 TCP/TLS/BFCP *',
      'c=IN IP4 192.0.2.12/127',
      'a=candidate:1 1 TCP 2105458943 192.0.2.12 9 typ host tcptype active',
      'a=ice-ufrag:F7gI',
      'a=rtcp:5071 IN IP4 192.0.2.12',
      'a=source-filter: incl IN IP4 * 192.0.2.12',
      'a=bundle-only',
    ].join('\r\n');
    const sdp = sdpOf('c=IN IP4 192.0.2.10', 't=0 0', 'm=audio 4000 RTP/AVP 8', own);
    expect(delivered(sdp, shown({ 1: 30_000 }))).toEndWith(`\r\n${own}\r\n`);
  });

  test('is all there is: nothing is rewritten', () => {
    const sdp = sdpOf(
      'c=IN IP4 192.0.2.10',
      'a=ice-lite',
      'm=message 7654 TCP/MSRP *',
      'm=audio 0 RTP/AVP 8',
    );
    expect(rewrite(sdp, shown({}))).toBe(sdp);
  });
});

describe('a group', () => {
  test.each(['a=group:BUNDLE 0 1', 'a=group:BUNDLE', 'a=group: bundle 0'])('%s is dissolved', (line) => {
    const sdp = sdpOf('c=IN IP4 192.0.2.10', line, 'm=audio 4000 RTP/AVP 8', 'a=mid:0');
    expect(rewrite(sdp, shown({ 1: 30_000 }))).not.toMatch(/bundle/i);
  });

  test.each(['a=group:LS 0 1', 'a=group:FID 0 1', 'a=group:DUP 0 1', 'a=group:BUNDLEX 0'])(
    '%s stays',
    (line) => {
      const sdp = sdpOf('c=IN IP4 192.0.2.10', line, 'm=audio 4000 RTP/AVP 8', 'a=mid:0');
      expect(rewrite(sdp, shown({ 1: 30_000 }))).toContain(`${line}\r\n`);
    },
  );
});

describe('rewriting', () => {
  test('keeps a count of one behind the port', () => {
    const sdp = sdpOf('c=IN IP4 192.0.2.10', 't=0 0', 'm=audio  4000/1\tRTP/AVP 4000');
    expect(rewrite(sdp, shown({ 1: 30_000 }))).toContain('m=audio  30000/1\tRTP/AVP 4000\r\n');
  });

  test('keeps bytes beyond ASCII, broken lines and their ends', () => {
    const sdp =
      'v=0\r\no=- 1 1 IN IP4 192.0.2.10\ns=caf\xe9 \xff\xfe\r\nc=IN IP4 192.0.2.10\nt=0 0\r\n\r\nm=audio 4000 RTP/AVP 8\nnonsense\r\n=\r\na=x \r\n\n';
    expect(rewrite(sdp, shown({ 1: 30_000 }))).toBe(
      sdp.replace('c=IN IP4 192.0.2.10', `c=IN IP4 ${RELAY4}`).replace('4000', '30000'),
    );
  });

  test('shows a stream as off for which the relay has no port', () => {
    const video = ['m=video 4002 RTP/AVP 96', 'a=mid:1'];
    const sdp = sdpOf('c=IN IP4 192.0.2.10', 't=0 0', 'm=audio 4000 RTP/AVP 8', ...video, 'a=rtcp:4003');
    expect(rewrite(sdp, shown({ 1: 30_000 }))).toBe(
      sdpOf(`c=IN IP4 ${RELAY4}`, 't=0 0', 'm=audio 30000 RTP/AVP 8', 'm=video 0 RTP/AVP 96', 'a=mid:1'),
    );
  });

  test.each([
    'a=candidate:1 1 UDP 2130706431 10.0.0.1 4000 typ host',
    'a=candidate:1 1 UDP 2130706431 abc.local 4000 typ host',
    'a=remote-candidates:1 192.0.2.9 5000',
    'a=end-of-candidates',
    'a=ice-ufrag:F7gI',
    'a=ice-pwd:x9cml/YzichV2+XlhiMu8g',
    'a=ice-options:trickle',
    'a=ice-options:rtp+ecn',
    'a=ice-lite',
    'a=ice-mismatch',
    'a=ice-pacing:50',
    'a=altc:1 IP4 10.0.0.1 4000',
    'a=alt:1 1 : a b 10.0.0.1 4000',
    'a=ccap:1 IN IP4 10.0.0.1',
    'a=acap:3 candidate:1 1 UDP 2130706431 10.0.0.1 4000 typ host',
    'a=source-filter: incl IN IP4 * 10.0.0.1',
  ])('leaves out %s in the session and in relayed sections', (line) => {
    const without = sdpOf('c=IN IP4 192.0.2.10', 't=0 0', 'm=audio 4000 RTP/AVP 8', 'a=sendrecv');
    const session = without.replace('t=0 0', `t=0 0\r\n${line}`);
    const section = without.replace('a=sendrecv', `${line}\r\na=sendrecv`);
    const want = shown({ 1: 30_000 });
    expect(rewrite(session, want)).toBe(rewrite(without, want));
    expect(rewrite(section, want)).toBe(rewrite(without, want));
  });

  test.each([
    'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WnD7c1ksDGs+dIefCEo8omPg4uO8DYIinNGL5yxQ|2^20|1:4',
    'a=fingerprint:sha-256 00:11:22',
    'a=setup:actpass',
    'a=tls-id:91bbf309c0990a6bec11e38ba2933cee',
    'a=dtls-id:1',
    'a=key-mgmt:mikey AQAFgM0XflABAAAAAAAAAAAAAAsAyO',
    'a=sendonly',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-15',
    'a=ptime:20',
    'a=mid:0',
    'a=T38FaxUdpEC:t38UDPRedundancy',
    'a=nortpproxy:yes',
    'a=icecream',
    'a=alternative:1',
    'a=candidates:1',
    'b=AS:64',
    'k=clear:x',
    'i=c=IN IP4 192.0.2.10',
  ])('keeps %s in the session and in relayed sections', (line) => {
    const sdp = sdpOf('c=IN IP4 192.0.2.10', line, 'm=audio 4000 RTP/AVP 8', line);
    expect(rewrite(sdp, shown({ 1: 30_000 })).split(`\r\n${line}\r\n`)).toHaveLength(3);
  });
});
