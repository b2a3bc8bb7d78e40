import { expect, test } from 'bun:test';
import fc from 'fast-check';
import { diffSdp } from '../../../src/commands/sdp-diff.ts';

const shown = (before: string, after: string): string[] =>
  diffSdp(before, after).map(({ mark, text }) => `${mark}${text}`);

test('marks lines that were taken out and put in, and keeps those that stayed', () => {
  expect(
    shown(
      'v=0\r\nc=IN IP4 10.0.0.1\r\nm=audio 1 RTP/AVP 0\r\na=sendrecv\r\n',
      'v=0\nc=IN IP4 192.0.2.1\nm=audio 1 RTP/AVP 0\na=rtcp:2\n',
    ),
  ).toEqual([
    ' v=0',
    '-c=IN IP4 10.0.0.1',
    '+c=IN IP4 192.0.2.1',
    ' m=audio 1 RTP/AVP 0',
    '-a=sendrecv',
    '+a=rtcp:2',
  ]);
});

test('of two texts one of which is empty all lines are new or gone', () => {
  expect(shown('', 'a\r\nb')).toEqual(['+a', '+b']);
  expect(shown('a\r\nb', '')).toEqual(['-a', '-b']);
  expect(shown('', '')).toEqual([]);
});

test('always holds both texts, each in its order, and marks as little as there is', () => {
  const text = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 12 });
  fc.assert(
    fc.property(text, text, (before, after) => {
      const diff = diffSdp(before.join('\r\n'), after.join('\r\n'));
      expect(diff.filter(({ mark }) => mark !== '+').map(({ text }) => text)).toEqual(before);
      expect(diff.filter(({ mark }) => mark !== '-').map(({ text }) => text)).toEqual(after);
    }),
  );
  expect(shown('a\nb\nc', 'a\nb\nc')).toEqual([' a', ' b', ' c']);
});

test('texts of very many lines are not compared, and are all there', () => {
  const lines = (start: string) => Array.from({ length: 1500 }, (_, i) => `${start}${i}`).join('\n');
  const begin = performance.now();
  expect(diffSdp(lines('a'), lines('b'))).toHaveLength(3000);
  expect(performance.now() - begin).toBeLessThan(500);
});
