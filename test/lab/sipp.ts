/** Real SIP endpoints: SIPp with scenarios of our own, because its built-in ones do not follow Record-Route. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openUdp } from './phone.ts';
import { endProcess, leashed, own, poll, temporaryFolder } from './processes.ts';
import { readSdp } from './sdp.ts';

/** One step of a scenario. */
export type Step =
  /** Sends a request of the dialog, or the INVITE that begins it. */
  | { readonly send: string; readonly sdp?: string }
  /** Sends a reply to the last request. */
  | { readonly reply: string; readonly sdp?: string }
  /** Sends a reply to the INVITE although another request has come since. */
  | { readonly replyToInvite: string }
  /** Waits for a request. */
  | { readonly request: string }
  /** Waits for a reply; those listed before it may come or not. */
  | { readonly response: number; readonly maybe?: readonly number[] }
  | { readonly pauseMs: number };

export interface Scenario {
  readonly name: string;
  readonly role: 'caller' | 'callee';
  readonly steps: readonly Step[];
}

/** SDP with the endpoint's own address, which no other end may see. */
export function offerBody(port: number, mode = 'sendrecv', version = 1): string {
  return [
    'v=0',
    `o=sipp 1 ${version} IN IP4 [local_ip]`,
    's=-',
    'c=IN IP4 [local_ip]',
    't=0 0',
    `m=audio ${port} RTP/AVP 8`,
    'a=rtpmap:8 PCMA/8000',
    `a=${mode}`,
  ].join('\n');
}

const CALLER_TAG = '[pid]caller[call_number]';
const CALLEE_TAG = '[pid]callee[call_number]';

