import { describe, expect, test } from 'bun:test';
import { innerOf, makeNode, outerOf, phoneSdp } from '../../fakes/cluster.ts';
import { anchored, fails } from '../../fakes/driver.ts';
import { flush } from '../../fakes/store.ts';
import { bytes, makeApi } from './api.ts';

const CALLER = phoneSdp('10.9.9.9');
const CALLEE = phoneSdp('203.0.113.9');
const INVITE =
  '/v1/media/auto?call-id=c1&from-tag=A&to-tag=<null>&method=INVITE&status=<null>&cseq=1&dir=out&set=0';
const OK = '/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&status=200&cseq=1';

describe('POST /v1/media/auto', () => {
  test('gives the whole new body, bare, with the type of SDP', async () => {
    const { post } = makeApi();
    const response = await post(INVITE, CALLER);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/sdp');
    expect(await bytes(response)).toBe(anchored(outerOf(0)));
    expect(await bytes(await post(OK, CALLEE))).toBe(anchored(innerOf(0)));
  });

  test('PUT does the same', async () => {
    const { ask } = makeApi();
    const response = await ask('PUT', INVITE, { body: CALLER });
    expect(await bytes(response)).toBe(anchored(outerOf(0)));
  });

  test('is 204 without a body where there is nothing to change', async () => {
    const { post } = makeApi();
    await post(INVITE, CALLER);
    for (const path of [
      '/v1/media/auto?call-id=c2&from-tag=A&method=INVITE&cseq=1&dir=out',
      '/v1/media/auto?call-id=c1&from-tag=A&method=OPTIONS&cseq=1',
      '/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=BYE&cseq=2',
    ]) {
      const response = await post(path);
      expect([response.status, await bytes(response)]).toEqual([204, '']);
    }
  });

  test('end given deletes, and a second delete is 404', async () => {
    const { post, calls } = makeApi();
    await post(INVITE, CALLER);
    expect((await post('/v1/media/auto?call-id=c1&from-tag=A&method=INVITE&cseq=1&end=486')).status).toBe(
      204,
    );
    expect(calls.getEnded('c1')?.endReason).toBe('486');
    expect((await post('/v1/media/auto?call-id=c1&from-tag=A&method=INVITE&cseq=1&end=486')).status).toBe(
      404,
    );
  });

  test('a body always ends with a line end: clients strip it, and then the SDP is cut', async () => {
    const { post, relay } = makeApi();
    relay(0).next('offer', anchored(outerOf(0)).trimEnd());
    const text = await bytes(await post(INVITE, CALLER));
    expect(text).toBe(anchored(outerOf(0)));
  });

  test('end may be any words of 64 bytes, and delete is as strict about it', async () => {
    const { post, calls } = makeApi();
    const reason = `caf%C3%A9 ${'x'.repeat(58)}`;
    await post(INVITE, CALLER);
    expect((await post(`/v1/media/delete?call-id=c1&end=a%0Ab`)).status).toBe(400);
    expect((await post(`/v1/media/auto?call-id=c1&from-tag=A&method=BYE&end=${reason}`)).status).toBe(204);
    expect(calls.getEnded('c1')?.endReason).toBe(`caf\xc3\xa9 ${'x'.repeat(58)}`);
  });

  test('"<null>" and empty mean absent in every parameter', async () => {
    const { post, relay } = makeApi();
    const path =
      '/v1/media/auto?call-id=c1&from-tag=A&to-tag=<null>&method=INVITE&status=&cseq=1&dir=out&set=<null>&src=<null>&branch=&flags=<null>&end=%3Cnull%3E';
    expect((await post(path, CALLER)).status).toBe(200);
    expect(relay(0).offers[0]).toMatchObject({ callId: 'c1', fromTag: 'A', extra: {} });
    expect(relay(0).offers[0]).not.toHaveProperty('branch');
    const missing = await post('/v1/media/auto?call-id=<null>&from-tag=A&method=INVITE', CALLER);
    expect([missing.status, await bytes(missing)]).toEqual([400, 'RTPC_BAD_PARAMETER call-id is missing\n']);
  });

  test('parameters are taken byte for byte: no plus, no UTF-8, percent-encoding undone once', async () => {
    const { post, relay } = makeApi();
    await post(
      '/v1/media/auto?call-id=a%2Bb+c%25%E9%2F%3F%26&from-tag=%C3%A9&method=invite&cseq=1&dir=out',
      CALLER,
    );
    expect(relay(0).offers[0]).toMatchObject({ callId: 'a+b+c%\xe9/?&', fromTag: '\xc3\xa9' });
  });

  test('the last of a parameter given twice counts; unknown ones and pieces without a name are ignored', async () => {
    const { post, relay } = makeApi();
    await post(`${INVITE}&call-id=c9&frobnicate=1&&=x&y`, CALLER);
    expect(relay(0).offers[0]?.callId).toBe('c9');
    expect(relay(0).offers[0]?.extra).toEqual({});
  });

  test('headers X-… are taken where the query says nothing', async () => {
    const { post, relay } = makeApi();
    const headers = {
      'X-Call-ID': 'h1',
      'X-From-Tag': 'HA',
      'X-Method': 'INVITE',
      'X-Dir': 'out',
      'X-CSeq': '1',
    };
    expect((await post('/v1/media/auto?from-tag=QA', CALLER, headers)).status).toBe(200);
    expect(relay(0).offers[0]).toMatchObject({ callId: 'h1', fromTag: 'QA' });
  });

  test('flags become ng keys, whether their spaces come as %20 or +', async () => {
    const { post, relay } = makeApi();
    await post(`${INVITE}&flags=ICE=remove%20trust-address+RTP/AVP`, CALLER);
    expect(relay(0).offers[0]?.extra).toEqual({
      ICE: 'remove',
      flags: ['trust-address'],
      'transport-protocol': 'RTP/AVP',
    });
  });

  test('flags of more than 4096 bytes are refused, and no relay is asked', async () => {
    const { post, asked } = makeApi();
    expect((await post(`${INVITE}&flags=${'x'.repeat(4097)}`, CALLER)).status).toBe(400);
    expect(asked()).toEqual([]);
    expect((await post(`${INVITE}&flags=${'x'.repeat(4096)}`, CALLER)).status).toBe(200);
  });

  test('src is told to the relay, in brackets or not', async () => {
    const { post, relay } = makeApi();
    await post(`${INVITE}&src=%5B2001:db8::9%5D`, CALLER);
    expect(relay(0).offers[0]?.extra).toEqual({ 'received-from': ['IP6', '2001:db8::9'] });
  });

  test.each([
    ['call-id', 'x'.repeat(1025), 'at most 1024'],
    ['call-id', 'a%20b', 'byte 32'],
    ['call-id', 'a%00b', 'byte 0'],
    ['from-tag', 'x'.repeat(513), 'at most 512'],
    ['to-tag', 'a%0Ab', 'byte 10'],
    ['branch', 'a%7Fb', 'byte 127'],
    ['method', 'IN-VITE', 'method'],
    ['status', '99', 'status'],
    ['status', '700', 'status'],
    ['status', '2oo', 'status'],
    ['set', '-1', 'set'],
    ['set', '1.5', 'set'],
    ['set', '9999999999', 'set'],
    ['src', 'proxy.example.org', 'src'],
    ['dir', 'sideways', 'out'],
    ['cseq', '1%0A2', 'cseq'],
    ['cseq', '12345678901', 'digits'],
    ['cseq', '-1', 'cseq'],
    ['cseq', '1%20INVITE', 'cseq'],
    ['end', 'x'.repeat(65), 'at most 64'],
    ['end', 'a%0Ab', 'byte 10'],
    ['end', 'a%7F', 'byte 127'],
  ])('%s=%p is refused, saying what is allowed, and no relay is asked', async (name, value, words) => {
    const { post, asked } = makeApi();
    const response = await post(`${INVITE}&${name}=${value}`, CALLER);
    expect(response.status).toBe(400);
    const text = await bytes(response);
    expect(text).toStartWith('RTPC_BAD_PARAMETER ');
    expect(text).toContain(words);
    expect(text.indexOf('\n')).toBe(text.length - 1);
    expect(asked()).toEqual([]);
  });

  test.each(['from-tag', 'method'])('%s is needed', async (name) => {
    const { post } = makeApi();
    const response = await post(`${INVITE}&${name}=`, CALLER);
    expect([response.status, await bytes(response)]).toMatchObject([400, expect.stringContaining(name)]);
  });
});

