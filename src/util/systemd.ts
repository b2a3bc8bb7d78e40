/**
 * What systemd is told of us: sd_notify(3), datagrams of `NAME=VALUE` lines to the socket it names. Without systemd nothing
 * is told. No send waits and none throws; what the socket does not take goes with the next one.
 */

import { dlopen, ptr } from 'bun:ffi';
import { type ChildProcess, spawn } from 'node:child_process';
import { log } from './log.ts';

/** The way a message goes. */
export interface Messenger {
  /** @returns whether it was taken */
  send(message: string): boolean;
  /** CLOCK_MONOTONIC in µs, which systemd compares with its own; undefined where it is not to be had. */
  monotonicUs(): bigint | undefined;
}

/** Messages kept while the socket takes none; the oldest go first. */
export const MAX_UNSENT = 16;
/** A longer line of status is cut: `systemctl status` shows one line. */
const MAX_STATUS = 500;
/** `sun_path` of an address of a unix socket, bytes. */
const MAX_PATH = 107;

export class Systemd {
  /** How often systemd wants to hear that we are alive, ms; undefined if it does not. */
  readonly watchdogMs: number | undefined;
  readonly #messenger: Messenger | undefined;
  #unsent: string[] = [];

  /** @param messenger undefined where nobody listens */
  constructor(messenger: Messenger | undefined, watchdogMs?: number) {
    this.#messenger = messenger;
    this.watchdogMs = messenger === undefined ? undefined : watchdogMs;
  }

  /** Whether anybody listens. */
  get isPresent(): boolean {
    return this.#messenger !== undefined;
  }

  /** The start, or a reload, is done. */
  ready(status: string): void {
    this.#send('READY=1', statusLine(status));
  }

  /** A reload begins; `ready` ends it. */
  reloading(): void {
    const us = this.#messenger?.monotonicUs();
    this.#send('RELOADING=1', ...(us === undefined ? [] : [`MONOTONIC_USEC=${us}`]));
  }

  /**
   * The stop begins.
   * @param withinMs how long it may take; longer than `TimeoutStopSec=` of the unit if need be
   */
  stopping(status: string, withinMs: number): void {
    this.#send('STOPPING=1', statusLine(status), `EXTEND_TIMEOUT_USEC=${withinMs * 1000}`);
  }

  /** The line that `systemctl status` shows. */
  status(status: string): void {
    this.#send(statusLine(status));
  }

  /** We are alive: wanted at least every `watchdogMs`. */
  alive(): void {
    this.#send('WATCHDOG=1');
  }

  #send(...assignments: string[]): void {
    if (this.#messenger === undefined) return;
    this.#unsent.push(assignments.join('\n'));
    while (this.#unsent[0] !== undefined && this.#messenger.send(this.#unsent[0])) this.#unsent.shift();
    this.#unsent = this.#unsent.slice(-MAX_UNSENT);
  }
}

function statusLine(status: string): string {
  // A line break would begin another assignment.
  return `STATUS=${status.replace(/[\p{Cc}\u2028\u2029]+/gu, ' ').slice(0, MAX_STATUS)}`;
}

/**
 * Systemd as the environment names it. Its variables are taken out of `env`, so that no child speaks for us.
 * @param pid ours; a watchdog meant for another process is not fed
 */
export function findSystemd(env: Record<string, string | undefined>, pid: number): Systemd {
  const { NOTIFY_SOCKET: place = '', WATCHDOG_USEC: interval = '', WATCHDOG_PID: watched } = env;
  delete env.NOTIFY_SOCKET;
  delete env.WATCHDOG_USEC;
  delete env.WATCHDOG_PID;
  if (place === '') return new Systemd(undefined);
  if (!/^[/@]./.test(place) || Buffer.byteLength(place) > MAX_PATH) {
    log.warning('systemd.unusable', {
      NOTIFY_SOCKET: place,
      error: `allowed is an absolute path or @NAME of at most ${MAX_PATH} bytes; nothing is told`,
    });

    return new Systemd(undefined);
  }
  const ms = /^\d{1,15}$/.test(interval) ? Math.floor(Number(interval) / 1000) : 0;
  const isOurs = watched === undefined || watched === String(pid);

  return new Systemd(viaLibc(place) ?? viaProgram(place), isOurs && ms > 0 ? ms : undefined);
}

// Of Linux, the same on x86-64 and arm64.
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
const CLOCK_MONOTONIC = 1;

/**
 * Bun has no datagrams on unix sockets; the C library has.
 * @returns undefined where that cannot be: `MemoryDenyWriteExecute=yes` takes away what calls into C need
 */
function viaLibc(place: string): Messenger | undefined {
  try {
    const { symbols } = dlopen('libc.so.6', {
      socket: { args: ['i32', 'i32', 'i32'], returns: 'i32' },
      sendto: { args: ['i32', 'ptr', 'u64', 'i32', 'ptr', 'u32'], returns: 'i64' },
      clock_gettime: { args: ['i32', 'ptr'], returns: 'i32' },
    });
    const socket = symbols.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (socket < 0) return undefined;
    const address = socketAddress(place);
    const time = new BigInt64Array(2);

    return {
      send(message) {
        const bytes = Buffer.from(message);
        const flags = MSG_DONTWAIT | MSG_NOSIGNAL;

        return symbols.sendto(socket, ptr(bytes), bytes.length, flags, ptr(address), address.length) >= 0;
      },
      monotonicUs() {
        if (symbols.clock_gettime(CLOCK_MONOTONIC, ptr(time)) !== 0) return undefined;
        const [seconds = 0n, nanoseconds = 0n] = time;

        return seconds * 1_000_000n + nanoseconds / 1000n;
      },
    };
  } catch {
    return undefined;
  }
}

/** `struct sockaddr_un`; a name that begins with `@` is abstract: a zero byte, and as long as it is. */
function socketAddress(place: string): Buffer {
  const isAbstract = place.startsWith('@');
  const family = Buffer.alloc(2);
  new Uint16Array(family.buffer, family.byteOffset, 1)[0] = AF_UNIX;

  return Buffer.concat([family, Buffer.from(isAbstract ? `\0${place.slice(1)}` : `${place}\0`)]);
}

/** How long a program may take that tells one message, ms. */
const MAX_RUN_MS = 5000;

/**
 * By the program of systemd, one run at a time so that the order stays; the unit then needs `NotifyAccess=all`. It costs
 * some 20 ms of CPU for each message.
 * @param program for tests
 */
export function viaProgram(place: string, program = 'systemd-notify'): Messenger {
  const waiting: string[] = [];
  let running: ChildProcess | undefined;
  let isTold = false;
  const next = (): void => {
    const message = running === undefined ? waiting.shift() : undefined;
    if (message === undefined) return;
    const ended = (error?: Error): void => {
      if (error !== undefined && !isTold)
        log.warning('systemd.unusable', { program, error: `${error.message}; nothing is told` });
      isTold ||= error !== undefined;
      running = undefined;
      next();
    };
    // It waits until systemd has read the message: a sender that is gone by then would not be believed.
    running = spawn(program, message.split('\n'), {
      env: { PATH: process.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: place },
      stdio: 'ignore',
      timeout: MAX_RUN_MS,
      killSignal: 'SIGKILL',
    });
    running.once('error', ended);
    running.once('exit', () => ended());
  };

  return {
    send(message) {
      if (waiting.length >= MAX_UNSENT) return false;
      waiting.push(message);
      next();

      return true;
    },
    monotonicUs: () => undefined,
  };
}
