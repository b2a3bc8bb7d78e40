/** The unix socket is safe to share and to start on again, and a log nobody reads holds up nothing. */

import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import {
  closeSync,
  constants,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { ensureBinary, startAppliance } from '../lab/appliance.ts';
import { ask, names, place, post, readiness } from '../lab/client.ts';
import { startRelay } from '../lab/fake-relays.ts';
import { endProcess, leashed, own, poll, sweep, temporaryFolder } from '../lab/processes.ts';
import { command, expectPlainRefusal, failToStart } from '../lab/runs.ts';

const TIMEOUT_MS = 60_000;
let binary = '';

beforeAll(async () => {
  binary = await ensureBinary();
});
afterAll(sweep);

describe('the unix socket', () => {
  async function overUnix(unix: string): Promise<number> {
    return (await fetch('http://localhost/v1/nodes', { unix })).status;
  }

  test('serves the API, has mode 660, and replaces what a killed process left behind', async () => {
    const folder = temporaryFolder();
    const unix = join(folder, 'api.sock');
    const database = join(folder, 'cluster.db');
    const flags = [`--http-unix=${unix}`];
    const killed = await startAppliance({ binary, database, flags, token: 'a-token-of-enough-characters' });
    expect(statSync(unix).mode & 0o777).toBe(0o660);
    // Over TCP a token is needed; over the socket its mode has decided.
    expect((await ask(killed.url, '/v1/nodes')).status).toBe(401);
    expect(await overUnix(unix)).toBe(200);
    await killed.kill();
    expect(existsSync(unix)).toBe(true);
    const next = await startAppliance({ binary, database, flags });
    expect(await overUnix(unix)).toBe(200);
    expect(statSync(unix).mode & 0o777).toBe(0o660);

    const other = failToStart(join(temporaryFolder(), 'other.db'), { flags });
    expectPlainRefusal(other, unix, 'another program does already');
    expect(await overUnix(unix)).toBe(200);
    expect(await next.stop()).toBe(0);
  });

  test('never removes a file that is no socket', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'precious.txt');
    writeFileSync(path, 'precious');
    const refused = failToStart(join(folder, 'cluster.db'), { flags: [`--http-unix=${path}`] });
    expect(readFileSync(path, 'utf8')).toBe('precious');
    expectPlainRefusal(refused, path, 'is no socket');
  });

  test('a directory that is missing: exit 1 and a plain line', () => {
    const folder = temporaryFolder();
    const path = join(folder, 'not', 'there.sock');
    expectPlainRefusal(
      failToStart(join(folder, 'cluster.db'), { flags: [`--http-unix=${path}`] }),
      path,
      'cannot listen on',
    );
  });
});

describe('a log nobody reads', () => {
  /** The appliance with its standard output in a pipe of which we hold the reading end. */
  async function startOnPipe() {
    const folder = temporaryFolder();
    const pipe = join(folder, 'log');
    expect(command('mkfifo', pipe).code).toBe(0);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const writer = openSync(pipe, constants.O_WRONLY);
    const words = [
      binary,
      'serve',
      '--ng-listen=',
      `--database-path=${join(folder, 'cluster.db')}`,
      '--http-listen=127.0.0.1:0',
    ];
    const child = own(
      Bun.spawn(leashed([...words, '--log-format=json', '--log-level=debug']), {
        cwd: folder,
        env: {},
        stdin: 'ignore',
        stdout: writer,
        stderr: 'inherit',
      }),
    );
    closeSync(writer);
    let output = '';
    const url = await poll(
      () => {
        output += readNow(reader);

        return /"event":"appliance\.started".*"url":"([^"]+)"/.exec(output)?.[1];
      },
      () => `the appliance does not start: ${output}`,
    );
    const relay = await startRelay();
    const node = { id: 1, socket: relay.socket, inner_media_ip: '10.9.0.1', out_media_ip: '198.51.100.1' };
    expect((await post(url, '/v1/nodes', node)).status).toBeLessThan(300);

    return { child, url, reader };
  }

  function readNow(file: number): string {
    const bytes = Buffer.alloc(65_536);
    try {
      return bytes.toString('utf8', 0, readSync(file, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return '';
      throw error;
    }
  }

  /** Enough calls to fill a pipe several times over. */
  async function makeNoise(url: string, prefix: string): Promise<void> {
    for (let round = 0; round < 20; round++) await place(url, names(50, `${prefix}-${round}`));
  }

  test(
    'its reader is gone: it goes on serving, and ends with 0',
    async () => {
      const { child, url, reader } = await startOnPipe();
      closeSync(reader);
      await makeNoise(url, 'gone');
      expect((await readiness(url)).status).toBe(200);
      expect(await endProcess(child, 10_000)).toBe(0);
    },
    TIMEOUT_MS,
  );

  test(
    'its reader stalls: it goes on serving; when the reader comes back, so does the log',
    async () => {
      const { child, url, reader } = await startOnPipe();
      await makeNoise(url, 'stalled');
      expect((await readiness(url)).status).toBe(200);
      await place(url, ['the-last-one@fails']);
      let output = '';
      await poll(
        () => {
          output = (output + readNow(reader)).slice(-200_000);

          return output.includes('the-last-one@fails') ? true : undefined;
        },
        () => 'the log does not come back',
      );
      expect(await endProcess(child, 10_000)).toBe(0);
      closeSync(reader);
    },
    TIMEOUT_MS,
  );

  test(
    'its reader stalls for good: SIGTERM ends it with 0 all the same',
    async () => {
      const { child, url, reader } = await startOnPipe();
      await makeNoise(url, 'stuck');
      expect(await endProcess(child, 10_000)).toBe(0);
      closeSync(reader);
    },
    TIMEOUT_MS,
  );
});
