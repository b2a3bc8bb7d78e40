import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { Exchange, type Handle, MAX_COOKIE, MAX_OFFERS, MAX_UNDER_WAY } from '../../../src/front/exchange.ts';
import type { NgDict } from '../../../src/relay/driver.ts';
import { DecodeError, decode, isDict } from '../../../src/relay/ng/bencode.ts';
import { decodeJson } from '../../../src/relay/ng/json.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { bodyOf, type Fixture, readFixtures } from '../relay/ng/harness.ts';
import { logged } from './logged.ts';

const events = logged();
const CLIENT = '10.0.0.1';
const LOAD_LIMIT = 'd6:result5:error12:error-reason19:Load limit exceedede';

/** An exchange whose messages are put down, and answered with `reply`. */
function start(reply: Handle = async () => ({ result: 'ok' })) {
  const clock = new FakeClock();
  const messages: NgDict[] = [];
  const sets: number[] = [];
  const clients: string[] = [];
  const exchange = new Exchange((message, setId, client) => {
    messages.push(message);
    sets.push(setId);
    clients.push(client);

    return reply(message, setId, client);
  }, clock);
  const take = async (text: string, client = CLIENT, setId = 0): Promise<string | undefined> =>
    (await exchange.take(Buffer.from(text, 'latin1'), client, setId))?.toString('latin1');

  return { clock, messages, sets, clients, exchange, take };
}

/** An exchange whose messages wait for `answer`. */
function startSlow() {
  const waiting: ((reply: NgDict) => void)[] = [];
  const started = start((message) =>
    message.command === 'ping'
      ? Promise.resolve({ result: 'pong' })
      : new Promise((resolve) => waiting.push(resolve)),
  );
  const answer = (reply: NgDict): void => {
    for (const end of waiting.splice(0)) end(reply);
  };

  return { ...started, answer };
}

function fixture(name: string): Fixture {
  const found = readFixtures().find(({ file }) => file.startsWith(`${name}-`));
  if (found === undefined) throw new Error(`no fixture ${name}`);

  return found;
}

function raw(side: { readonly raw_base64?: string } | null): Buffer {
  if (side?.raw_base64 === undefined) throw new Error('the fixture does not have these bytes');

  return Buffer.from(side.raw_base64, 'base64');
}

/** What a recorded reply says. */
function said(recorded: Fixture): NgDict {
  const body = recorded.response === null ? undefined : bodyOf(recorded.response);
  const value =
    body === undefined ? undefined : recorded.response?.format === 'json' ? decodeJson(body) : decode(body);
  if (value === undefined || value instanceof DecodeError || !isDict(value))
    throw new Error(`${recorded.file} has no reply`);

  return value;
}