describe('what a body is', () => {
  test.each(['application/sdp', 'text/plain', '$cT', 'multipart/mixed;boundary="un', 'application/json', ''])(
    'is told by its first bytes, not by the type %p',
    async (type) => {
      const { post } = makeApi();
      const response = await post(INVITE, CALLER, type === '' ? {} : { 'content-type': type });
      expect(response.status).toBe(200);
      expect(await bytes(response)).toBe(anchored(outerOf(0)));
    },
  );

  test('a bare SDP after a blank line is answered as SDP, whatever type the request had', async () => {
    const { post } = makeApi();
    const response = await post(INVITE, `\r\n${CALLER}`, {});
    expect(response.headers.get('content-type')).toBe('application/sdp');
    expect(await bytes(response)).toBe(`\r\n${anchored(outerOf(0))}`);
  });

  const body = (sdp: string) =>
    `--b1\r\nContent-Type: application/isup\r\n\r\n\x01\xff\r\n--b1\r\nContent-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}\r\n--b1--\r\n`;

  test('a multipart comes back whole, with its own type', async () => {
    const { post } = makeApi();
    const type = 'multipart/mixed;boundary=b1';
    const response = await post(INVITE, body(CALLER), { 'content-type': type });
    expect(response.headers.get('content-type')).toBe(type);
    expect(await bytes(response)).toBe(body(anchored(outerOf(0))));
  });

  test('a multipart whose type was cut off comes back whole as well', async () => {
    const { post } = makeApi();
    const response = await post(INVITE, body(CALLER), { 'content-type': 'multipart/mixed;bound' });
    expect(await bytes(response)).toBe(body(anchored(outerOf(0))));
  });

  test('bytes that are no UTF-8 pass as they are', async () => {
    const { post, relay } = makeApi();
    const sdp = CALLER.replace('s=call', 's=caf\xe9 \xff');
    relay(0).next('offer', anchored(outerOf(0)).replace('s=-', 's=caf\xe9 \xff'));
    const response = await post(INVITE, sdp);
    expect(relay(0).offers[0]?.sdp).toBe(sdp);
    expect(await bytes(response)).toContain('s=caf\xe9 \xff\r\n');
  });

  test('a body without SDP is announced, not an error', async () => {
    const { post } = makeApi();
    expect((await post(INVITE, 'hello')).status).toBe(204);
  });

  const noMedia = 'v=0\r\no=- 1 1 IN IP4 10.9.9.9\r\ns=m=\r\nt=0 0\r\n';

  test('an SDP without media is nothing to change, and the side of the caller is remembered (3PCC)', async () => {
    const { post, asked, relay } = makeApi();
    expect((await post(INVITE, noMedia)).status).toBe(204);
    expect((await post(OK, noMedia)).status).toBe(204);
    const multipart = `--b\r\nContent-Type: application/sdp\r\n\r\n${noMedia}\r\n--b--\r\n`;
    expect((await post(INVITE, multipart)).status).toBe(204);
    expect(asked()).toEqual([]);
    const again = '/v1/media/auto?call-id=c1&from-tag=A&to-tag=B&method=INVITE&cseq=2';
    expect((await post(again, CALLER)).status).toBe(200);
    expect(relay(0).offers[0]?.address).toBe(outerOf(0));
  });

  test('an SDP without media is an error where the operation is named', async () => {
    const { post } = makeApi();
    const response = await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', noMedia);
    expect([response.status, await bytes(response)]).toEqual([400, expect.stringContaining('RTPC_BAD_SDP ')]);
  });

  test.each([
    ['v=0\r\ns=-\r\nm=audio 4000 RTP/AVP 8\r\n'],
    ['--b\r\nContent-Type: application/sdp\r\n\r\nhello\r\n--b--\r\n'],
  ])('a broken SDP is 400 with the code in one line: %j', async (body) => {
    const { post } = makeApi();
    const response = await post(INVITE, body);
    expect(response.status).toBe(400);
    expect(response.headers.get('content-type')).toBe('text/plain; charset=utf-8');
    expect(await bytes(response)).toMatch(/^RTPC_BAD_SDP [^\n]+\n$/);
  });
});

