import { afterEach, describe, expect, spyOn, test } from 'bun:test';
import { createHmac } from 'node:crypto';
import { type Post, startWebhooks, type WebhookSettings } from '../../../src/events/webhooks.ts';
import { configureLog, flushLog } from '../../../src/util/log.ts';
import { FakeClock, settle } from '../../fakes/clock.ts';
import { flush, openStore } from '../../fakes/store.ts';
import { unreadable } from '../store/unreadable.ts';

const URL_A = 'https://a.example/secret-path';
const SETTINGS: WebhookSettings = { urls: [URL_A], kinds: ['*'], secret: '', timeoutMs: 5000 };
const ALL = { endedCallMs: 1e9, maxEndedCalls: 1e9, eventMs: 1e9, traceMs: 1e9, maxTraces: 1e9 };

type Answer = number | Error | 'never';

/** A receiver that answers as it is told, then with 204. */
class Receiver {
  readonly seen: { url: string; ids: number[]; init: RequestInit }[] = [];
  answers: Answer[] = [];
  /** The answer when `answers` is empty. */
  usual: Answer = 204;

  readonly post: Post = (url, init) => {
    const { events } = JSON.parse(String(init.body)) as { events: { id: number }[] };
    this.seen.push({ url, ids: events.map(({ id }) => id), init });
    const answer = this.answers.shift() ?? this.usual;
    if (answer instanceof Error) return Promise.reject(answer);
    if (answer !== 'never') return Promise.resolve(new Response(null, { status: answer }));

    return new Promise((_, reject) => {
      init.signal?.addEventListener('abort', () => reject(new DOMException('over', 'AbortError')));
    });
  };

  get ids(): number[][] {
    return this.seen.map(({ ids }) => ids);
  }
}

const stops: (() => Promise<void>)[] = [];
let logged = '';

function start(settings: Partial<WebhookSettings> = {}, opened = openStore(new FakeClock())) {
  const receiver = new Receiver();
  const clock = new FakeClock();
  const { stop } = startWebhooks(
    opened.store,
    clock,
    { ...SETTINGS, ...settings },
    opened.store.events.webhooks({ ...SETTINGS, ...settings }.urls),
    receiver.post,
  );
  stops.push(stop);
  logged = '';
  configureLog({
    level: 'info',
    format: 'text',
    write: (text, taken) => {
      logged += text;
      taken();
    },
  });
  const happen = async (...kinds: string[]): Promise<void> => {
    for (const kind of kinds) opened.store.event(kind);
    await flush(opened.store);
    await settle();
  };

  return { ...opened, receiver, clock, stop, happen };
}

/** Lines of the log about webhooks. */
async function log(): Promise<string[]> {
  await flushLog();

  return logged.split('\n').flatMap((line) => /webhook\..*/.exec(line)?.[0] ?? []);
}

afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  configureLog({ level: 'error', format: 'text', write: (_, taken) => taken() });
});

describe('a webhook', () => {
  test('is told of events in order, each once, by POST', async () => {
    const { receiver, happen, store } = start();
    await happen('a.b', 'a.c');
    await happen('a.d');
    expect(receiver.ids).toEqual([[1, 2], [3]]);
    const [{ url, init } = { url: '', init: {} as RequestInit }] = receiver.seen;
    expect([url, init.method, init.redirect]).toEqual([URL_A, 'POST', 'manual']);
    expect(JSON.parse(String(init.body)).events[0]).toEqual({
      id: 1,
      at: expect.any(Number),
      kind: 'a.b',
      node_id: null,
      call_id: null,
      detail: {},
    });
    await flush(store);
    expect(store.events.webhooks([URL_A]).get(URL_A)).toBe(3);
  });

  test('is told only of the kinds it is meant for', async () => {
    const { receiver, happen } = start({ kinds: ['node.*', 'set.changed'] });
    await happen('node.added', 'call.lost', 'set.changed', 'set.removed', 'node.removed');
    expect(receiver.ids).toEqual([[1, 3, 5]]);
  });

  test('gets at most 100 events at once', async () => {
    const { receiver, happen } = start();
    await happen(...Array.from({ length: 250 }, () => 'a.b'));
    await settle();
    expect(receiver.ids.map((ids) => ids.length)).toEqual([100, 100, 50]);
    expect(receiver.ids.flat()).toEqual(Array.from({ length: 250 }, (_, index) => index + 1));
  });

  test('gets a signature over the very bytes of the body, if there is a secret', async () => {
    const { receiver, happen } = start({ secret: 'not to be told' });
    await happen('a.b');
    const { headers, body } = receiver.seen[0]?.init ?? {};
    const mac = createHmac('sha256', 'not to be told').update(String(body)).digest('hex');
    expect(headers).toMatchObject({ 'X-Rtp-Cluster-Signature': `sha256=${mac}` });
    expect(String(body)).not.toContain('not to be told');
  });

  test('has no signature without a secret', async () => {
    const { receiver, happen } = start();
    await happen('a.b');
    expect(JSON.stringify(receiver.seen[0]?.init.headers)).not.toContain('Signature');
  });

  test('is not kept from its events by another that fails', async () => {
    const { receiver, happen } = start({ urls: [URL_A, 'https://b.example/'] });
    receiver.answers = [500];
    await happen('a.b');
    await happen('a.c');
    expect(receiver.seen.filter(({ url }) => url === URL_A)).toHaveLength(1);
    expect(receiver.seen.filter(({ url }) => url !== URL_A).map(({ ids }) => ids)).toEqual([[1], [2]]);
  });
});

