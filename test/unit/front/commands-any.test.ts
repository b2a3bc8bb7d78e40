import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import type { NgDict, NgValue } from '../../../src/relay/driver.ts';
import { encodeText } from '../../../src/relay/ng/bencode.ts';
import { ANSWER, CALLER, established, OFFER } from './front.ts';

describe('any message', () => {
  const word = fc.constantFrom(
    'A',
    'B',
    'c1',
    'priv',
    'pub',
    'x y',
    '',
    '-1',
    '0',
    'IP4 0.0.0.0',
    'load limit',
    'to-tag',
    'fatal',
    CALLER,
  );
  const key = fc.oneof(
    fc.constantFrom(
      'call-id',
      'Call ID',
      'from-tag',
      'to-tag',
      'via-branch',
      'sdp',
      'SDP',
      'direction',
      'received-from',
      'flags',
    ),
    fc.constantFrom(
      'cluster-to',
      'cluster from',
      'Cluster_Set',
      'cluster-x',
      'cluster-require',
      'rtpp-flags',
      'rtpp_flags',
      'supports',
    ),
    fc.constantFrom(
      'media-address',
      'in-iface',
      'to-interface',
      'calls',
      'to call id',
      'limit',
      'ICE',
      'codec',
      '__proto__',
      'address-family',
    ),
    fc.string({ maxLength: 5 }),
  );
  const { value } = fc.letrec<{ value: NgValue }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      word,
      fc.integer(),
      fc.string({ unit: 'binary-ascii' }),
      fc.stringMatching(/^((cluster-to|direction|codec|flags|to-tag)=\[?(pub|a|\[b)?\]? ?){0,4}$/),
      fc.array(tie('value'), { maxLength: 3 }),
      fc.dictionary(key, tie('value'), { maxKeys: 3 }) as fc.Arbitrary<NgValue>,
    ),
  }));
  const command = fc.constantFrom(
    ...['ping', 'offer', 'answer', 'delete', 'query', 'list', 'statistics', 'frobnicate', 'publish', ''],
    ...['play media', 'subscribe request', 'connect', 'block DTMF'],
  );
  const message = fc
    .record({
      command: fc.oneof({ weight: 9, arbitrary: command }, { weight: 1, arbitrary: value }),
      base: fc.constantFrom(OFFER, ANSWER, {}),
      more: fc.dictionary(key, value, { maxKeys: 6 }),
    })
    .map(({ command, base, more }) => ({ ...base, ...more, command }) as NgDict);

  test('gets a reply that can be sent, and a relay sees nothing that is meant for the cluster', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 4 }), async (messages) => {
        const { ask, relay, commands } = await established();
        for (const one of messages) {
          const reply = await ask(one);
          expect(typeof reply.result).toBe('string');
          expect(encodeText(reply)).toStartWith('d');
          expect(String(reply['error-reason'] ?? '')).not.toContain('RTPC_INTERNAL');
        }
        expect(commands.counters.messages).toBe(messages.length + 2);
        const seen = [0, 1].flatMap((id) => [
          ...[...relay(id).offers, ...relay(id).answers].map(({ extra }) => extra),
          ...relay(id).commands,
        ]);
        for (const dict of seen) {
          for (const name of Object.keys(dict)) {
            expect(name).not.toMatch(
              /^(cluster[- _]|direction$|(from|to)-interface$|(in|out)-iface$|rtpp[-_ ]flags$)/i,
            );
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
