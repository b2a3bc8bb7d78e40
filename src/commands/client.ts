/** The management API as the command line uses it. */

import { readFileSync } from 'node:fs';
import { inWords } from '../store/places.ts';
import { type Args, type Flags, UsageError } from './args.ts';
import type { Io } from './command.ts';
import { isObject, textOf } from './json.ts';

/** Where the service listens unless told otherwise. */
export const DEFAULT_URL = 'http://127.0.0.1:7888';
/** A command waits no longer for an answer, in milliseconds. */
const TIMEOUT_MS = 30_000;

/** Flags of every command that uses the API. */
export const CLIENT_FLAGS = {
  url: 'value',
  unix: 'file',
  'token-file': 'file',
  'ca-file': 'file',
  json: 'switch',
} as const satisfies Flags;

export const CLIENT_HELP = `  --url URL          Address of the service; also RTP_CLUSTER_URL. Default: that of this host's settings,
                     or ${DEFAULT_URL}
  --unix PATH        Use this unix socket instead
  --token-file FILE  File whose first line is the token, or ROLE NAME TOKEN; else RTP_CLUSTER_TOKEN, else that
                     of this host's settings, as far as this user may read them
  --ca-file FILE     Certificates (PEM) by which an https service is known, if not by those of this host;
                     also RTP_CLUSTER_CA_FILE
  --json             Print the answer of the service as it is (JSON)`;

/** An answer of the service that is a success. */
export interface Reply {
  readonly text: string;
  readonly json: unknown;
}

/** Bytes as they come. */
export type Stream = ReadableStream<Uint8Array>;

/** The service refused, or there is none. */
export class ApiError {
  constructor(
    /** What to tell the user. */
    readonly message: string,
    /** What the service sent, undefined if nothing useful came. */
    readonly reply?: Reply,
    /** Whether there was no answer at all, so that another try may help. */
    readonly isUnreachable = false,
  ) {}
}

export type Method = 'GET' | 'POST' | 'PUT' | 'DELETE';

export interface Api {
  /** Opens a stream of server-sent events. It ends with `signal`, or as the service likes. */
  open(
    path: string,
    headers: Readonly<Record<string, string>>,
    signal: AbortSignal,
  ): Promise<Stream | ApiError>;
  /** One request; `path` begins with `/v1/`. Never throws for what the other end does. */
  call(method: Method, path: string, body?: unknown): Promise<Reply | ApiError>;
}

interface Target {
  readonly base: string;
  readonly unix: string | undefined;
  readonly token: string | undefined;
  /** Certificates in PEM by which the service is known; undefined for those of this host. */
  readonly ca?: string | undefined;
  /** For messages. */
  readonly name: string;
  readonly timeoutMs: number;
}

/** What a client does where flags and environment say nothing. */
export interface ClientDefaults {
  readonly url?: string | undefined;
  /** Goes before `url`. */
  readonly unix?: string | undefined;
  /** For this address only: another one is not to learn it. */
  readonly token?: string | undefined;
  /** How long it waits for an answer, in milliseconds. */
  readonly timeoutMs?: number;
}

/** Makes a client by the flags and the environment. */
export function connect(args: Args, io: Io, defaults: ClientDefaults = {}): Api | UsageError {
  const url = args.one('url');
  const isSilent =
    url === undefined && args.one('unix') === undefined && io.env.RTP_CLUSTER_URL === undefined;
  const unix = args.one('unix') ?? (isSilent ? defaults.unix : undefined);
  if (unix !== undefined && url !== undefined)
    return new UsageError('--url and --unix are both given; give the one to use');
  const token = readToken(
    args.one('token-file'),
    io.env.RTP_CLUSTER_TOKEN ?? (isSilent ? defaults.token : undefined),
  );
  if (token instanceof UsageError) return token;
  const timeoutMs = defaults.timeoutMs ?? TIMEOUT_MS;
  if (unix !== undefined) return client({ base: 'http://localhost', unix, token, name: unix, timeoutMs });

  const text = url ?? io.env.RTP_CLUSTER_URL ?? defaults.url ?? DEFAULT_URL;
  const base = URL.parse(text);
  if (base === null || !/^https?:$/.test(base.protocol)) {
    const from = url === undefined ? 'RTP_CLUSTER_URL' : '--url';

    return new UsageError(`${from} is "${text}"; allowed is a URL such as ${DEFAULT_URL}`);
  }
  if (base.username !== '' || base.search !== '' || base.hash !== '')
    return new UsageError(
      'the URL has a user, a query or a fragment; allowed are scheme, host, port and path',
    );

  const ca = readCa(args.one('ca-file'), io.env.RTP_CLUSTER_CA_FILE);
  if (ca instanceof UsageError) return ca;
  const target = { base: base.href.replace(/\/+$/, ''), unix: undefined, token, ca, timeoutMs };

  return client({ ...target, name: base.href });
}

