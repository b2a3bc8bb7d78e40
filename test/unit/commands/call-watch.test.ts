/** `call watch`: one call until it ends, and all calls as they come and go. */

import { afterEach, describe, expect, test } from 'bun:test';
import { join } from 'node:path';
import { run } from '../../../src/commands/call.ts';
import { testIo } from './stub.ts';

const AT = 1_795_435_200_000;
const OFFER = {
  at: AT,
  operation: 'offer',
  message: 'INVITE',
  door: 'ng',
  took_ms: 1.5,
  result: 'ok',
  node_id: 3,
  sides: 'inner>outer',
};
const BYE = { ...OFFER, at: AT + 9000, operation: 'delete', message: 'BYE', sides: null, door: 'http' };
const CALL = {
  call_id: 'c1',
  set_id: 0,
  direction: 'out',
  state: 'early',
  node_id: 3,
  end_reason: null,
  legs: [{}],
  created_at: AT,
};
const ENDED = { ...CALL, state: 'ended', end_reason: 'bye' };
const STREAM = {
  tag: 'A',
  side: 'inner',
  media: 'audio',
  index: 0,
  rtcp: false,
  codec: 'PCMA',
  packets: 100,
};
const RTCP = { ...STREAM, rtcp: true, packets: 7 };
const ONE_WAY = {
  code: 'one-way',
  level: 'problem',
  tag: 'B',
  side: 'outer',
  index: 0,
  text: 'nothing comes from the outer side \u001b[2J',
};

let server: ReturnType<typeof Bun.serve> | undefined;

afterEach(async () => {
  await server?.stop(true);
  server = undefined;
});

/** An answer that is an error. */
class Refused {
  constructor(
    readonly message: string,
    readonly code = 'RTPC_RELAY_SILENT',
  ) {}
}

type Answers = Readonly<Record<string, readonly unknown[]>>;

/** Answers each path with its answers, one after the other, the last one for ever. */
function serve(answers: Answers): string {
  const asked = new Map<string, number>();
  server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request) {
      const { pathname, search } = new URL(request.url);
      const path = pathname + search;
      const list = answers[path] ?? [];
      const count = asked.get(path) ?? 0;
      asked.set(path, count + 1);
      const answer = list[Math.min(count, list.length - 1)];
      if (answer instanceof Refused)
        return Response.json({ code: answer.code, message: answer.message }, { status: 504 });

      return answer === undefined
        ? Response.json({ code: 'RTPC_NOT_FOUND', message: `nothing at ${path}` }, { status: 404 })
        : Response.json(answer);
    },
  });

  return `http://127.0.0.1:${server.port}`;
}

async function watch(answers: Answers, ...argv: string[]) {
  const io = testIo({ RTP_CLUSTER_URL: serve(answers) });
  const code = await run(['watch', ...argv, '--interval', '1s'], io);

  return { code, out: io.outLines, err: io.errLines.join('\n') };
}

const EXPLAINED = [
  { call_id: 'c1', call: CALL, steps: [OFFER] },
  { call_id: 'c1', call: { ...CALL, state: 'confirmed' }, steps: [OFFER] },
  { call_id: 'c1', call: ENDED, steps: [OFFER, BYE] },
];
const STATISTICS = [
  { at: AT, streams: [STREAM, RTCP], findings: [ONE_WAY] },
  { at: AT + 2000, streams: [{ ...STREAM, packets: 200, mos: 4.3, loss_percent: 0 }, RTCP], findings: [] },
];