/** A scenario as SIPp reads it. */
export function scenarioXml({ name, role, steps }: Scenario): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE scenario SYSTEM "sipp.dtd">
<scenario name="${name}">
${new ScenarioWriter(role).write(steps).join('\n')}
${role === 'callee' ? '<Reference variables="peer,via,cseq"/>' : ''}
</scenario>
`;
}

class ScenarioWriter {
  readonly #isCaller: boolean;
  /** SIPp numbers these; `[branch-2]` is the branch of the second message before. */
  readonly #elements: string[] = [];
  #cseq = 0;
  #inviteCseq = 0;
  #inviteIndex = 0;
  #hasDialog = false;
  #lastResponse = 0;
  #hasInvite = false;

  constructor(role: 'caller' | 'callee') {
    this.#isCaller = role === 'caller';
  }

  write(steps: readonly Step[]): readonly string[] {
    for (const step of steps) {
      if ('pauseMs' in step) this.#elements.push(`<pause milliseconds="${step.pauseMs}"/>`);
      else if ('request' in step) this.#awaitRequest(step.request);
      else if ('response' in step) {
        for (const code of step.maybe ?? []) this.#awaitResponse(code, true);
        this.#awaitResponse(step.response, false);
      } else if ('reply' in step) this.#reply(step.reply, step.sdp);
      else if ('replyToInvite' in step)
        this.#reply(step.replyToInvite, undefined, ['Via: [$via]', 'CSeq: [$cseq]']);
      else this.#request(step.send, step.sdp);
    }

    return this.#elements;
  }

  #awaitRequest(method: string): void {
    if (method === 'ACK') this.#hasDialog = true;
    if (method !== 'INVITE' || this.#hasInvite || this.#isCaller) {
      this.#elements.push(`<recv request="${method}"/>`);

      return;
    }
    this.#hasInvite = true;
    // Its From is the To of the callee's own requests.
    const keep = [
      ['From', 'peer'],
      ['Via', 'via'],
      ['CSeq', 'cseq'],
    ]
      .map(([header, name]) => `<ereg regexp=".*" search_in="hdr" header="${header}:" assign_to="${name}"/>`)
      .join('');
    this.#elements.push(`<recv request="INVITE" rrs="true"><action>${keep}</action></recv>`);
  }

  #awaitResponse(code: number, isOptional: boolean): void {
    const optional = isOptional ? ' optional="true"' : '';
    // SIPp takes route set and target from the first message with `rrs`; a 100 has neither.
    const routes = code === 100 || code >= 300 ? '' : ' rrs="true"';
    this.#elements.push(`<recv response="${code}"${optional}${routes}/>`);
    this.#lastResponse = code;
  }

  #request(method: string, sdp: string | undefined): void {
    const isAck = method === 'ACK';
    const isCancel = method === 'CANCEL';
    const isFirst = method === 'INVITE' && this.#isCaller && !this.#hasDialog;
    // An ACK to a refusal is part of the INVITE's transaction (RFC 3261 section 17.1.1.3), as a CANCEL is (9.1).
    const isSameTransaction = isCancel || (isAck && this.#lastResponse >= 300);
    const isToProxy = isFirst || isSameTransaction;
    if (!isAck && !isCancel) this.#cseq++;
    if (method === 'INVITE') {
      this.#inviteCseq = this.#cseq;
      this.#inviteIndex = this.#elements.length;
    }
    const branch = isSameTransaction ? `[branch-${this.#elements.length - this.#inviteIndex}]` : '[branch]';
    const withTag = isFirst || isCancel ? '' : '[peer_tag_param]';
    const [from, to] = this.#isCaller
      ? [
          `<sip:caller@[local_ip]:[local_port]>;tag=${CALLER_TAG}`,
          `<sip:[service]@[remote_ip]:[remote_port]>${withTag}`,
        ]
      : [`<sip:callee@[local_ip]:[local_port]>;tag=${CALLEE_TAG}`, '[$peer]'];
    this.#send(
      [
        `${method} ${isToProxy ? 'sip:[service]@[remote_ip]:[remote_port]' : '[next_url]'} SIP/2.0`,
        ...(isToProxy ? [] : ['[routes]']),
        `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=${branch}`,
        `From: ${from}`,
        `To: ${to}`,
        'Call-ID: [call_id]',
        `CSeq: ${isAck || isCancel ? this.#inviteCseq : this.#cseq} ${method}`,
        'Contact: <sip:endpoint@[local_ip]:[local_port]>',
        'Max-Forwards: 70',
      ],
      sdp,
      isAck ? '' : ' retrans="500"',
    );
    if (isAck) this.#hasDialog = true;
  }

  #reply(status: string, sdp: string | undefined, transaction = ['[last_Via:]', '[last_CSeq:]']): void {
    const tag = this.#isCaller || this.#hasDialog ? '' : `;tag=${CALLEE_TAG}`;
    this.#send(
      [
        `SIP/2.0 ${status}`,
        ...transaction,
        '[last_Record-Route:]',
        '[last_From:]',
        `[last_To:]${tag}`,
        '[last_Call-ID:]',
        'Contact: <sip:endpoint@[local_ip]:[local_port]>',
      ],
      sdp,
      '',
    );
  }

  #send(lines: readonly string[], sdp: string | undefined, attributes: string): void {
    const type = sdp === undefined ? [] : ['Content-Type: application/sdp'];
    const message = [...lines, ...type, 'Content-Length: [len]', '', ...(sdp === undefined ? [] : [sdp])];
    this.#elements.push(`<send${attributes}><![CDATA[\n\n${message.join('\n')}\n\n]]></send>`);
  }
}

/** One SIP message as an endpoint saw it. */
export interface SipMessage {
  readonly isReceived: boolean;
  /** First line. */
  readonly start: string;
  readonly cseq: string;
  readonly callId: string;
  readonly sdp: string;
}

export interface SippOptions {
  readonly scenario: Scenario;
  readonly address: string;
  readonly port: number;
  /** Where requests go; for callers. */
  readonly proxy?: string;
}

