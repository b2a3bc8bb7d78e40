import { afterEach, describe, expect, test } from 'bun:test';
import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freeSocketPath } from '../../../src/util/socket-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'rtp-cluster-'));
const path = join(folder, 's');

afterEach(() => rmSync(path, { force: true }));

describe('the path of a unix socket', () => {
  test('is free if there is nothing', async () => {
    expect(await freeSocketPath(path)).toBeUndefined();
  });

  test('is made free if nobody listens there any more', async () => {
    const listener = Bun.listen({ unix: join(folder, 'old'), socket: { data() {} } });
    // Under another name the file stays when the listener goes, as after a kill.
    renameSync(join(folder, 'old'), path);
    listener.stop(true);
    expect(existsSync(path)).toBeTrue();
    expect(await freeSocketPath(path)).toBeUndefined();
    expect(existsSync(path)).toBeFalse();
  });

  test('is left to who listens there', async () => {
    const listener = Bun.listen({ unix: path, socket: { data() {} } });
    expect(await freeSocketPath(path)).toBe('another program listens there already');
    expect(existsSync(path)).toBeTrue();
    listener.stop(true);
  });

  test('is left alone if it is a file of another kind', async () => {
    writeFileSync(path, 'precious');
    expect(await freeSocketPath(path)).toContain('is no socket');
    expect(existsSync(path)).toBeTrue();
  });
});
