/** What a sub-command is, and what it may use of the process. Tests give their own `Io`. */

import { writeSync } from 'node:fs';
import type { Shape } from './args.ts';

/** Exit codes. */
export const EXIT = { ok: 0, failed: 1, usage: 2, interrupted: 130 } as const;

/** What each of them means, for the help text and the documents. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: 'it worked',
  failed: 'it failed',
  usage: 'it was called wrongly',
  interrupted: 'a signal ended the waiting before what was waited for',
};

/** Where a command writes and what it reads of its surroundings. */
export interface Io {
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The terminal that standard output is, if it is one. */
  readonly terminal?: Terminal | undefined;
  /** The terminal that standard error is, if it is one and can change a line in place. */
  readonly errTerminal?: Terminal | undefined;
}

/** What of a terminal commands use that draw. */
export interface Terminal {
  write(text: string): void;
  /** As of now: windows change. */
  readonly columns: number;
  readonly rows: number;
}

const systemTerminal: Terminal = {
  write: (text) => void process.stdout.write(text),
  get columns() {
    return process.stdout.columns;
  },
  get rows() {
    return process.stdout.rows;
  },
};

/** Written at once, for work that does not let go of the process; what a slow terminal does not take is lost. */
const systemErrTerminal: Terminal = {
  write(text) {
    try {
      writeSync(process.stderr.fd, text);
    } catch {
      // Nobody misses a line of progress.
    }
  },
  get columns() {
    return process.stderr.columns;
  },
  get rows() {
    return process.stderr.rows;
  },
};

/** Ends with the last line that was written to either stream. */
let lastWritten: Promise<unknown> = Promise.resolve();

/** Resolves when everything written so far is out, or nobody reads it. */
export function flushed(): Promise<unknown> {
  return lastWritten;
}

/** Bun calls back for each write in order when it is out; for an empty write it does not wait for those before it. */
function write(stream: NodeJS.WriteStream, line: string): void {
  const before = lastWritten;
  const written = new Promise<void>((resolve) => {
    stream.write(`${line}\n`, () => resolve());
  });
  lastWritten = Promise.all([before, written]);
}

export const systemIo: Io = {
  out: (line) => write(process.stdout, line),
  err: (line) => write(process.stderr, line),
  env: process.env,
  terminal: process.stdout.isTTY ? systemTerminal : undefined,
  errTerminal: process.stderr.isTTY && process.env.TERM !== 'dumb' ? systemErrTerminal : undefined,
};

/** A module in `src/commands` that is a command. */
export interface CommandModule {
  /** Text of `rtp-cluster help NAME`, without a newline at the end. */
  readonly help: string;
  /** What its actions take, by their names; what it takes itself under ''. */
  readonly shapes: Readonly<Record<string, Shape>>;
  /** Runs with the words after the command's name; resolves to the exit code. */
  run(argv: string[]): Promise<number>;
}
