/** The XML-RPC calls rtpengine sends, as they were recorded, and whatever else may come. */

import { describe, expect, test } from 'bun:test';
import { readdirSync } from 'node:fs';
import fc from 'fast-check';
import { MAX_NOTICE_BYTES, readNotice } from '../../../src/http/notice-xml.ts';

const FOLDER = new URL('../../fixtures/xmlrpc/', import.meta.url).pathname;

/** Bodies rtpengine posted when call xr-1 with the tags A-tag and C-tag died. */
async function recorded(format: number): Promise<string[]> {
  const { posts } = await Bun.file(`${FOLDER}xmlrpc-format-${format}.json`).json();

  return posts.map(({ body }: { body: string }) => body);
}

const call = (method: string, ...values: string[]): string =>
  `<?xml version="1.0"?><methodCall><methodName>${method}</methodName><params>${values
    .map((value) => `<param><value><string>${value}</string></value></param>`)
    .join('')}</params></methodCall>`;

describe('a notice of rtpengine', () => {
  test('of format 0 names a tag in each of its calls', async () => {
    expect((await recorded(0)).map(readNotice)).toEqual([{ tag: 'A-tag' }, { tag: 'C-tag' }]);
  });

  test.each([1, 2])('of format %i names the call', async (format) => {
    expect((await recorded(format)).map(readNotice)).toEqual([{ callId: 'xr-1' }]);
  });

  test('there are no recorded formats besides these', () => {
    expect(readdirSync(FOLDER).filter((name) => name.startsWith('xmlrpc')).length).toBe(3);
  });

  test('may have the five entities of XML in its values', () => {
    expect(readNotice(call('teardown', 'a&lt;b&gt;&amp;amp;&quot;&apos;'))).toEqual({
      callId: 'a<b>&amp;"\'',
    });
  });

  test('may have values without a type, which are strings', () => {
    const xml =
      '<methodCall><methodName>teardown</methodName><params><param><value>c1</value></param></params></methodCall>';
    expect(readNotice(xml)).toEqual({ callId: 'c1' });
  });

  test('any Call-ID comes through as it is', () => {
    const written: Record<string, string> = { '<': '&lt;', '>': '&gt;', '&': '&amp;' };
    const escaped = (text: string): string => text.replace(/[<>&]/g, (char) => written[char] ?? char);
    const character = fc.constantFrom(...'abcXYZ019-.!%*_+`~()<>&:\\/[]?{}@é ');
    fc.assert(
      fc.property(fc.array(character, { minLength: 1, maxLength: 100 }), (characters) => {
        const callId = characters.join('');
        expect(readNotice(call('teardown', escaped(callId)))).toEqual({ callId });
      }),
    );
  });
});

describe('what is no notice', () => {
  test.each([
    ['nothing', ''],
    ['another method', call('system.listMethods')],
    ['a method with too few values', call('dlg.terminate_dlg', 'c1')],
    ['a method with too many values', call('teardown', 'c1', 'x')],
    ['no call', call('teardown', '')],
    ['no tag', call('di', 'sbc', 'postControlCmd', '', 'teardown')],
    ['another command for SEMS', call('di', 'sbc', 'postControlCmd', 'tag', 'hold')],
    ['an entity nobody declared', call('teardown', '&bomb;')],
    ['a character by number', call('teardown', '&#99;1')],
    ['a bare ampersand', call('teardown', 'a&b')],
    ['a document type', `<!DOCTYPE x [<!ENTITY a "b">]>${call('teardown', 'c1')}`],
    ['more after the end', `${call('teardown', 'c1')}<x/>`],
    ['an element inside of a value', call('teardown', '<b>c1</b>')],
    ['a value cut off', call('teardown', 'c1').slice(0, -30)],
    ['JSON', '{"call-id":"c1"}'],
    ['a prolog without end', '<?xml version="1.0"'],
  ])('%s is not taken', (_, xml) => {
    expect(readNotice(xml)).toBeUndefined();
  });

  test('more than 16 KiB is not looked at', () => {
    expect(readNotice(call('teardown', 'x'.repeat(MAX_NOTICE_BYTES)))).toBeUndefined();
  });

  test('bytes of any kind neither throw nor take long', () => {
    const started = performance.now();
    const piece = fc.oneof(
      fc.string({ maxLength: 20, unit: 'binary' }),
      fc.constantFrom('<methodCall>', '<methodName>', '</methodName>', '<params>', '<param>', '<value>', '&'),
      fc.constantFrom(
        '<string>',
        '</string>',
        '</value>',
        '</param>',
        '</params>',
        '</methodCall>',
        'di',
        ' ',
      ),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
        readNotice(pieces.join(''));
      }),
      { numRuns: 2000 },
    );
    for (const part of ['<', '&', '&lt', ' ', '<params>', '<?xml ', '<param><value>']) {
      readNotice(part.repeat(MAX_NOTICE_BYTES / part.length));
      readNotice(`<methodCall><methodName>${part.repeat(Math.floor(MAX_NOTICE_BYTES / part.length) - 4)}`);
    }
    expect(performance.now() - started).toBeLessThan(5000);
  });

  test('a recorded notice that lost or got a byte is read as before, or not at all', async () => {
    const [good = ''] = await recorded(1);
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.string({ maxLength: 1 }), (at, put) => {
        const notice = readNotice(good.slice(0, at) + put + good.slice(at + 1));
        expect(notice === undefined || 'callId' in notice).toBe(true);
      }),
    );
  });
});
