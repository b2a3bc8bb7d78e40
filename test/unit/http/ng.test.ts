import { describe, expect, test } from 'bun:test';
import type { AskNg } from '../../../src/http/ng.ts';
import { admins, bytes, makeApi } from './api.ts';

const TYPE = { 'content-type': 'application/x-rtpengine-ng' };

function start(reply: string | undefined) {
  const asked: [string, number][] = [];
  const askNg: AskNg = async (message, setId) => {
    asked.push([Buffer.from(message).toString('latin1'), setId]);

    return reply === undefined ? undefined : Uint8Array.from(Buffer.from(reply, 'latin1'));
  };

  return { ...makeApi({ askNg }), asked };
}

describe('POST /ng', () => {
  test('hands the message over byte for byte and brings the reply back', async () => {
    const { asked, post } = start('1 d6:result4:pong4:odd1:\xff1:xe');
    const response = await post('/ng', '1 d7:command4:ping3:odd1:\xffe', TYPE);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe(TYPE['content-type']);
    expect(await bytes(response)).toBe('1 d6:result4:pong4:odd1:\xff1:xe');
    expect(asked).toEqual([['1 d7:command4:ping3:odd1:\xffe', 0]]);
  });

  test('takes the set from the query', async () => {
    const { asked, post } = start('1 d6:result4:ponge');
    await post('/ng?set=7', '1 d7:command4:pinge', TYPE);
    expect(asked).toMatchObject([[expect.anything(), 7]]);
    const refused = await post('/ng?set=x', '1 d7:command4:pinge', TYPE);
    expect(refused.status).toBe(400);
    expect(await refused.json()).toMatchObject({
      code: 'RTPC_BAD_PARAMETER',
      message: expect.stringContaining('set is "x"'),
    });
    expect(asked).toHaveLength(1);
  });

  test('says what is wrong with a body that is no message, and with another type', async () => {
    const { asked, post } = start(undefined);
    const garbled = await post('/ng', 'nonsense', TYPE);
    expect([garbled.status, await garbled.json()]).toMatchObject([400, { code: 'RTPC_BAD_BODY' }]);
    const typed = await post('/ng', '1 d7:command4:pinge', { 'content-type': 'text/plain' });
    expect([typed.status, await typed.json()]).toMatchObject([
      400,
      { code: 'RTPC_BAD_BODY', message: expect.stringContaining('x-rtpengine-ng') },
    ]);
    expect(asked).toHaveLength(1);
  });

  test('wants the token where there is one', async () => {
    const { post } = makeApi({
      guard: { tokens: admins('a-token-of-sixteen') },
      askNg: async () => Uint8Array.of(1),
    });
    expect((await post('/ng', '1 d7:command4:pinge', TYPE)).status).toBe(401);
    const allowed = await post('/ng', '1 d7:command4:pinge', {
      ...TYPE,
      authorization: 'Bearer a-token-of-sixteen',
    });
    expect(allowed.status).toBe(200);
  });
});