function readToken(file: string | undefined, fromEnv: string | undefined): string | undefined | UsageError {
  if (file === undefined) return fromEnv === '' ? undefined : fromEnv?.trim();
  try {
    const lines = readFileSync(file, 'utf8').split(/\r?\n/);
    const line = lines.map((line) => line.trim()).find((line) => line !== '' && !line.startsWith('#'));

    // The token stands last in the file of the service too.
    return line?.split(/\s+/).at(-1) ?? new UsageError(`--token-file: ${file} holds no token`);
  } catch (error) {
    return new UsageError(`--token-file: cannot read ${file}: ${inWords(error)}`);
  }
}

/** The certificates of a file. */
function readCa(file: string | undefined, fromEnv: string | undefined): string | undefined | UsageError {
  const path = file ?? fromEnv;
  if (path === undefined || path === '') return undefined;
  const from = file === undefined ? 'RTP_CLUSTER_CA_FILE' : '--ca-file';
  try {
    const text = readFileSync(path, 'utf8');
    if (!text.includes('-----BEGIN CERTIFICATE-----'))
      return new UsageError(`${from}: ${path} holds no certificate; allowed is PEM`);

    return text;
  } catch (error) {
    return new UsageError(`${from}: cannot read ${path}: ${inWords(error)}`);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function client(target: Target): Api {
  // fetch would send even requests for this host, and the token in them, to a proxy of the environment.
  process.env.NO_PROXY = '*';

  return {
    call: (method, path, body) => send(target, method, path, body),
    open: (path, headers, signal) => openStream(target, path, headers, signal),
  };
}

async function send(target: Target, method: Method, path: string, body: unknown): Promise<Reply | ApiError> {
  const headers = headersOf(target, { accept: 'application/json' });
  if (headers instanceof ApiError) return headers;
  if (body !== undefined) headers.set('content-type', 'application/json');
  try {
    const signal = AbortSignal.timeout(target.timeoutMs);
    const content = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await ask(target, path, { method, headers, signal, ...content });

    return readReply(target, response.status, await response.text());
  } catch (error) {
    return new ApiError(unreachable(target, error, method !== 'GET'), undefined, true);
  }
}

async function openStream(
  target: Target,
  path: string,
  more: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Stream | ApiError> {
  const headers = headersOf(target, { ...more, accept: 'text/event-stream' });
  if (headers instanceof ApiError) return headers;
  try {
    const response = await ask(target, path, { headers, signal });
    const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') === true;
    if (response.ok && isStream && response.body !== null) return response.body;
    const reply = readReply(target, response.status, await response.text());

    return reply instanceof ApiError
      ? reply
      : new ApiError(`${target.name} does not stream events; is its version older than this command?`);
  } catch (error) {
    return new ApiError(unreachable(target, error), undefined, true);
  }
}

function headersOf(target: Target, fields: Readonly<Record<string, string>>): Headers | ApiError {
  const headers = new Headers(fields);
  try {
    if (target.token !== undefined) headers.set('authorization', `Bearer ${target.token}`);
  } catch {
    return new ApiError(
      'the token has characters that cannot be sent; correct --token-file or RTP_CLUSTER_TOKEN',
    );
  }

  return headers;
}

function ask(target: Target, path: string, init: RequestInit): Promise<Response> {
  const unix = target.unix === undefined ? {} : { unix: target.unix };

  const tls = target.ca === undefined ? {} : { tls: { ca: target.ca } };

  // The token must not follow a redirect to somewhere else.
  return fetch(target.base + path, { ...init, redirect: 'manual', ...unix, ...tls });
}

function readReply(target: Target, status: number, text: string): Reply | ApiError {
  const isEmpty = status === 204 || (text === '' && status < 300);
  const json = isEmpty ? null : parseJson(text);
  if (json === undefined || (status >= 300 && !isObject(json))) {
    const start = text.slice(0, 80).replace(/\s+/g, ' ');

    return new ApiError(
      `${target.name} answered ${status} with something that is not from rtp_cluster ("${start}"); check --url or RTP_CLUSTER_URL`,
    );
  }
  const reply = { text, json };
  if (status < 300) return reply;
  const how = status === 401 ? '; give one with --token-file FILE or RTP_CLUSTER_TOKEN' : '';
  const message = textOf(json, 'message').replace(/[.;]$/, '');

  return new ApiError(
    `${message === '' ? `status ${status}` : message}${how} (${textOf(json, 'code') || status})`,
    reply,
  );
}

/** The JSON value of a text, undefined if it is none. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unreachable(target: Target, error: unknown, isChange = false): string {
  if (error instanceof Error && error.name === 'TimeoutError') {
    const caution = isChange ? '; the change may have been made: look before you repeat it' : '';

    return `${target.name} did not answer within ${target.timeoutMs / 1000} s${caution}`;
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (/CERT|VERIFY_LEAF/.test(code)) {
    const how = 'name the certificate of its authority by --ca-file or RTP_CLUSTER_CA_FILE';

    return `the certificate of ${target.name} is not good for us (${messageOf(error)}); ${how}, or ask by a name that stands in it`;
  }
  const why = /^E[A-Z]+$/.test(code) ? code : messageOf(error);
  const other = target.unix === undefined ? '--url, RTP_CLUSTER_URL or --unix' : '--unix or --url';

  return `no answer from ${target.name} (${why}); is the service running there (systemctl status rtp-cluster)? Another address is given with ${other}`;
}