describe('call watch CALL-ID', () => {
  const answers = { '/v1/explain/c1': EXPLAINED, '/v1/statistics/c1': STATISTICS };

  test('prints a line for each change where there is no terminal, and ends with the call', async () => {
    const { code, out, err } = await watch(answers, 'c1');
    expect([code, err]).toEqual([0, '']);
    expect(out.map((line) => line.replace(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?Z {2}/, ''))).toEqual([
      'INVITE (offer)  ng  inner>outer  node 3  ok  1.5 ms',
      'call c1  set 0  out  early  node 3',
      'from inner audio  100 packets',
      'one-way: nothing comes from the outer side ?[2J',
      'call c1  set 0  out  confirmed  node 3',
      'from inner audio  200 packets, 50/s, loss 0 %, MOS 4.3',
      'no longer one-way',
      'BYE (delete)  node 3  ok  1.5 ms',
      'call c1  set 0  out  ended (bye)  node 3',
    ]);
  });

  test('--json prints one object a line', async () => {
    const { code, out } = await watch(answers, 'c1', '--json');
    expect(code).toBe(0);
    expect(out.map((line) => JSON.parse(line))).toEqual(
      [
        { event: 'step', step: OFFER },
        { event: 'call', call: CALL },
        { event: 'statistics', statistics: STATISTICS[0] },
        { event: 'call', call: { ...CALL, state: 'confirmed' } },
        { event: 'statistics', statistics: STATISTICS[1] },
        { event: 'step', step: BYE },
        { event: 'call', call: ENDED },
        { event: 'statistics', statistics: STATISTICS[1] },
      ].map((object) => ({ at: expect.any(Number), ...object })),
    );
  });

  test('tells what could not be had, once, and goes on', async () => {
    const refused = new Refused('node 3 is silent');
    const { code, out } = await watch(
      {
        '/v1/explain/c1': [EXPLAINED[0], refused, refused, EXPLAINED[2]],
        '/v1/statistics/c1': [refused],
      },
      'c1',
    );
    expect(code).toBe(0);
    expect(out.filter((line) => line.includes('node 3 is silent'))).toHaveLength(1);
    expect(out.at(-1)).toContain('ended (bye)');
  });

  test('of an older service says what it does not tell', async () => {
    const { out } = await watch({ '/v1/explain/c1': [EXPLAINED[0], EXPLAINED[2]] }, 'c1');
    expect(out.filter((line) => line.includes('the service is older than this command'))).toHaveLength(1);
  });

  test('names a party that is not known yet', async () => {
    const unknown = { ...STREAM, tag: '', side: null, media: null };
    const statistics = { at: AT, streams: [unknown], findings: [] };
    const { out } = await watch(
      { '/v1/explain/c1': [EXPLAINED[0], EXPLAINED[2]], '/v1/statistics/c1': [statistics] },
      'c1',
    );
    expect(out.join('\n')).toContain('from a party not known yet  100 packets');
  });

  test('that the call ended between two questions is no trouble', async () => {
    const unknown = new Refused('c1 has ended', 'RTPC_CALL_UNKNOWN');
    const { code, out } = await watch(
      { '/v1/explain/c1': [EXPLAINED[0], EXPLAINED[2]], '/v1/statistics/c1': [unknown] },
      'c1',
    );
    expect([code, out.filter((line) => line.includes('c1 has ended'))]).toEqual([0, []]);
  });

  test('of a call that is over, and of one no node took, says so and ends', async () => {
    const over = await watch({ '/v1/explain/c1': [EXPLAINED[2]] }, 'c1');
    expect([over.code, over.out.length]).toEqual([0, 3]);
    const none = await watch({ '/v1/explain/c1': [{ call_id: 'c1', call: null, steps: [] }] }, 'c1');
    expect(none.code).toBe(0);
    expect(none.out[0]).toEndWith('call c1: no node took it');
  });

  test('of a call nobody knows fails in the words of the service', async () => {
    const { code, err } = await watch({}, 'c2');
    expect([code, err]).toEqual([1, expect.stringContaining('nothing at /v1/explain/c2')]);
  });

  test('takes no filters', async () => {
    const { code, err } = await watch({}, 'c1', '--node', '3');
    expect([code, err]).toEqual([2, expect.stringContaining('do not go with a CALL-ID')]);
  });
});

const MAIN = join(import.meta.dir, '../../../src/main.ts');

