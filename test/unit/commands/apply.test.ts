import { afterEach, beforeEach, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as apply from '../../../src/commands/apply.ts';
import * as exported from '../../../src/commands/export.ts';
import { type Stub, startStub, testIo } from './stub.ts';

let folder = '';
let stub: Stub | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rtpc-'));
});

afterEach(async () => {
  await stub?.stop();
  stub = undefined;
  rmSync(folder, { recursive: true });
});

async function runApply(
  text: string,
  ...flags: string[]
): Promise<{ code: number; out: string[]; err: string }> {
  const file = join(folder, 'fleet.toml');
  writeFileSync(file, text);
  const io = testIo({ RTP_CLUSTER_URL: stub?.url ?? 'http://127.0.0.1:1' });
  const code = await apply.run([file, ...flags], io);

  return { code, out: io.outLines, err: io.errLines.join('\n').replaceAll(folder, '') };
}

const TEXT =
  '[[set]]\nid = 0\n\n[[node]]\nid = 1\nsocket = "udp:192.168.2.3:7890"\n\n[[node]]\nsocket = "x"\n';
const NONE = { changes: [], errors: [], unmanaged: 0 };

describe('apply', () => {
  test('sends the whole file and shows what changed', async () => {
    stub = startStub({
      'POST /v1/fleet': {
        changes: [
          {
            what: 'set',
            id: 0,
            socket: null,
            change: 'change',
            fields: { policy: { from: 'hash', to: 'least-load' } },
          },
          { what: 'node', id: 2, socket: 'udp:192.168.2.4:7890', change: 'add', fields: {} },
          {
            what: 'node',
            id: 1,
            socket: 'udp:192.168.2.3:7890',
            change: 'change',
            fields: {
              weight: { from: 100, to: 50 },
              capacity: { from: null, to: 10 },
              tags: { from: ['a', 'b'], to: [] },
              media_addresses: {
                from: [{ side: 'inner', address: '10.0.0.1', interface: 'p' }],
                to: [{ side: 'inner', address: '10.0.0.2', interface: null }],
              },
            },
          },
          { what: 'node', id: 3, socket: 'udp:192.168.2.5:7890', change: 'remove', fields: {}, calls: 12 },
          { what: 'node', id: 4, socket: 'udp:192.168.2.6:7890', change: 'none', fields: {} },
        ],
        errors: [],
        unmanaged: 1,
      },
    });
    const { code, out } = await runApply(TEXT);
    expect(code).toBe(0);
    expect(stub.seen[0]?.body).toEqual({
      sets: [{ id: 0 }],
      nodes: [{ id: 1, socket: 'udp:192.168.2.3:7890' }, { socket: 'x' }],
    });
    expect(out).toEqual([
      '~ set 0 policy hash -> least-load',
      '+ node 2 udp:192.168.2.4:7890',
      '~ node 1 weight 100 -> 50, capacity none -> 10, tags a,b -> none, media_addresses inner=10.0.0.1@p -> inner=10.0.0.2',
      '- node 3 udp:192.168.2.5:7890 (12 calls go on)',
      '= 1 unchanged',
      '1 node is not in the file and left alone; --prune would remove it',
    ]);
  });

  test('a dry run asks for one and says that nothing was changed; --prune goes with it', async () => {
    stub = startStub({
      'POST /v1/fleet?dry_run=true&prune=true': NONE,
      'POST /v1/fleet?prune=true': NONE,
    });
    expect(await runApply(TEXT, '--dry-run', '--prune')).toEqual({
      code: 0,
      out: ['the fleet is as the file says', 'dry run: nothing was changed'],
      err: '',
    });
    expect((await runApply(TEXT, '--prune')).out).toEqual(['the fleet is as the file says']);
  });

  test('--json prints the answer as it is', async () => {
    stub = startStub({ 'POST /v1/fleet?dry_run=true': NONE });
    expect((await runApply(TEXT, '--dry-run', '--json')).out).toEqual([JSON.stringify(NONE)]);
  });

  test('what is wrong is shown with its line, and the exit code is 1', async () => {
    const errors = [
      { what: 'node', index: 1, key: null, message: 'socket is "x"' },
      { what: 'node', index: 0, key: 'id', message: 'no\u001b[2J' },
    ];
    const body = { code: 'RTPC_BAD_PARAMETER', message: '2 of 3 are wrong; nothing was changed', errors };
    stub = startStub({ 'POST /v1/fleet': Response.json(body, { status: 400 }) });
    expect(await runApply(TEXT)).toEqual({
      code: 1,
      out: [],
      err: [
        '/fleet.toml:8: socket is "x"',
        '/fleet.toml:5: no?[2J',
        'rtp-cluster apply: 2 of 3 are wrong; nothing was changed (RTPC_BAD_PARAMETER)',
      ].join('\n'),
    });
  });

  test('a value of the wrong type is shown with its line', async () => {
    const body = { code: 'RTPC_BAD_PARAMETER', message: 'nodes.0.id: expected a number' };
    stub = startStub({ 'POST /v1/fleet': Response.json(body, { status: 400 }) });
    expect((await runApply(TEXT)).err).toContain('/fleet.toml:5: nodes.0.id: expected a number');
  });

  test('a file that cannot be read, or is too large, is refused and nothing is sent', async () => {
    stub = startStub({});
    expect(await runApply('[[node]]\nsocket = \n')).toMatchObject({ code: 1, out: [] });
    expect((await runApply('x = 1')).err).toBe(
      'rtp-cluster apply: /fleet.toml:1: there is no "x" in a fleet; allowed are [[set]] and [[node]]',
    );
    expect(
      (await runApply(`${'[[node]]\nsocket = "udp:192.168.200.200:7890"\n'.repeat(30_000)}`)).err,
    ).toMatch(/makes a request of \d+ bytes; the service takes 1048576/);
    expect((await runApply(`# ${'x'.repeat(5 * 1024 * 1024)}`)).err).toContain('has more than 4194304 bytes');
    const io = testIo();
    expect(await apply.run([folder], io)).toBe(1);
    expect(io.errLines[0]).toContain('is a directory');
    expect(await apply.run([join(folder, 'none')], io)).toBe(1);
    expect(io.errLines[1]).toContain('cannot read');
    expect(stub.seen).toEqual([]);
  });
});

describe('export', () => {
  test('writes a file that apply sends as it was', async () => {
    const node = { id: 1, socket: 'udp:192.168.2.3:7890', weight: 5, capacity: null, media_addresses: [] };
    stub = startStub({ 'GET /v1/fleet': { sets: [{ id: 0 }], nodes: [node] }, 'POST /v1/fleet': NONE });
    const io = testIo({ RTP_CLUSTER_URL: stub.url });
    expect(await exported.run([], io)).toBe(0);
    await runApply(io.outLines.join('\n'));
    expect(stub.seen[1]?.body).toEqual({
      sets: [{ id: 0 }],
      nodes: [{ id: 1, socket: 'udp:192.168.2.3:7890', weight: 5 }],
    });
  });

  test('--json prints the document of the API', async () => {
    stub = startStub({ 'GET /v1/fleet': { sets: [], nodes: [] } });
    const io = testIo({ RTP_CLUSTER_URL: stub.url });
    expect(await exported.run(['--json'], io)).toBe(0);
    expect(io.outLines).toEqual(['{"sets":[],"nodes":[]}']);
  });
});
