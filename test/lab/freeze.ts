/** Stops a process for a while, as a machine that hangs does: it listens, and nothing of it runs. */

import { readdirSync, readFileSync } from 'node:fs';
import { poll } from './processes.ts';

/** Ends when no thread of it runs any more: the signal alone leaves them a moment to finish what they do. */
export async function freeze(pid: number): Promise<void> {
  process.kill(pid, 'SIGSTOP');
  await poll(
    () => (threadsOf(pid).every((status) => status.includes('State:\tT')) ? true : undefined),
    () => `process ${pid} does not stop`,
  );
}

export function thaw(pid: number): void {
  process.kill(pid, 'SIGCONT');
}

function threadsOf(pid: number): string[] {
  const tasks = `/proc/${pid}/task`;

  return readdirSync(tasks).map((thread) => readFileSync(`${tasks}/${thread}/status`, 'latin1'));
}