/** Runs the program in a terminal until what it drew last holds `until`; then it gets `keys`. */
async function inTerminal(
  url: string,
  argv: readonly string[],
  until: string,
  keys: string,
  env: Record<string, string> = {},
) {
  let text = '';
  let wake: () => void = () => undefined;
  const child = Bun.spawn([process.execPath, MAIN, ...argv], {
    env: {
      PATH: process.env.PATH,
      TERM: 'xterm',
      RTP_CLUSTER_URL: url,
      RTP_CLUSTER_CONFIG: '/dev/null',
      ...env,
    },
    terminal: {
      cols: 100,
      rows: 20,
      data(_terminal, bytes) {
        text += Buffer.from(bytes).toString('utf8');
        wake();
      },
    },
  });
  const deadline = Date.now() + 10_000;
  while (!text.includes(until) && Date.now() < deadline) {
    await Promise.race([new Promise<void>((resolve) => (wake = resolve)), Bun.sleep(200)]);
  }
  const drawn = text;
  child.terminal?.write(keys);
  const code = await child.exited;
  child.terminal?.close();

  return { code, drawn, text };
}

describe('call watch in a terminal', () => {
  test('draws a screen of the call with its streams and what is wrong, and leaves the terminal as it was', async () => {
    const url = serve({
      '/v1/explain/c1': EXPLAINED.slice(0, 1),
      '/v1/statistics/c1': STATISTICS.slice(0, 1),
    });
    const { code, drawn, text } = await inTerminal(url, ['call', 'watch', 'c1'], 'INVITE', 'q');
    expect(code).toBe(130);
    expect(drawn).toContain('\u001b[?1049h');
    expect(drawn).toContain('\u001b[31mone-way\u001b[0m: nothing comes from the outer side');
    expect(Bun.stripANSI(drawn)).toContain('PACKETS');
    expect(text).toContain('\u001b[?25h\u001b[?1049l');
  });

  test('ends with the call, and its last words stay', async () => {
    const url = serve({ '/v1/explain/c1': EXPLAINED, '/v1/statistics/c1': STATISTICS });
    const { code, text } = await inTerminal(
      url,
      ['call', 'watch', 'c1', '--interval', '1s'],
      '\u001b[?1049l',
      '',
    );
    expect(code).toBe(0);
    expect(Bun.stripANSI(text.split('\u001b[?1049l')[1] ?? '')).toContain('ended (bye)');
  });

  test('without a Call-ID shows the live calls; Ctrl-C ends it with 0', async () => {
    const url = serve({
      '/v1/calls?node=3&state=live&order=newest&limit=1000': [{ calls: [CALL], next: null }],
    });
    const { code, drawn } = await inTerminal(url, ['call', 'watch', '--node', '3'], 'CALL-ID', '\u0003');
    expect(code).toBe(0);
    expect(Bun.stripANSI(drawn)).toContain('live calls 1   in the last 10 s: new 0, ended 0');
  });
});

test('top draws the nodes with colours, and none with NO_COLOR; q ends it with 0', async () => {
  const node = { id: 3, socket: 'udp:10.0.0.3:22', health: { state: 'down' }, order: { state: 'ready' } };
  const url = serve({ '/v1/nodes': [{ nodes: [node], calls_begun: 0 }] });
  const coloured = await inTerminal(url, ['top'], 'udp:10.0.0.3', 'q');
  expect([coloured.code, coloured.drawn.includes('\u001b[31mdown\u001b[0m')]).toEqual([0, true]);
  const plain = await inTerminal(url, ['top'], 'udp:10.0.0.3', 'q', { NO_COLOR: '1' });
  expect(plain.drawn).toContain('udp:10.0.0.3');
  expect(plain.drawn).not.toContain('\u001b[31m');
});

test('a dumb terminal gets lines, and top once', async () => {
  const url = serve({ '/v1/nodes': [{ nodes: [], calls_begun: 0 }] });
  const { code, text } = await inTerminal(url, ['top'], 'new calls', '', { TERM: 'dumb' });
  expect([code, text.includes('\u001b'), text.includes('nodes up 0/0')]).toEqual([0, false, true]);
});

