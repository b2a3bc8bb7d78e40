/** Processes under measurement: started, watched through /proc, stopped by their id. */

import { readFileSync } from 'node:fs';

export interface Measured {
  readonly pid: number;
  /** First line of its output that matches. */
  readonly line: string;
  /** CPU seconds so far, user and system. */
  cpu(): number;
  /** Resident memory, MB. */
  rss(): number;
  stop(): Promise<void>;
}

const running = new Set<Measured>();

/** Clock ticks a second, as /proc counts CPU time. */
const TICKS = 100;

/** Starts a program and waits for a line of its output. */
export async function start(
  command: readonly string[],
  ready: RegExp,
  env: Record<string, string> = {},
): Promise<Measured> {
  const child = Bun.spawn([...command], {
    env: { ...process.env, ...env },
    stdin: 'ignore',
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const line = await Promise.race([firstLine(child.stdout, ready), firstLine(child.stderr, ready)]);
  if (line === undefined) throw new Error(`${command.join(' ')} ended without saying ${ready}`);
  const measured: Measured = {
    pid: child.pid,
    line,
    cpu() {
      const fields = readFileSync(`/proc/${child.pid}/stat`, 'latin1').split(') ')[1]?.split(' ') ?? [];

      return (Number(fields[11]) + Number(fields[12])) / TICKS;
    },
    rss: () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1'))?.[1]) / 1024,
    async stop() {
      running.delete(measured);
      child.kill('SIGTERM');
      await child.exited;
    },
  };
  running.add(measured);

  return measured;
}

export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((each) => each.stop()));
}

/** Reads on after the match, so that the program never blocks on a full pipe. Never resolves if the stream ends early. */
function firstLine(stream: ReadableStream<Uint8Array>, ready: RegExp): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    let isFound = false;
    const decoder = new TextDecoder();
    stream
      .pipeTo(
        new WritableStream({
          write(bytes) {
            if (isFound) return;
            text += decoder.decode(bytes, { stream: true });
            const line = text.split('\n').find((each) => ready.test(each));
            if (line === undefined) return;
            isFound = true;
            resolve(line);
          },
        }),
      )
      .catch(() => undefined);
  });
}