describe('JSON in and out', () => {
  const offer = { 'call-id': 'c1', 'from-tag': 'A', sdp: CALLER, direction: 'out' };

  test('keys are those of ng; unknown ones pass through; the answer is JSON', async () => {
    const { send, relay } = makeApi();
    const response = await send('POST', '/v1/media/offer', {
      ...offer,
      ICE: 'remove',
      flags: ['trust-address'],
      'x-unknown': { deep: [1, true, null, 'é'] },
    });
    expect(await response.json()).toEqual({ result: 'ok', sdp: anchored(outerOf(0)), node: 0 });
    expect(relay(0).offers[0]?.extra).toEqual({
      ICE: 'remove',
      flags: ['trust-address'],
      'x-unknown': { deep: [1, 1, '\xc3\xa9'] },
    });
  });

  test('a direction may be a list of two sides', async () => {
    const { send, relay } = makeApi();
    expect((await send('POST', '/v1/media/offer', { ...offer, direction: ['priv', 'pub'] })).status).toBe(
      200,
    );
    expect(relay(0).offers[0]?.address).toBe(outerOf(0));
    for (const direction of [
      ['priv'],
      ['priv', 'nowhere'],
      ['priv', 'pub', 'mpls'],
      [{}, {}],
      [1, 2],
      'sideways',
    ]) {
      expect((await send('POST', '/v1/media/offer', { ...offer, direction })).status).toBe(400);
    }
  });

  test('SIP facts as JSON through the auto door', async () => {
    const { send } = makeApi();
    const invite = { ...offer, method: 'INVITE', cseq: 1, dir: 'out' };
    expect(await (await send('POST', '/v1/media/auto', invite)).json()).toMatchObject({
      result: 'ok',
      node: 0,
    });
    const bye = { 'call-id': 'c1', 'from-tag': 'A', 'to-tag': 'B', method: 'BYE', cseq: 2 };
    expect(await (await send('POST', '/v1/media/auto', bye)).json()).toEqual({ result: 'ok' });
  });

  test('errors are JSON where the request was, or asks for it by Accept', async () => {
    const { send, post } = makeApi();
    const response = await send('POST', '/v1/media/offer', { 'from-tag': 'A' });
    expect([response.status, await response.json()]).toEqual([
      400,
      { code: 'RTPC_BAD_PARAMETER', message: 'call-id is missing' },
    ]);
    const accepted = await post('/v1/media/offer', CALLER, { accept: 'application/json' });
    expect(await accepted.json()).toMatchObject({ code: 'RTPC_BAD_PARAMETER' });
  });

  test.each(['{', '{"call-id":', '{"a":1}x'])('%p is RTPC_BAD_BODY', async (body) => {
    const { post } = makeApi();
    const response = await post('/v1/media/offer', body);
    expect([response.status, await response.json()]).toMatchObject([400, { code: 'RTPC_BAD_BODY' }]);
  });

  test('nesting beyond the bound is refused, and no relay sees it', async () => {
    const { post, asked } = makeApi();
    const deep = `{"call-id":"c1","from-tag":"A","x":${'['.repeat(5000)}${']'.repeat(5000)}}`;
    expect((await post('/v1/media/offer', deep)).status).toBe(400);
    expect(asked()).toEqual([]);
  });

  test('names of object properties are plain keys', async () => {
    const { post, relay } = makeApi();
    const text = JSON.stringify(offer).replace('{', '{"__proto__":{"isAdmin":1},"constructor":"x",');
    expect((await post('/v1/media/offer', text)).status).toBe(200);
    expect(Object.keys(relay(0).offers[0]?.extra ?? {})).toEqual(['__proto__', 'constructor']);
  });
});

