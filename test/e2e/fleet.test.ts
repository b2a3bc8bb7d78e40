/** The fleet as a file, and the databases of proxies, by the commands a person types. */

import { Database } from 'bun:sqlite';
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Appliance, commandLine, ensureBinary, startAppliance } from '../lab/appliance.ts';
import { addNodes, eventKinds, names, offer, place } from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { sweep } from '../lab/processes.ts';

const TIMEOUT_MS = 60_000;
let binary = '';
let folder = '';

beforeAll(async () => {
  binary = await ensureBinary();
  folder = mkdtempSync(join(tmpdir(), 'rtpc-fleet-'));
});
afterAll(() => {
  sweep();
  rmSync(folder, { recursive: true });
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command against the appliance; `input` is its standard input. */
async function run(appliance: Appliance, argv: readonly string[], input = ''): Promise<Ended> {
  const child = Bun.spawn([...commandLine(binary), ...argv], {
    env: { PATH: process.env.PATH ?? '', RTP_CLUSTER_URL: appliance.url },
    stdin: new Blob([input]),
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, out, err] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);

  return { code, out, err };
}

function file(name: string, text: string): string {
  writeFileSync(join(folder, name), text);

  return join(folder, name);
}

const FLEET = `
[[set]]
id = 0
description = "main \\"é\\""
policy = "least-load"
load_by = "ports"
port_reserve = 7
media_probe = true
direction = "out"

[[set]]
id = 9

[[node]]
id = 4
socket = "udp:127.0.0.1:7894"
inner_media_ip = "10.0.0.4"
out_media_ip = "198.51.100.4"
tags = ["gold", "eu"]
capacity = 100
http_port = 9900
priority = 1

[[node]]
socket = "udp6:[2001:db8::5]:7890"
set_id = 2
impose_mode = "interface"
media_addresses = [
  { side = "inner", address = "2001:db8::5", interface = "priv" },
  { side = "outer", address = "198.51.100.5", interface = "pub" },
]
`;

describe('the fleet as a file', () => {
  test(
    'is applied, exported, and as it is exported it changes nothing, after a restart too',
    async () => {
      let appliance = await startAppliance({ binary });
      const path = file('fleet.toml', FLEET);
      const dry = await run(appliance, ['apply', path, '--dry-run']);
      expect(dry).toEqual({
        code: 0,
        err: '',
        out: '+ set 0\n+ set 9\n+ node 4 udp:127.0.0.1:7894\n+ node 5 udp6:[2001:db8::5]:7890\ndry run: nothing was changed\n',
      });
      expect(await appliance.api('GET', '/v1/fleet')).toEqual({ sets: [], nodes: [] });
      expect((await run(appliance, ['apply', path])).code).toBe(0);
      expect(await appliance.stop()).toBe(0);
      appliance = await startAppliance({ binary, database: appliance.database });
      const exported = await run(appliance, ['export']);
      expect(exported.code).toBe(0);
      expect(await run(appliance, ['apply', '-', '--dry-run', '--prune'], exported.out)).toEqual({
        code: 0,
        err: '',
        out: '= 5 unchanged\nthe fleet is as the file says\ndry run: nothing was changed\n',
      });
      const weaker = exported.out.replace('weight = 100', 'weight = 50');
      expect((await run(appliance, ['apply', '-'], weaker)).out).toBe(
        '~ node 4 weight 100 -> 50\n= 4 unchanged\n',
      );
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'with --prune removes what it does not name; calls there go on',
    async () => {
      const [first, second] = [await startRelay(), await startRelay()];
      const appliance = await startAppliance({ binary });
      await addNodes(appliance, [first]);
      const callIds = names(3, 'pruned');
      await place(appliance.url, callIds);
      const path = file(
        'second.toml',
        `[[node]]\nid = 2\nsocket = "${second.socket}"\ninner_media_ip = "10.9.0.2"\nout_media_ip = "198.51.100.2"\n`,
      );
      const left = await run(appliance, ['apply', path, '--dry-run']);
      expect(left.out).toContain('1 node is not in the file and left alone; --prune would remove it\n');
      const pruned = await run(appliance, ['apply', path, '--prune']);
      expect(pruned).toMatchObject({ code: 0, err: '' });
      expect(pruned.out).toBe(`+ node 2 ${second.socket}\n- node 1 ${first.socket} (3 calls go on)\n`);
      // A further offer of a running call goes to its old node, a new call to the new one.
      expect((await offer(appliance.url, callIds[0] ?? '')).body.node).toBe(1);
      expect(await place(appliance.url, ['new@fails'])).toEqual(new Map([['new@fails', 2]]));
      expect((await eventKinds(appliance)).filter((kind) => kind.startsWith('node.')).sort()).toEqual(
        expect.arrayContaining(['node.added', 'node.removed']),
      );
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'that is wrong changes nothing; each fault is shown with its line',
    async () => {
      const appliance = await startAppliance({ binary });
      const text = `${FLEET}\n[[node]]\nsocket = "udp:relay:1"\nwieght = 5\n`;
      const { code, out, err } = await run(appliance, ['apply', file('wrong.toml', text)]);
      expect([code, out]).toEqual([1, '']);
      const line = text.split('\n').indexOf('wieght = 5') + 1;
      expect(err).toContain(`wrong.toml:${line}: there is no key "wieght" in a node; did you mean weight?\n`);
      expect(err).toContain(`wrong.toml:${line - 2}: socket is "udp:relay:1"`);
      expect(err).toContain('nothing was changed');
      const typed = await run(
        appliance,
        ['apply', '-'],
        '[[node]]\nsocket = "udp:10.0.0.1:1"\nweight = "much"\n',
      );
      expect([typed.code, typed.err.includes('-:3: nodes.0.weight')]).toEqual([1, true]);
      const empty = await run(appliance, ['apply', '-', '--prune'], '');
      expect(empty.code).toBe(0);
      await run(appliance, ['apply', file('fleet.toml', FLEET)]);
      const all = await run(appliance, ['apply', '-', '--prune'], '# nothing\n');
      expect([all.code, all.err.includes('pruning would remove all 2')]).toEqual([1, true]);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('databases of proxies', () => {
  test(
    'are imported with media addresses, and again without, when the nodes exist',
    async () => {
      const appliance = await startAppliance({ binary });
      const path = join(folder, 'opensips.db');
      const database = new Database(path);
      database.run('CREATE TABLE rtpengine (id INTEGER PRIMARY KEY, socket TEXT, set_id INTEGER)');
      database.run(
        "INSERT INTO rtpengine VALUES (1, 'udp:127.0.0.1:7891=2', 0), (2, 'udp:127.0.0.2:7892', 1)",
      );
      database.close();
      const bare = await run(appliance, ['import', path]);
      expect([bare.code, bare.err.includes('--inner-from-socket')]).toEqual([1, true]);
      const addresses = file('map.csv', '127.0.0.1,198.51.100.1\n127.0.0.2,198.51.100.2\n');
      const argv = ['import', path, '--inner-from-socket', '--addresses', addresses];
      expect(await run(appliance, argv)).toMatchObject({ code: 0, err: '' });
      expect(await appliance.api('GET', '/v1/fleet')).toMatchObject({
        nodes: [
          {
            id: 1,
            set_id: 0,
            weight: 2,
            media_addresses: [{ address: '127.0.0.1' }, { address: '198.51.100.1' }],
          },
          { id: 2, set_id: 1, weight: 1 },
        ],
      });
      const again = await run(appliance, ['import', path]);
      expect(again.code).toBe(0);
      expect(again.out.match(/unchanged/g)).toHaveLength(2);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});

describe('the output of a command', () => {
  /** Runs a command into a pipe of the shell. */
  function piped(appliance: Appliance, argv: string, reader: string) {
    return Bun.spawn(['sh', '-c', `"$0" ${argv} | ${reader}`, ...commandLine(binary)], {
      env: { PATH: process.env.PATH ?? '', RTP_CLUSTER_URL: appliance.url },
      stdout: 'pipe',
      stderr: 'inherit',
    });
  }

  test(
    'comes whole through a pipe whose reader is slow',
    async () => {
      const appliance = await startAppliance({ binary });
      const nodes = Array.from({ length: 1500 }, (_, index) =>
        [
          '[[node]]',
          `socket = "udp:127.1.${index >> 8}.${index & 255}:7890"`,
          `inner_media_ip = "10.1.${index >> 8}.${index & 255}"`,
          'out_media_ip = "198.51.100.1"',
          '',
        ].join('\n'),
      );
      expect((await run(appliance, ['apply', file('many.toml', nodes.join('\n'))])).code).toBe(0);
      const whole = await run(appliance, ['export']);
      expect(whole.out.length).toBeGreaterThan(128 * 1024);
      const slow = piped(appliance, 'export', '(sleep 1; cat)');
      expect(await new Response(slow.stdout).text()).toBe(whole.out);
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'that nobody reads any more ends a command that follows',
    async () => {
      const appliance = await startAppliance({ binary });
      const followed = piped(appliance, 'events --follow --json --kind node.added', 'head -1');
      // Events go on until the reader has its line and the command has met the closed pipe.
      const stop = new AbortController();
      const busy = (async () => {
        for (let id = 0; !stop.signal.aborted; id++) {
          await appliance.api('POST', '/v1/nodes', {
            socket: `udp:127.2.${id >> 8}.${id & 255}:7890`,
            inner_media_ip: '10.2.0.1',
            out_media_ip: '198.51.100.2',
          });
          await Bun.sleep(20);
        }
      })();
      expect(JSON.parse(await new Response(followed.stdout).text())).toMatchObject({ kind: 'node.added' });
      expect(await followed.exited).toBe(0);
      stop.abort();
      await busy;
      expect(await appliance.stop()).toBe(0);
    },
    TIMEOUT_MS,
  );
});
