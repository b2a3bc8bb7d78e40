/** Restores a backup and is killed before the N-th time it touches the file system. Exit code 0 if it came to its end. */

import { createRequire, syncBuiltinESMExports } from 'node:module';

const [backup = '', path = '', aside = '', step = ''] = process.argv.slice(2);
const fs = createRequire(import.meta.url)('node:fs') as Record<string, (...args: unknown[]) => unknown>;
let count = 0;
for (const name of [
  'openSync',
  'closeSync',
  'ftruncateSync',
  'fsyncSync',
  'fchmodSync',
  'linkSync',
  'rmSync',
  'renameSync',
]) {
  const real = fs[name];
  if (real === undefined) throw new Error(`there is no ${name}`);
  fs[name] = (...args) => {
    if (++count === Number(step)) process.kill(process.pid, 'SIGKILL');

    return real(...args);
  };
}
syncBuiltinESMExports();
const { restoreDatabase } = await import('../../../src/store/restore.ts');
const restored = restoreDatabase(backup, path, aside);
if (!('aside' in restored)) throw new Error(restored.message);
process.stdout.write(String(count));