describe('framing', () => {
  test('every recorded exchange of 10.5 comes out byte for byte, if its message is answered as recorded', async () => {
    let count = 0;
    for (const recorded of readFixtures()) {
      const { file, transport, request, response } = recorded;
      if (file.includes('/') || transport !== 'udp' || request.raw_base64 === undefined) continue;
      // Those of `oversize` had no reply for their length, that of `restart` since the daemon was down.
      if (response === null ? !file.startsWith('error.') : response.raw_base64 === undefined) continue;
      const exchange = new Exchange(async () => said(recorded), new FakeClock());
      const reply = await exchange.take(raw(request), CLIENT, 0);
      expect([file, reply?.toString('latin1')]).toEqual([
        file,
        response === null ? undefined : raw(response).toString('latin1'),
      ]);
      count++;
    }
    expect(count).toBeGreaterThan(200);
  });

  test.each([
    ['error.03', 'd6:result5:error12:error-reason25:Invalid data (no payload)e'],
    ['error.06', 'd6:result5:error12:error-reason35:Could not decode bencode dictionarye'],
    ['error.09', 'd6:result5:error12:error-reason22:Invalid NG data formate'],
    ['error.10', 'd6:result5:error12:error-reason35:Could not decode bencode dictionarye'],
    ['error.11', 'd6:result5:error12:error-reason35:Could not decode bencode dictionarye'],
    ['error.12', '{"result":"error","error-reason":"Failed to parse JSON document"}'],
    ['error.13', 'd6:result5:error12:error-reason22:Invalid NG data formate'],
    ['error.14', '{"result":"error","error-reason":"Could not decode bencode dictionary"}'],
    ['error.15', '{"result":"error","error-reason":"Could not decode bencode dictionary"}'],
  ])('%s asks nobody, and is answered with %s', async (name, expected) => {
    const { take, messages, exchange } = start();
    const reply = await take(raw(fixture(name).request).toString('latin1'));
    expect(reply?.slice(reply.indexOf(' ') + 1)).toBe(expected);
    expect(messages).toEqual([]);
    expect(exchange.counters).toMatchObject({ unreadable: 1, requests: 0 });
  });

  test.each(['error.04', 'error.05'])('%s is dropped and counted', async (name) => {
    const { take, messages, exchange } = start();
    expect(await take(raw(fixture(name).request).toString('latin1'))).toBeUndefined();
    expect(messages).toEqual([]);
    expect(exchange.counters).toMatchObject({ unframed: 1, unreadable: 0 });
  });

  test('a cookie is any bytes but a space, up to its bound, and comes back as it was', async () => {
    const { take, exchange } = start();
    const odd = '\0\xff\r\n"{d';
    expect(await take(`${odd} d7:command4:pinge`)).toBe(`${odd} d6:result2:oke`);
    const longest = 'c'.repeat(MAX_COOKIE);
    expect(await take(`${longest} d7:command4:pinge`)).toBe(`${longest} d6:result2:oke`);
    expect(await take(`c${longest} d7:command4:pinge`)).toBeUndefined();
    expect(exchange.counters).toMatchObject({ requests: 2, unframed: 1 });
  });

  test('an empty datagram is dropped', async () => {
    const { take, exchange } = start();
    expect(await take('')).toBeUndefined();
    expect(exchange.counters.unframed).toBe(1);
  });

  test('bytes that are no Buffer, from the middle of a larger array, may be reused after the call', async () => {
    const { exchange, messages } = startSlow();
    const array = new Uint8Array(Buffer.from('xxc d7:command5:query7:call-id2:abexx'));
    const reply = exchange.take(array.subarray(2, -2), CLIENT, 0);
    array.fill(0);
    expect({ ...messages[0] }).toEqual({ command: 'query', 'call-id': 'ab' });
    expect(reply).toBeInstanceOf(Promise);
  });

  test('JSON is answered in JSON, strings in UTF-8', async () => {
    const { take, messages } = start(async ({ sdp = '' }) => ({ result: 'ok', sdp }));
    const reply = await take(Buffer.from('c {"command":"offer","sdp":"s=café\\r\\n"}').toString('latin1'));
    expect({ ...messages[0] }).toEqual({ command: 'offer', sdp: 's=caf\xc3\xa9\r\n' });
    expect(Buffer.from(reply ?? '', 'latin1').toString()).toBe('c {"result":"ok","sdp":"s=café\\r\\n"}');
  });

  test('the set that was asked is told', async () => {
    const { take, sets } = start();
    await take('c d7:command4:pinge', CLIENT, 7);
    expect(sets).toEqual([7]);
  });
});

describe('a direction', () => {
  test.each([
    ['given twice, as OpenSIPS does, is both', '9:direction4:priv9:direction3:pub', ['priv', 'pub']],
    ['given three times is the first two', '9:direction1:a9:direction1:b9:direction1:c', ['a', 'b']],
    ['given once is what it is', '9:direction4:priv', 'priv'],
    ['that is a list is that list', '9:directionl1:a1:be9:direction1:c', ['a', 'b']],
  ])('%s', async (_name, keys, expected) => {
    const { take, messages } = start();
    await take(`c d${keys}7:command5:offere`);
    expect(messages[0]?.direction).toEqual(expected);
  });

  test('is only looked for in the message itself; of other keys the first one counts', async () => {
    const { take, messages } = start();
    await take('c d1:xd9:direction1:a9:direction1:be5:label1:a5:label1:be');
    expect(JSON.stringify(messages[0])).toBe('{"x":{"direction":"a"},"label":"a"}');
  });
});

