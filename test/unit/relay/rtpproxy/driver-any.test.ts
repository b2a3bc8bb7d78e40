import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { type MediaRequest, RelayFailure } from '../../../../src/relay/driver.ts';
import { MAX_WORD } from '../../../../src/relay/rtpproxy/commands.ts';
import { MAX_COMMAND_BYTES } from '../../../../src/relay/rtpproxy/framing.ts';
import { DEADLINE, drive, NOTICES, sdpOf } from './driving.ts';

/** What holds for every command, read back by a reader of its own. */

const tagByte = fc.integer({ min: 0x21, max: 0xff }).filter((code) => code !== 0x3b && code !== 0x7f);
const word = (max: number) =>
  fc
    .oneof(
      fc.array(tagByte, { minLength: 1, maxLength: 30 }),
      fc.array(tagByte, { minLength: max, maxLength: max }),
    )
    .map((codes) => String.fromCharCode(...codes))
    .filter((text) => text !== '&&');
const address = fc.constantFrom('10.0.0.5', '0.0.0.0', '2001:db8::5', '2001:DB8:0:0:0:0:0:1', '::');
const formats = fc.array(fc.integer({ min: 0, max: 200 }), { minLength: 1, maxLength: 300 });
const streams = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 65_535 })), {
  minLength: 1,
  maxLength: 5,
});
const anyRequest: fc.Arbitrary<MediaRequest> = fc
  .record(
    {
      callId: word(MAX_WORD),
      fromTag: word(MAX_WORD),
      toTag: word(MAX_WORD),
      branch: word(MAX_WORD),
      sdp: fc
        .tuple(address, streams, formats)
        .map(([at, ports, list]) => sdpOf({ at, ports, formats: list.join(' ') })),
      isV6: fc.boolean(),
      interfaces: fc.constantFrom<[string, string]>(
        ['internal', 'external'],
        ['x', 'y'.repeat(64)],
        ['10.0.0.1', '198.51.100.1'],
      ),
      flags: fc.subarray(['asymmetric', 'symmetric']),
    },
    { requiredKeys: ['callId', 'fromTag', 'sdp', 'isV6', 'flags'] },
  )
  .map(({ isV6, flags, ...rest }) => ({
    ...rest,
    address: isV6 ? '2001:db8:1111:2222:3333:4444:5555:6666' : '203.0.113.9',
    family: isV6 ? ('IP6' as const) : ('IP4' as const),
    isNew: true,
    extra: { flags },
  }));

/** Reads a U or L as the daemon does: words, then modifiers letter by letter. */
function parse(command: string) {
  const [head = '', name = '', at = '', port = '', offerer = '', ...rest] = command.split(' ');
  const modifiers =
    /^([UL])(6?)([as]?)(?:c(\d{1,3}(?:,\d{1,3})*))?(?:l([\d.]+|\[[\da-f:]+\]|\{\w+\})|([ei][ei]))?$/i.exec(
      head,
    );
  const numbered = /^([^;]+);(\d+)$/;
  const hasAnswerer = numbered.test(rest[0] ?? '');

  return {
    letter: modifiers?.[1],
    isV6: modifiers?.[2] === '6',
    formats: modifiers?.[4]?.split(',').map(Number) ?? [],
    name,
    at,
    port: Number(port),
    offerer: numbered.exec(offerer)?.slice(1),
    answerer: hasAnswerer ? numbered.exec(rest[0] ?? '')?.slice(1) : undefined,
    notice: hasAnswerer ? rest.slice(1) : rest,
  };
}

describe('whatever is asked', () => {
  test('no command has a line end, too many words or bytes, and each says what was asked', async () => {
    await fc.assert(
      fc.asyncProperty(anyRequest, fc.boolean(), async (request, isOffer) => {
        const { client, driver } = drive(undefined, NOTICES);
        const toTag = request.toTag ?? 'B';
        const reply = isOffer
          ? await driver.offer(request, DEADLINE)
          : await driver.answer({ ...request, toTag }, DEADLINE);
        expect(reply).not.toBeInstanceOf(RelayFailure);
        const commands = client.commands.filter((command) => !command.startsWith('VF'));
        const live = [...request.sdp.matchAll(/^m=\S+ (\d+) \S+ (.*)\r$/gm)]
          .map(([, port, list = ''], index) => ({ n: index + 1, port: Number(port), list }))
          .filter(({ port }) => port !== 0);
        expect(commands).toHaveLength(live.length);
        for (const [index, { n, port, list }] of live.entries()) {
          const command = commands[index] ?? '';
          expect(command).toMatch(/^[!-~\x80-\xff]+(?: [!-~\x80-\xff]+)*$/);
          expect(command.split(' ').length).toBeLessThan(24);
          // A cookie of ours and a blank go before it.
          expect(command.length + 64).toBeLessThan(MAX_COMMAND_BYTES);
          const read = parse(command);
          const party = isOffer ? request.toTag : toTag;
          const branch = isOffer && request.toTag === undefined ? request.branch : undefined;
          expect(read).toMatchObject({
            letter: isOffer ? 'U' : 'L',
            name: request.callId + (branch === undefined ? '' : `;${branch}`),
            port,
            isV6: read.at.includes(':'),
            offerer: [request.fromTag, String(n)],
          });
          expect(request.sdp).toContain(` ${read.at}\r\n`);
          expect(read.answerer).toEqual(party === undefined ? undefined : [party, String(n)]);
          expect(read.notice.length).toBe(isOffer ? 2 : 0);
          expect(read.formats).toEqual([
            ...new Set(
              list
                .split(' ')
                .map(Number)
                .filter((pt) => pt < 128),
            ),
          ]);
        }
      }),
      { numRuns: 200 },
    );
  });
});
