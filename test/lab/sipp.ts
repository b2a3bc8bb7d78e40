/** Real SIP endpoints: SIPp with scenarios of our own. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Place } from './netns.ts';
import { type OpenUdp, openUdp } from './phone.ts';
import { endProcess, inNamespace, leashed, own, poll, temporaryFolder } from './processes.ts';
import { readSdp } from './sdp.ts';
import { countEnded, messageReader, type SipMessage, sdpsIn } from './sipp-messages.ts';
import { type Scenario, SIGNAL, scenarioXml } from './sipp-scenario.ts';

export interface SippOptions {
  readonly scenario: Scenario;
  readonly address: string;
  readonly port: number;
  /** Where requests go; for callers. */
  readonly proxy?: string;
  /** Where it runs; in the network of this process by default. */
  readonly place?: Place;
  /** How many calls; 1 by default. A caller places them as fast as `perSecond` says. */
  readonly calls?: number;
  readonly perSecond?: number;
  /** Port of the first call's `[auto_media_port]`; those of the next ones are 4 higher each. */
  readonly mediaPort?: number;
  /** Longest wait for a message; 8000 by default. */
  readonly patienceMs?: number;
}

export interface Sipp {
  /** Waits until its calls are over; returns what it did not like, or undefined. */
  done(timeoutMs?: number): Promise<string | undefined>;
  /** All messages so far. */
  messages(): readonly SipMessage[];
  /** Lets a call go on that waits for a signal. */
  signal(callId: string): Promise<void>;
  stop(): Promise<void>;
}

/** Starts one endpoint for one call or more. A callee is ready to be called when this returns. */
export async function startSipp(options: SippOptions): Promise<Sipp> {
  const { scenario, address, port, proxy, place, calls = 1, perSecond = 10, patienceMs = 8000 } = options;
  const folder = temporaryFolder();
  const file = join(folder, `${scenario.name}.xml`);
  const log = join(folder, 'messages.log');
  const errors = join(folder, 'errors.log');
  writeFileSync(file, scenarioXml(scenario));
  // On a busy machine SIPp's callee leaves the last calls before its limit unanswered (3.6.1), so several calls have a far one.
  const isServer = scenario.role === 'callee' && calls > 1;
  const limit = isServer ? 10 * calls : calls;
  const command = [
    'sipp',
    ...(proxy === undefined ? [] : [proxy]),
    ...['-sf', file, '-i', address, '-p', String(port), '-m', String(limit), '-s', '4711', '-nostdin'],
    ...(proxy === undefined ? [] : ['-r', String(perSecond), '-l', String(calls)]),
    ...(options.mediaPort === undefined ? [] : ['-mp', String(options.mediaPort)]),
    ...['-trace_msg', '-message_file', log, '-trace_err', '-error_file', errors],
    ...['-timeout', `${Math.ceil((patienceMs * 2.5) / 1000)}s`, '-timeout_error'],
    ...['-recv_timeout', String(patienceMs), '-default_behaviors', 'all,-bye'],
  ];
  const child = own(
    Bun.spawn(leashed(inNamespace(place?.namespace, command)), {
      cwd: folder,
      stdin: 'ignore',
      stdout: 'ignore',
      stderr: 'ignore',
      env: { ...Bun.env, TERM: 'dumb' },
    }),
  );
  let code: number | undefined;
  child.exited.then((exit) => {
    code = exit;
  });
  if (scenario.role === 'callee') {
    await poll(
      () => (code !== undefined || isBound(child.pid, address, port) ? true : undefined),
      () => `sipp does not listen on ${address}:${port}`,
    );
  }
  const read = (path: string): string => {
    try {
      return readFileSync(path, 'latin1');
    } catch {
      return '';
    }
  };
  const messages = messageReader(log);
  let signals = 0;

  return {
    async done(timeoutMs = 20_000) {
      if (isServer) {
        await poll(
          () => (code !== undefined || countEnded(messages()) >= calls ? true : undefined),
          () => `not all calls of sipp ${scenario.name} ended:\n${read(errors)}`,
          timeoutMs,
        );
        if (code === undefined) {
          await endProcess(child);

          return undefined;
        }
      }
      await poll(
        () => code,
        () => `sipp ${scenario.name} does not end:\n${read(log)}`,
        timeoutMs,
      );

      return code === 0
        ? undefined
        : `sipp ${scenario.name} ended with ${code}:\n${read(errors)}\n${read(log)}`;
    },
    messages,
    async signal(callId) {
      // With the headers of the message before, which is the one `[last_...]` must go on to mean.
      const last = messages().findLast((message) => message.isReceived && message.callId === callId);
      if (last === undefined) throw new Error(`no call ${callId} in ${scenario.name}`);
      const [, ...headers] = last.head.split(/\r?\n/);
      const kept = headers.filter((header) => !/^Content-/i.test(header));
      // Two that are alike would be one and its retransmission.
      const lines = [`${SIGNAL} sip:test-${++signals}@${address} SIP/2.0`, ...kept, 'Content-Length: 0'];
      const socket = await (place?.open ?? openUdp)(address, 0, () => undefined);
      socket.send(`${lines.join('\r\n')}\r\n\r\n`, port, address);
      socket.close();
    },
    async stop() {
      await endProcess(child);
    },
  };
}

/** Whether somebody has bound a UDP port, as the kernel tells of the network a process is in. */
function isBound(pid: number, address: string, port: number): boolean {
  const hex = address
    .split('.')
    .reverse()
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
  const wanted = `${hex}:${port.toString(16).padStart(4, '0').toUpperCase()}`;
  try {
    return readFileSync(`/proc/${pid}/net/udp`, 'latin1').includes(` ${wanted} `);
  } catch {
    return false;
  }
}

/** Every address in every SDP an endpoint received, each once. */
export function addressesSeen(endpoint: Sipp): string[] {
  return [...new Set(sdpsIn(endpoint.messages(), true).flatMap((sdp) => readSdp(sdp).addresses))];
}

/** Whether a SIP server answers anything at all. */
export async function answersSip(address: string, port: number, open: OpenUdp = openUdp): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = await open(address, 0, () => resolve(true));
  const here = `${address}:${socket.port}`;
  const branch = `z9hG4bK${crypto.randomUUID()}`;
  const lines = [
    `OPTIONS sip:${address}:${port} SIP/2.0`,
    `Via: SIP/2.0/UDP ${here};branch=${branch}`,
    `From: <sip:lab@${here}>;tag=1`,
    `To: <sip:${address}:${port}>`,
    `Call-ID: ${branch}`,
    'CSeq: 1 OPTIONS',
    'Max-Forwards: 5',
    'Content-Length: 0',
  ];
  socket.send(`${lines.join('\r\n')}\r\n\r\n`, port, address);
  const timer = setTimeout(() => resolve(false), 250);
  const isAnswered = await promise;
  clearTimeout(timer);
  socket.close();

  return isAnswered;
}