describe('a retransmission', () => {
  const offer = 'c d7:command5:offer7:call-id1:xe';

  test('that comes after the reply gets it again, byte for byte; the command is not run again', async () => {
    let runs = 0;
    const { take, exchange } = start(async () => ({ result: 'ok', run: ++runs }));
    const first = await take(offer);
    expect(first).toBe('c d6:result2:ok3:runi1ee');
    expect(await take(offer)).toBe(first);
    expect(exchange.counters).toMatchObject({ requests: 1, repeated: 1 });
  });

  test('that comes before waits for it', async () => {
    const { take, exchange, answer, messages } = startSlow();
    const replies = [take(offer), take(offer), take(offer)];
    expect(exchange.underWay).toBe(1);
    answer({ result: 'ok' });
    expect(await Promise.all(replies)).toEqual(Array(3).fill('c d6:result2:oke'));
    expect(messages).toHaveLength(1);
    expect(exchange.underWay).toBe(0);
  });

  test('is answered for 30 s after the reply, errors too', async () => {
    const { take, clock, exchange } = start(async () => ({
      result: 'error',
      'error-reason': 'Unknown call-id',
    }));
    for (const { file, request, response } of [fixture('cookie.05'), fixture('cookie.06')]) {
      const reply = await take(raw(request).toString('latin1'));
      expect([file, reply]).toEqual([file, raw(response).toString('latin1')]);
      await clock.advance(30_000);
    }
    expect(exchange.counters).toMatchObject({ requests: 1, repeated: 1 });
    await clock.advance(80_000);
    await take(raw(fixture('cookie.06').request).toString('latin1'));
    expect(exchange.counters).toMatchObject({ requests: 2, repeated: 1 });
  });

  // Here rtpengine gives the reply to another question (cookie.03, cookie.04), and we must not.
  test.each([
    ['with another payload', 'cookie.03', CLIENT, 0],
    ['from another client', 'cookie.02', '10.0.0.2', 0],
    ['to another set', 'cookie.02', CLIENT, 1],
  ])('is none %s', async (_name, name, client, setId) => {
    const { take, messages, exchange } = start();
    await take(raw(fixture('cookie.01').request).toString('latin1'));
    await take(raw(fixture(name).request).toString('latin1'), client, setId);
    expect(messages).toHaveLength(2);
    expect(exchange.counters).toMatchObject({ requests: 2, repeated: 0 });
  });

  test('of a request that was refused is looked at anew', async () => {
    const { take, exchange, answer } = startSlow();
    const full = Array.from({ length: MAX_OFFERS }, (_, n) => take(`c${n} d7:command5:offere`));
    expect(await take(offer)).toBe(`c ${LOAD_LIMIT}`);
    answer({ result: 'ok' });
    await Promise.all(full);
    const again = take(offer);
    await settle();
    answer({ result: 'ok' });
    expect(await again).toBe('c d6:result2:oke');
    expect(exchange.counters).toMatchObject({ refused: 1, repeated: 0 });
  });
});

describe('too many requests', () => {
  test('are refused at once, offers before others, pings never', async () => {
    const { take, exchange, answer } = startSlow();
    const replies: Promise<string | undefined>[] = [];
    for (let n = 0; n < MAX_OFFERS; n++) replies.push(take(`o${n} d7:command5:offere`));
    expect(await take('x1 d7:command5:offere')).toBe(`x1 ${LOAD_LIMIT}`);
    for (let n = MAX_OFFERS; n < MAX_UNDER_WAY; n++) replies.push(take(`d${n} d7:command6:deletee`));
    expect(await take('x2 d7:command6:deletee')).toBe(`x2 ${LOAD_LIMIT}`);
    expect(await take('x3 d7:command4:pinge')).toBe('x3 d6:result4:ponge');
    expect(await take('x4 {"command":"query"}')).toBe(
      'x4 {"result":"error","error-reason":"Load limit exceeded"}',
    );
    expect(exchange.underWay).toBe(MAX_UNDER_WAY);
    expect(exchange.counters.refused).toBe(3);
    answer({ result: 'ok' });
    expect((await Promise.all(replies)).every((reply) => reply?.endsWith(' d6:result2:oke'))).toBe(true);
    expect(exchange.underWay).toBe(0);
  });
});

describe('a reply', () => {
  test('that no datagram can hold is an error, since nobody could tell silence from a dead server', async () => {
    const { take, exchange } = start(async () => ({ result: 'ok', sdp: 'x'.repeat(65_507) }));
    expect(await take('c d7:command5:querye')).toBe('c d6:result5:error12:error-reason15:Reply too largee');
    expect(await take('j {"command":"query"}')).toBe('j {"result":"error","error-reason":"Reply too large"}');
    expect(exchange.counters.oversized).toBe(2);
  });

  test('may be as long as a datagram', async () => {
    const { take, exchange } = start(async () => ({ x: 'x'.repeat(65_507 - 13) }));
    const reply = await take('c d7:command5:querye');
    expect(reply).toHaveLength(65_507);
    expect(exchange.counters.oversized).toBe(0);
  });

  test.each<[string, Handle]>([
    ['handling rejects', async () => Promise.reject(new Error('it broke'))],
    [
      'handling throws',
      () => {
        throw new Error('it broke');
      },
    ],
    ['a character is no byte', async () => ({ it: 'broke: €' })],
    ['a number is no integer', async () => ({ it: 0.5 })],
    ['nothing was returned', async () => undefined as unknown as NgDict],
  ])('says that there was a defect if %s, and the log tells more', async (_name, reply) => {
    const { take, exchange } = start(reply);
    expect(await take('c d7:command5:querye')).toBe('c d6:result5:error12:error-reason14:Internal errore');
    expect(exchange.counters.defects).toBe(1);
    expect(exchange.underWay).toBe(0);
    expect(await events()).toMatchObject([{ level: 'error', event: 'ng.defect', defects: 1 }]);
  });

  test('in JSON is checked as well', async () => {
    const { take, exchange } = start(async () => ({ it: 'broke: €' }));
    expect(await take('c {"command":"query"}')).toBe('c {"result":"error","error-reason":"Internal error"}');
    expect(exchange.counters.defects).toBe(1);
  });

  test('that fails a thousand times a second is logged once', async () => {
    const { take, clock } = start(async () => Promise.reject(new Error('it broke')));
    for (let n = 0; n < 1000; n++) await take(`c${n} d7:command5:querye`);
    expect(await events()).toHaveLength(1);
    await clock.advance(1000);
    await take('d d7:command5:querye');
    expect(await events()).toMatchObject([{ defects: 1 }, { defects: 1001 }]);
  });
});

