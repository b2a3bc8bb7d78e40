import { describe, expect, test } from 'bun:test';
import { type DiffLine, diffSdp, MAX_LINE, MAX_LINES } from '../../../src/ui/page/calls/sdp-diff.ts';

const sdp = (...lines: string[]) => `${lines.join('\r\n')}\r\n`;

/** A line with its changed parts in brackets. */
function shown(line: DiffLine | null): string | null {
  return line === null
    ? null
    : line.spans.map(({ text, isChanged }) => (isChanged ? `[${text}]` : text)).join('');
}

function rowsOf(received: string, returned: string) {
  return diffSdp(received, returned).rows.map(({ kind, left, right }) => [kind, shown(left), shown(right)]);
}

describe('two SDP bodies side by side', () => {
  test('mark the address and the port that changed, and nothing else', () => {
    const rows = rowsOf(
      sdp('v=0', 'c=IN IP4 10.1.1.1', 'm=audio 4000 RTP/AVP 8 0', 'a=sendrecv'),
      sdp('v=0', 'c=IN IP4 198.51.100.7', 'm=audio 30002 RTP/AVP 8 0', 'a=sendrecv'),
    );
    expect(rows).toEqual([
      ['same', 'v=0', 'v=0'],
      ['changed', 'c=IN IP4 [10.1.1.1]', 'c=IN IP4 [198.51.100.7]'],
      ['changed', 'm=audio [4000] RTP/AVP 8 0', 'm=audio [30002] RTP/AVP 8 0'],
      ['same', 'a=sendrecv', 'a=sendrecv'],
    ]);
  });

  test('tell the value of an attribute from its name', () => {
    expect(rowsOf('a=rtcp:4001\r\n', 'a=rtcp:30003\r\n')).toEqual([
      ['changed', 'a=rtcp:[4001]', 'a=rtcp:[30003]'],
    ]);
  });

  test('show removed and added lines where they are', () => {
    const rows = rowsOf(
      sdp('v=0', 'm=audio 4000 RTP/AVP 8', 'a=ice-ufrag:abcd', 'a=sendrecv'),
      sdp('v=0', 'm=audio 4000 RTP/AVP 8', 'a=sendrecv', 'a=rtcp:4001'),
    );
    expect(rows).toEqual([
      ['same', 'v=0', 'v=0'],
      ['same', 'm=audio 4000 RTP/AVP 8', 'm=audio 4000 RTP/AVP 8'],
      ['removed', '[a=ice-ufrag:abcd]', null],
      ['same', 'a=sendrecv', 'a=sendrecv'],
      ['added', null, '[a=rtcp:4001]'],
    ]);
  });

  test('make two rows of candidates that have little in common, and one of those that have much', () => {
    const rows = rowsOf(
      sdp(
        'a=candidate:1 1 UDP 2130706431 10.0.0.1 5000 typ host',
        'a=candidate:2 1 TCP 99 10.0.0.2 9 typ srflx',
      ),
      sdp('a=candidate:1 1 UDP 2130706431 192.0.2.4 30000 typ host'),
    );
    expect(rows).toEqual([
      [
        'changed',
        'a=candidate:1 1 UDP 2130706431 [10.0.0.1] [5000] typ host',
        'a=candidate:1 1 UDP 2130706431 [192.0.2.4] [30000] typ host',
      ],
      ['removed', '[a=candidate:2 1 TCP 99 10.0.0.2 9 typ srflx]', null],
    ]);
  });

  test('compare stream with stream, however alike their lines are', () => {
    const rows = rowsOf(
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=recvonly', 'm=video 2 RTP/AVP 96', 'a=sendrecv'),
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=sendrecv', 'm=video 0 RTP/AVP 96'),
    );
    expect(rows.slice(2)).toEqual([
      ['removed', '[a=recvonly]', null],
      ['added', null, '[a=sendrecv]'],
      ['changed', 'm=video [2] RTP/AVP 96', 'm=video [0] RTP/AVP 96'],
      ['removed', '[a=sendrecv]', null],
    ]);
  });

  test('find the partner of a line that a relay wrote elsewhere', () => {
    const { rows } = diffSdp(
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=rtcp:2', 'a=sendrecv', 'a=ptime:20'),
      sdp('v=0', 'm=audio 1 RTP/AVP 8', 'a=ptime:20', 'a=sendrecv', 'a=rtcp:9'),
    );
    expect(
      rows.slice(2).map(({ kind, left, right }) => [kind, shown(left), shown(right), right?.number]),
    ).toEqual([
      ['changed', 'a=rtcp:[2]', 'a=rtcp:[9]', 5],
      ['same', 'a=sendrecv', 'a=sendrecv', 4],
      ['same', 'a=ptime:20', 'a=ptime:20', 3],
    ]);
  });

  test('number the lines of each body by themselves', () => {
    const { rows } = diffSdp(sdp('v=0', 'a=x', 's=-'), sdp('v=0', 's=-'));
    expect(rows.map(({ left, right }) => [left?.number, right?.number])).toEqual([
      [1, 1],
      [2, undefined],
      [3, 2],
    ]);
  });

  test('do not count line ends', () => {
    expect(diffSdp('v=0\r\ns=-\r\n', 'v=0\ns=-').rows.every(({ kind }) => kind === 'same')).toBe(true);
  });

  test('lose nothing: the spans joined are the lines', () => {
    const received = sdp('v=0', 'o=- 1  2 IN IP4 10.0.0.1', 'c=IN IP6 2001:db8::1', 'm=audio 1 X', 'a=y:1 2');
    const returned = sdp('v=0', 'o=- 1 2 IN IP4 192.0.2.1', 'c=IN IP6 2001:db8::2', 'm=audio 3 X');
    const { rows } = diffSdp(received, returned);
    const joined = (side: 'left' | 'right') =>
      sdp(
        ...rows
          .flatMap((row) => {
            const line = row[side];

            return line === null ? [] : [[line.number, line.spans.map(({ text }) => text).join('')] as const];
          })
          .sort(([a], [b]) => a - b)
          .map(([, text]) => text),
      );
    expect([joined('left'), joined('right')]).toEqual([received, returned]);
  });

  test('stay quick and small for a body that is far too long', () => {
    const body = (word: string) =>
      sdp(...Array.from({ length: 3000 }, (_, index) => `a=${word}${index}:${'x'.repeat(2000)}`));
    const started = performance.now();
    const { rows, linesCut } = diffSdp(body('left'), body('right'));
    expect(performance.now() - started).toBeLessThan(1500);
    expect(rows.length).toBeLessThanOrEqual(2 * MAX_LINES);
    expect(linesCut).toBe(2 * (3000 - MAX_LINES));
    const [first] = rows;
    expect(shown(first?.left ?? null)?.length).toBeLessThan(MAX_LINE + 10);
  });
});