describe('the doors that name the operation', () => {
  test('offer, answer, query and delete', async () => {
    const { post, ask, calls } = makeApi();
    expect(await bytes(await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER))).toBe(
      anchored(outerOf(0)),
    );
    expect(await bytes(await post('/v1/media/answer?call-id=c1&from-tag=A&to-tag=B', CALLEE))).toBe(
      anchored(innerOf(0)),
    );
    expect(calls.get('c1')?.state).toBe('confirmed');
    expect(await (await ask('GET', '/v1/media/query?call-id=c1')).json()).toEqual({ result: 'ok', node: 0 });
    expect((await post('/v1/media/delete?call-id=c1')).status).toBe(204);
    expect((await post('/v1/media/delete?call-id=c1')).status).toBe(404);
  });

  test.each([
    ['&from-tag=A&to-tag=B', ['A', 'B']],
    ['&from-tag=A', ['A']],
    ['&to-tag=B', ['B']],
    ['', []],
  ])('delete of a call nobody knows tells the nodes whose it is, from "%s"', async (parties, tags) => {
    const { post, relay } = makeApi();
    relay(1).calls.add('c1');
    expect((await post(`/v1/media/delete?call-id=c1${parties}`)).status).toBe(204);
    for (const id of [0, 1]) expect(relay(id).deletes).toEqual([{ callId: 'c1', tags }]);
    expect(relay(1).calls.size).toBe(0);
  });

  test('delete answers with the last statistics as JSON', async () => {
    const { post, send, relay } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    relay(0).next('delete', { result: 'ok', totals: { packets: 5 } });
    expect(await (await send('POST', '/v1/media/delete', { 'call-id': 'c1' })).json()).toEqual({
      result: 'ok',
      totals: { packets: 5 },
    });
  });

  test('answer needs both tags', async () => {
    const { post } = makeApi();
    expect(await bytes(await post('/v1/media/answer?call-id=c1&from-tag=A', CALLEE))).toContain(
      'to-tag is missing',
    );
    expect(await bytes(await post('/v1/media/answer?call-id=c1&to-tag=A', CALLEE))).toContain(
      'from-tag is missing',
    );
  });

  test('command passes anything else to the node of the call', async () => {
    const { post, send, relay } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    const message = { command: 'play media', 'call-id': 'c1', file: '/x.wav', flags: ['a'] };
    expect(await (await send('POST', '/v1/media/command', message)).json()).toEqual({
      result: 'ok',
      node: 0,
    });
    expect(relay(0).commands).toEqual([message]);
  });

  test.each([
    ['offer', 'use /v1/media/offer'],
    ['answer', 'use /v1/media/answer'],
    ['delete', 'use /v1/media/delete'],
    ['query', 'use /v1/media/query'],
    ['ping', 'a node'],
    ['list', 'a node'],
    ['statistics', 'a node'],
    ['cli', 'a node'],
    ['publish', 'not place'],
    ['create', 'not place'],
    ['create answer', 'not place'],
    ['transform', 'not place'],
    ['mesh', 'not checked'],
    ['Play Media', 'not known'],
    ['inject start', 'not known'],
    ['toString', 'not known'],
  ])('command %p is RTPC_COMMAND_UNSUPPORTED: %s; the allowed ones are named', async (command, why) => {
    const { post, send, asked } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    const before = asked();
    const response = await send('POST', '/v1/media/command', { command, 'call-id': 'c1' });
    const { code, message } = (await response.json()) as { code: string; message: string };
    expect([response.status, code]).toEqual([400, 'RTPC_COMMAND_UNSUPPORTED']);
    expect(message).toContain(why);
    expect(message).toContain('start recording, pause recording,');
    expect(asked()).toEqual(before);
  });

  test.each([
    'start recording',
    'stop forwarding',
    'block DTMF',
    'unsilence media',
    'play DTMF',
    'unsubscribe',
  ])('command %p goes to the node', async (command) => {
    const { post, send, relay } = makeApi();
    await post('/v1/media/offer?call-id=c1&from-tag=A&dir=out', CALLER);
    expect((await send('POST', '/v1/media/command', { command, 'call-id': 'c1' })).status).toBe(200);
    expect(relay(0).commands).toEqual([{ command, 'call-id': 'c1' }]);
  });

  test('connect joins calls of one node only', async () => {
    const { post, send } = makeApi();
    for (const callId of ['c1', 'c2'])
      await post(`/v1/media/offer?call-id=${callId}&from-tag=A&dir=out`, CALLER);
    const connect = (to: string) =>
      send('POST', '/v1/media/command', { command: 'connect', 'call-id': 'c1', 'to-call-id': to });
    expect((await connect('c2')).status).toBe(200);
    expect((await connect('c3')).status).toBe(409);
  });

  test('command needs a JSON object', async () => {
    const { post } = makeApi();
    expect((await post('/v1/media/command?command=x&call-id=c1', 'hello')).status).toBe(400);
  });
});