describe('a webhook that fails', () => {
  const timeOut = Object.assign(new Error('slow'), { name: 'TimeoutError' });
  const refused = Object.assign(new Error('Unable to connect'), { code: 'ConnectionRefused' });

  test.each<[string, Answer]>([
    ['"status 500"', 500],
    ['"status 429"', 429],
    ['"status 404"', 404],
    ['"status 302; redirects are not followed"', 302],
    ['"no answer within 5000 ms"', timeOut],
    ['ConnectionRefused', refused],
  ])(
    'with %s is tried again with the same events first, and the log says why once',
    async (cause, answer) => {
      const { receiver, happen, clock } = start();
      receiver.answers = [answer, answer, answer];
      await happen('a.b');
      await happen('a.c');
      expect(receiver.ids).toEqual([[1]]);
      await clock.advance(20_000);
      expect(receiver.ids).toEqual([[1], [1, 2], [1, 2], [1, 2]]);
      const [first, second, ...others] = await log();
      expect(first).toBe(`webhook.failing webhook=a.example cause=${cause}`);
      expect(second).toStartWith('webhook.recovered webhook=a.example failures=3 after_ms=');
      expect(others).toEqual([]);
      await happen('a.d');
      expect(receiver.ids.at(-1)).toEqual([3]);
    },
  );

  test.each([
    [0, 0.8],
    [0.5, 1],
    [1, 1.2],
  ])(
    'is tried after 1, 2, 4 s and so on up to 5 min; chance %d makes that %d of it; new events change nothing',
    async (chance, part) => {
      const random = spyOn(Math, 'random').mockReturnValue(chance);
      const { receiver, happen, clock } = start();
      receiver.usual = 503;
      await happen('a.b');
      for (const seconds of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]) {
        const tries = receiver.seen.length;
        await happen('a.c');
        await clock.advance(seconds * 1000 * part - 1);
        expect(receiver.seen).toHaveLength(tries);
        await clock.advance(1);
        expect(receiver.seen).toHaveLength(tries + 1);
      }
      random.mockRestore();
    },
  );

  test('never makes an event of it', async () => {
    const { receiver, happen, clock, store } = start();
    receiver.usual = 500;
    await happen('a.b');
    await clock.advance(60_000);
    await flush(store);
    expect(store.events.list(10, null).map(({ kind }) => kind)).toEqual(['a.b']);
  });

  test('loses what retention removes meanwhile, and the log counts it', async () => {
    const { receiver, happen, clock, store } = start();
    receiver.answers = [500];
    await happen(...Array.from({ length: 30 }, () => 'a.b'));
    store.prune({ ...ALL, maxEvents: 5 });
    await clock.advance(2000);
    expect(receiver.ids.at(-1)).toEqual([26, 27, 28, 29, 30]);
    const lines = await log();
    expect(lines.filter((line) => line.startsWith('webhook.events_pruned'))).toHaveLength(1);
    expect(lines.at(-1)).toEndWith('events_pruned=25');
  });

  test('goes on with the next event when all it missed is gone', async () => {
    const { receiver, happen, clock, open } = start();
    receiver.answers = [500];
    await happen('a.b', 'a.c');
    open.database.run('DELETE FROM event');
    await clock.advance(2000);
    expect(receiver.seen).toHaveLength(1);
    await happen('a.d');
    expect(receiver.ids.at(-1)).toEqual([3]);
  });

  test('to read the events tries again as if the receiver had failed, and misses none; the log says why once', async () => {
    const { receiver, happen, clock, open, store } = start();
    const after = spyOn(store.events, 'after').mockImplementation(() => unreadable(open));
    await happen('a.b');
    for (let i = 0; i < 3; i++) {
      await clock.advance(10_000);
      await happen('a.c');
    }
    expect(receiver.ids).toEqual([]);
    const tries = after.mock.calls.length;
    expect(tries).toBeWithin(3, 8);
    after.mockRestore();
    await clock.advance(60_000);
    expect(receiver.ids).toEqual([[1, 2, 3, 4]]);
    await happen('a.d');
    expect(receiver.ids.at(-1)).toEqual([5]);
    const [first, ...others] = await log();
    expect(first).toStartWith('webhook.failing webhook=a.example cause="the events cannot be read: ');
    expect(others).toEqual([expect.stringMatching(/^webhook.recovered /)]);
  });

  test('to read the events ends when it is told to', async () => {
    const { happen, open, store, stop } = start();
    spyOn(store.events, 'after').mockImplementation(() => unreadable(open));
    await happen('a.b');
    let isOver = false;
    const stopped = stop().then(() => {
      isOver = true;
    });
    await settle();
    expect(isOver).toBe(true);
    await stopped;
  });

  test('that does not answer is let go at the end, and told again after the next start', async () => {
    const opened = openStore(new FakeClock());
    const { receiver, happen, stop } = start({}, opened);
    receiver.usual = 'never';
    await happen('a.b');
    await stop();
    const next = start({}, opened);
    await settle();
    expect(next.receiver.ids).toEqual([[1]]);
  });
});

