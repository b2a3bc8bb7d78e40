/**
 * The log: events with fields, one line each, to standard output.
 * LogTape does levels and records; lines are collected and written once per turn of the event loop.
 */

import { configureSync, getLogger, type LogRecord } from '@logtape/logtape';
import { isoTime } from './clock.ts';

export type LogLevel = 'debug' | 'info' | 'warning' | 'error';
/** `auto` is `text` on a terminal and `json` elsewhere. */
export type LogFormat = 'auto' | 'json' | 'text';

/** Takes text and calls `taken` when it is ready for more; with an error if it never will be. */
export type LogWrite = (text: string, taken: (error?: Error | null) => void) => void;

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Where lines go; standard output if missing. */
  readonly write?: LogWrite;
  /** Characters kept while the reader stalls, before lines are dropped and counted; default 8 Mi. */
  readonly maxBuffered?: number;
}

/** Names (`call.placed`) are fixed words of the code; everything that varies goes into the fields. */
export type LogFields = Record<string, unknown>;

const MAX_BUFFERED = 8 * 1024 * 1024;
/** A longer line is replaced by one that says so: no field may fill the disk. */
const MAX_LINE = 64 * 1024;

const logger = getLogger(['rtp-cluster']);

/** Writes events. Before `configureLog` and below the level nothing is written. */
export const log = {
  debug: (event: string, fields?: LogFields): void => logger.debug(event, fields),
  info: (event: string, fields?: LogFields): void => logger.info(event, fields),
  warning: (event: string, fields?: LogFields): void => logger.warning(event, fields),
  error: (event: string, fields?: LogFields): void => logger.error(event, fields),
};

/** Lines between the loop and the reader: one write at a time, the rest waits here. */
class LineBuffer {
  #text = '';
  #isScheduled = false;
  #isWriting = false;
  /** The reader is gone; nothing can be written any more. */
  #isBroken = false;
  #unreported = 0;
  #waiting: (() => void)[] = [];
  /** Lines dropped since the start. */
  dropped = 0;

  constructor(
    private readonly write: LogWrite,
    private readonly maxBuffered: number,
    private readonly droppedLine: (count: number) => string,
  ) {}

  push(line: string): void {
    if (this.#isBroken || this.#text.length + line.length > this.maxBuffered) {
      this.dropped++;
      this.#unreported++;

      return;
    }
    this.#text += line;
    if (!this.#isScheduled && !this.#isWriting) {
      this.#isScheduled = true;
      setImmediate(() => this.flush());
    }
  }

  flush(): void {
    this.#isScheduled = false;
    if (this.#isWriting) return;
    if (this.#text === '') {
      for (const done of this.#waiting.splice(0)) done();

      return;
    }
    let text = this.#text;
    this.#text = '';
    if (this.#unreported > 0) {
      text += this.droppedLine(this.#unreported);
      this.#unreported = 0;
    }
    this.#isWriting = true;
    try {
      this.write(text, (error) => this.#taken(error));
    } catch (error) {
      this.#taken(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** Resolves when all was written or the reader is gone. */
  drained(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.flush();
    });
  }

  #taken(error?: Error | null): void {
    this.#isWriting = false;
    if (error) {
      this.#isBroken = true;
      this.#text = '';
    }
    this.flush();
  }
}

let buffer: LineBuffer | undefined;

/** Sets level, format and destination; may be called again. */
export function configureLog({ level, format, write, maxBuffered }: LogOptions): void {
  const isText = format === 'text' || (format === 'auto' && process.stdout.isTTY === true);
  const render = isText ? textLine : jsonLine;
  const lines = new LineBuffer(write ?? stdoutWrite(), maxBuffered ?? MAX_BUFFERED, (count) =>
    render(Date.now(), 'warning', 'log.dropped', { lines: count }),
  );
  buffer = lines;
  configureSync({
    reset: true,
    sinks: {
      lines: (record: LogRecord) =>
        lines.push(render(record.timestamp, record.level, String(record.rawMessage), record.properties)),
    },
    loggers: [
      { category: ['rtp-cluster'], sinks: ['lines'], lowestLevel: level },
      { category: ['logtape', 'meta'], sinks: [], lowestLevel: null },
    ],
  });
}

/** Writes what is still held; call it before the process exits. Gives up after `timeoutMs` if nobody reads. */
export async function flushLog(timeoutMs = 1000): Promise<void> {
  if (buffer === undefined) return;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([buffer.drained(), timeout]);
  clearTimeout(timer);
}

/** How many lines were dropped because nobody read them; since the last `configureLog`. */
export function droppedLines(): number {
  return buffer?.dropped ?? 0;
}

let isGuarded = false;

function stdoutWrite(): LogWrite {
  if (!isGuarded) {
    isGuarded = true;
    // The error also reaches the callback of the write; without a listener it would end the process.
    process.stdout.on('error', () => undefined);
  }

  return (text, taken) => void process.stdout.write(text, taken);
}

/** Keys the line itself has; fields of the same name get an underscore. */
const OWN_KEYS = ['time', 'level', 'event'] as const;

function ownKeysApart(fields: LogFields): LogFields {
  if (!OWN_KEYS.some((key) => key in fields)) return fields;

  return Object.fromEntries(
    Object.entries(fields).map(([key, value]) => [
      OWN_KEYS.some((own) => own === key) ? `${key}_` : key,
      value,
    ]),
  );
}

function plain(_key: string, value: unknown): unknown {
  if (value instanceof Error) return value.message;
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Map || value instanceof Set) return [...value];

  return value;
}

function toJson(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, plain);
  } catch {
    // A cycle, or a toJSON that throws: a log line must not fail for it.
    return JSON.stringify(String(value));
  }
}

/** DEL, C1 controls and the line separators pass through JSON but may steer a terminal or split a line. */
const UNSAFE = /[\u007f-\u009f\u2028\u2029]/g;

function escapeUnsafe(line: string): string {
  return line.replace(UNSAFE, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function jsonLine(time: number, level: string, event: string, fields: LogFields): string {
  const head = `{"time":"${isoTime(time)}","level":"${level}","event":${JSON.stringify(event)}`;
  const body = fieldsAsJson(ownKeysApart(fields));
  if (body.length > MAX_LINE) return `${head},"too_long":${body.length}}\n`;

  return `${escapeUnsafe(body === '{}' ? `${head}}` : `${head},${body.slice(1)}`)}\n`;
}

function fieldsAsJson(fields: LogFields): string {
  try {
    return JSON.stringify(fields, plain);
  } catch {
    const parts = Object.entries(fields).flatMap(([key, value]) => {
      const json = toJson(value);

      return json === undefined ? [] : [`${JSON.stringify(key)}:${json}`];
    });

    return `{${parts.join(',')}}`;
  }
}

function textLine(time: number, level: string, event: string, fields: LogFields): string {
  const head = `${isoTime(time)} ${level.padEnd(7)} ${event}`;
  const parts = Object.entries(fields).flatMap(([key, value]) => {
    const shown = value instanceof Error ? value.message : value;
    const text = typeof shown === 'string' ? quoted(shown) : toJson(shown);

    return text === undefined ? [] : [`${key}=${text}`];
  });
  const body = parts.join(' ');
  if (body.length > MAX_LINE) return `${head} too_long=${body.length}\n`;

  return `${escapeUnsafe(body === '' ? head : `${head} ${body}`)}\n`;
}

function quoted(text: string): string {
  return /^[^\s"=\\\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}