describe('hostile bytes', () => {
  test('beyond the bounds of a request are refused', async () => {
    const { take, messages } = start();
    const undecodable = 'c d6:result5:error12:error-reason35:Could not decode bencode dictionarye';
    const list = (length: number): string => `c d5:flagsl${'1:x'.repeat(length)}ee`;
    expect(await take(list(2046))).toBe('c d6:result2:oke');
    expect(await take(list(2047))).toBe(undecodable);
    expect(await take(`c d1:x${'l'.repeat(17)}`)).toBe(undecodable);
    const json = (text: string): string => `c {"x":${text}}`;
    const refused = 'c {"result":"error","error-reason":"Could not decode bencode dictionary"}';
    expect(await take(json(`[${'1,'.repeat(2045)}1]`))).toBe('c {"result":"ok"}');
    expect(await take(json(`[${'1,'.repeat(2046)}1]`))).toBe(refused);
    expect(await take(json(`${'['.repeat(32_000)}${']'.repeat(32_000)}`))).toBe(refused);
    expect(await take(json(`${'["]",'.repeat(9000)}1${']'.repeat(9000)}`))).toBe(refused);
    expect(await take('c {"x":"\xff"}')).toBe(
      'c {"result":"error","error-reason":"Failed to parse JSON document"}',
    );
    expect(messages).toHaveLength(2);
  });

  /** Whatever comes: no reply, or one with the same cookie that can be read. */
  async function survives(bytes: Uint8Array): Promise<void> {
    const exchange = new Exchange(async (message) => message, new FakeClock());
    const reply = await exchange.take(bytes, CLIENT, 0);
    const space = bytes.indexOf(0x20);
    if (space <= 0 || space > MAX_COOKIE) {
      expect(reply).toBeUndefined();

      return;
    }
    expect(reply?.subarray(0, space + 1)).toEqual(Buffer.from(bytes.slice(0, space + 1)));
    const body = reply?.subarray(space + 1) ?? Buffer.alloc(0);
    const value = bytes[space + 1] === 0x7b ? decodeJson(body) : decode(body);
    expect(value).not.toBeInstanceOf(DecodeError);
    expect(exchange.counters.defects).toBe(0);
  }

  test('of any kind are answered or dropped', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'c ',
        'd',
        'l',
        'e',
        '{',
        '}',
        '"',
        ':',
        ',',
        '[',
        ']',
        'i1e',
        '1:a',
        '9:direction',
        'null',
      ),
      fc.uint8Array({ maxLength: 4 }).map((array) => Buffer.from(array).toString('latin1')),
    );
    await fc.assert(
      fc.asyncProperty(fc.boolean(), fc.array(piece, { maxLength: 40 }), (isFramed, pieces) =>
        survives(new Uint8Array(Buffer.from((isFramed ? 'c ' : '') + pieces.join(''), 'latin1'))),
      ),
      { numRuns: 2000 },
    );
  });

  test('made of recorded datagrams are answered or dropped', async () => {
    const datagrams = readFixtures()
      .filter(({ transport, request }) => transport !== 'tcp' && request.raw_base64 !== undefined)
      .map(({ request }) => raw(request))
      .filter(({ length }) => length < 4000);
    expect(datagrams.length).toBeGreaterThan(300);
    const edit = fc.record({
      at: fc.nat({ max: 4000 }),
      cut: fc.nat({ max: 6 }),
      put: fc.oneof(
        fc.uint8Array({ maxLength: 6 }),
        fc
          .constantFrom('d', 'l', 'e', 'i', ':', '0', '99999', '[', '{', '}', '\\', '"', ' ')
          .map((text) => new Uint8Array(Buffer.from(text))),
      ),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...datagrams),
        fc.array(edit, { minLength: 1, maxLength: 4 }),
        (datagram, edits) => {
          let bytes: Buffer = datagram;
          for (const { at, cut, put } of edits) {
            const start_ = at % (bytes.length + 1);
            bytes = Buffer.concat([bytes.subarray(0, start_), put, bytes.subarray(start_ + cut)]);
          }

          return survives(bytes);
        },
      ),
      { numRuns: 5000 },
    );
  });
});