describe('statuses', () => {
  test.each([
    ['refused', 503, 'RTPC_NO_NODE'],
    ['rejected', 502, 'RTPC_RELAY_REFUSED'],
    ['silent', 504, 'RTPC_RELAY_SILENT'],
    ['unreachable', 504, 'RTPC_RELAY_SILENT'],
    ['garbled', 502, 'RTPC_RELAY_REFUSED'],
    ['busy', 503, 'RTPC_BUSY'],
    ['too-large', 413, 'RTPC_BODY_TOO_LARGE'],
    ['bad-sdp', 400, 'RTPC_BAD_SDP'],
  ] as const)('a relay that is %s is %d %s', async (kind, status, code) => {
    const { post, relay } = makeApi({ nodes: [makeNode(0)] });
    relay(0).always('offer', fails(kind));
    const response = await post(INVITE, CALLER);
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(status === 503 ? '2' : null);
    expect(await bytes(response)).toStartWith(`${code} `);
  });

  test('a defect is 500 and tells nothing of what it was', async () => {
    const { post, relay, store } = makeApi();
    relay(0).next('offer', { not: 'a text' });
    const response = await post(INVITE, CALLER);
    expect(response.status).toBe(500);
    const { code, message } = (await response.json()) as { code: string; message: string };
    expect(code).toBe('RTPC_INTERNAL');
    expect(message).not.toContain('dictionary');
    await flush(store);
  });
});