describe('after a restart', () => {
  test('a webhook goes on where it was', async () => {
    const opened = openStore(new FakeClock());
    const first = start({ kinds: ['a.*'] }, opened);
    await first.happen('a.b', 'x.y');
    await first.stop();
    await first.happen('a.c', 'x.y', 'a.d');
    const second = start({ kinds: ['a.*'] }, opened);
    await settle();
    expect([first.receiver.ids, second.receiver.ids]).toEqual([[[1]], [[3, 5]]]);
  });

  test('a new URL begins with the next event, one that was taken out meanwhile too', async () => {
    const opened = openStore(new FakeClock());
    const first = start({}, opened);
    await first.happen('a.b');
    await first.stop();
    await flush(opened.store);
    await start({ urls: [] }, opened).stop();
    await first.happen('a.c');
    const third = start({}, opened);
    await third.happen('a.d');
    expect(third.receiver.ids).toEqual([[3]]);
  });

  test('a new URL that never got an event is known', async () => {
    const opened = openStore(new FakeClock());
    const first = start({}, opened);
    await first.stop();
    await first.happen('a.b');
    const second = start({}, opened);
    await settle();
    expect(second.receiver.ids).toEqual([[1]]);
  });

  test('events of no interest are not counted as pruned', async () => {
    const opened = openStore(new FakeClock());
    const first = start({ kinds: ['a.*'] }, opened);
    await first.happen(...Array.from({ length: 150 }, () => 'x.y'));
    await first.stop();
    await flush(opened.store);
    expect(opened.store.events.webhooks([URL_A]).get(URL_A)).toBe(150);
    expect(first.receiver.seen).toEqual([]);
  });
});

test('a real receiver gets them by HTTP, and one that is slow is given up', async () => {
  const bodies: string[] = [];
  let isSlow = true;
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const body = await request.text();
      if (isSlow) return new Promise<Response>(() => undefined);
      bodies.push(`${request.headers.get('content-type')} ${body}`);

      return new Response('thank you');
    },
  });
  const { store } = openStore(new FakeClock());
  const clock = new FakeClock();
  const settings = { ...SETTINGS, urls: [`http://127.0.0.1:${server.port}/`], timeoutMs: 100 };
  const { stop } = startWebhooks(store, clock, settings, store.events.webhooks(settings.urls));
  stops.push(stop);
  store.event('a.b');
  await flush(store);
  const until = async (isDone: () => boolean): Promise<void> => {
    while (!isDone()) await Bun.sleep(5);
  };
  // Its timer for the next try is the sign that it has given up this one.
  await until(() => clock.timers === 1);
  isSlow = false;
  await clock.advance(1200);
  await until(() => bodies.length === 1);
  expect(bodies[0]).toStartWith('application/json {"events":[{"id":1,');
  await stop();
  await server.stop(true);
});