describe('call watch without a Call-ID', () => {
  const CONFIRMED = { ...CALL, state: 'confirmed' };
  const OTHER = { ...CALL, call_id: 'c2' };
  const OLD = { ...ENDED, call_id: 'c0' };
  /** Came and went between two looks. */
  const SHORT = { ...ENDED, call_id: 'c9', end_reason: 'cancel' };
  const answers = {
    '/v1/calls?search=edge&state=live&order=newest&limit=1000': [
      { calls: [CALL], next: null },
      { calls: [CONFIRMED, OTHER], next: null },
      { calls: [OTHER], next: null },
    ],
    '/v1/calls?search=edge&state=ended&order=newest&limit=100': [
      { calls: [OLD], next: null },
      { calls: [OLD], next: null },
      { calls: [ENDED, SHORT, OLD], next: null },
    ],
  };

  /** What it prints until a call has ended; SIGTERM ends it then, with 0. */
  async function printed(...flags: string[]): Promise<string[]> {
    const argv = ['call', 'watch', '--search', 'edge', '--interval', '1s', '--url', serve(answers)];
    const child = Bun.spawn([process.execPath, MAIN, ...argv, ...flags], {
      env: { PATH: process.env.PATH, RTP_CLUSTER_CONFIG: '/dev/null' },
      stdout: 'pipe',
      stderr: 'pipe',
    });
    let text = '';
    for await (const bytes of child.stdout) {
      text += Buffer.from(bytes).toString('utf8');
      if (text.includes('bye')) child.kill('SIGTERM');
    }
    expect(await child.exited).toBe(0);

    return text.trimEnd().split('\n');
  }

  test('tells calls that are there, come, change and end, with filters', async () => {
    const lines = await printed();
    expect(lines.map((line) => line.slice('2026-11-23 12:00:00Z  '.length))).toEqual([
      'live     early  node 3  set 0  out  c1',
      'changed  confirmed  node 3  set 0  out  c1',
      'new      early  node 3  set 0  out  c2',
      'ended    ended (cancel)  node 3  set 0  out  c9',
      'ended    ended (bye)  node 3  set 0  out  c1',
    ]);
  });

  test('does not take calls for ended that are only out of sight', async () => {
    const at = (call_id: string, created_at: number) => ({ ...CALL, call_id, created_at });
    const io = testIo({
      RTP_CLUSTER_URL: serve({
        '/v1/calls?state=live&order=newest&limit=1000': [
          { calls: [at('c3', 3), at('c2', 2), at('c1', 1)], next: 'x' },
          { calls: [at('c4', 4), at('c2', 2)], next: 'x' },
          new Refused('gone'),
        ],
        '/v1/calls?state=ended&order=newest&limit=100': [{ calls: [], next: null }],
      }),
    });
    const ended = new Promise<void>((resolve) => {
      const { out } = io;
      io.out = (line) => {
        out(line);
        if (line.includes('gone')) resolve();
      };
    });
    const watching = run(['watch', '--interval', '1s'], io);
    await ended;
    process.emit('SIGTERM');
    expect(await watching).toBe(0);
    expect(io.outLines.slice(3, -1).map((line) => line.replace(/^\S+ \S+ +/, ''))).toEqual([
      'new      early  node 3  set 0  out  c4',
      'ended    ended  node 3  set 0  out  c3',
    ]);
  });

  test('--json prints one object a line', async () => {
    const lines = await printed('--json');
    expect(lines.map((line) => JSON.parse(line))).toEqual(
      [
        { event: 'live', call: CALL },
        { event: 'changed', call: CONFIRMED },
        { event: 'new', call: OTHER },
        { event: 'ended', call: SHORT },
        { event: 'ended', call: ENDED },
      ].map((object) => ({ at: expect.any(Number), ...object })),
    );
  });
});