export interface Sipp {
  /** Waits until its one call is over; returns what it did not like, or undefined. */
  done(timeoutMs?: number): Promise<string | undefined>;
  /** All messages so far. */
  messages(): readonly SipMessage[];
  stop(): Promise<void>;
}

export function findSipp(): string | null {
  return Bun.which('sipp');
}

/** Starts one endpoint for one call. A callee is ready to be called when this returns. */
export async function startSipp({ scenario, address, port, proxy }: SippOptions): Promise<Sipp> {
  const folder = temporaryFolder();
  const file = join(folder, `${scenario.name}.xml`);
  const log = join(folder, 'messages.log');
  const errors = join(folder, 'errors.log');
  writeFileSync(file, scenarioXml(scenario));
  const child = own(
    Bun.spawn(
      leashed([
        'sipp',
        ...(proxy === undefined ? [] : [proxy]),
        ...['-sf', file, '-i', address, '-p', String(port), '-m', '1', '-s', '4711', '-nostdin'],
        ...['-trace_msg', '-message_file', log, '-trace_err', '-error_file', errors],
        ...['-timeout', '20s', '-timeout_error', '-recv_timeout', '8000', '-default_behaviors', 'all,-bye'],
      ]),
      { cwd: folder, stdin: 'ignore', stdout: 'ignore', stderr: 'ignore', env: { ...Bun.env, TERM: 'dumb' } },
    ),
  );
  let code: number | undefined;
  child.exited.then((exit) => {
    code = exit;
  });
  if (scenario.role === 'callee') {
    await poll(
      () => (code !== undefined || isBound(address, port) ? true : undefined),
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

  return {
    async done(timeoutMs = 20_000) {
      await poll(
        () => code,
        () => `sipp ${scenario.name} does not end:\n${read(log)}`,
        timeoutMs,
      );

      return code === 0
        ? undefined
        : `sipp ${scenario.name} ended with ${code}:\n${read(errors)}\n${read(log)}`;
    },
    messages: () => parseMessages(read(log)),
    async stop() {
      await endProcess(child);
    },
  };
}

/** Whether somebody has bound a UDP port, as the kernel tells. */
function isBound(address: string, port: number): boolean {
  const hex = address
    .split('.')
    .reverse()
    .map((byte) => Number(byte).toString(16).padStart(2, '0'))
    .join('')
    .toUpperCase();
  const wanted = `${hex}:${port.toString(16).padStart(4, '0').toUpperCase()}`;

  return readFileSync('/proc/net/udp', 'latin1').includes(` ${wanted} `);
}

function parseMessages(log: string): SipMessage[] {
  return log.split(/^-{10,}.*$/m).flatMap((part): SipMessage[] => {
    const head = /UDP message (sent|received)[^\n]*\n/.exec(part);
    if (head === null) return [];
    const text = part.slice(head.index + head[0].length).replace(/^\s+/, '');
    const [top = '', ...rest] = text.split(/\r?\n\r?\n/);
    const header = (name: string) => new RegExp(`^${name}:\\s*(.+)$`, 'im').exec(top)?.[1]?.trim() ?? '';
    const body = rest.join('\r\n\r\n').trim();

    return [
      {
        isReceived: head[1] === 'received',
        start: top.split(/\r?\n/)[0] ?? '',
        cseq: header('CSeq'),
        callId: header('Call-ID'),
        sdp: body.startsWith('v=') ? body : '',
      },
    ];
  });
}

/** Every address in every SDP an endpoint received, each once. */
export function addressesSeen(endpoint: Sipp): string[] {
  const seen = endpoint
    .messages()
    .filter(({ isReceived, sdp }) => isReceived && sdp !== '')
    .flatMap(({ sdp }) => readSdp(sdp).addresses);

  return [...new Set(seen)];
}

/** Whether a SIP server answers anything at all. */
export async function answersSip(address: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = await openUdp(address, 0, () => resolve(true));
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
