/** What a sub-command is, and what it may use of the process. Tests give their own `Io`. */

/** Exit codes: it worked, it failed, it was called wrongly. */
export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** Where a command writes and what it reads of its surroundings. */
export interface Io {
  /** Writes a line to standard output. */
  out(line: string): void;
  /** Writes a line to standard error. */
  err(line: string): void;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The terminal that standard output is, if it is one. */
  readonly terminal?: Terminal | undefined;
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

export const systemIo: Io = {
  out: (line) => void process.stdout.write(`${line}\n`),
  err: (line) => void process.stderr.write(`${line}\n`),
  env: process.env,
  terminal: process.stdout.isTTY ? systemTerminal : undefined,
};

/** A module in `src/commands` that is a command. */
export interface CommandModule {
  /** Text of `rtp-cluster help NAME`, without a newline at the end. */
  readonly help: string;
  /** Runs with the words after the command's name; resolves to the exit code. */
  run(argv: string[]): Promise<number>;
}
