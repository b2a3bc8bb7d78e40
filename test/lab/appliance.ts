/** Runs the appliance as its users do: a process, from the sources or as the compiled binary. */

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { endProcess, inNamespace, leashed, own, poll, temporaryFolder } from './processes.ts';

const ROOT = join(import.meta.dir, '..', '..');
/** What `npm run build` makes. */
export const BINARY = join(ROOT, 'dist', 'rtp-cluster');
const START_MS = 20_000;
const MAX_LOG = 2_000_000;

export interface ApplianceOptions {
  /** Path of the compiled binary; from the sources if missing. */
  readonly binary?: string;
  /** Database file; one in a temporary folder if missing. */
  readonly database?: string;
  /** 0, the default, lets the system choose. */
  readonly port?: number;
  /** Where it serves ng, as `ng.listen` has it; nowhere if missing, and null is the default. */
  readonly ngListen?: string | null;
  /** Further flags of `serve`. */
  readonly flags?: readonly string[];
  /** Bearer token it asks for; none if missing. */
  readonly token?: string;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Network namespace it runs in. Its API is then asked over a unix socket, because files are the same for all of them. */
  readonly namespace?: string;
}

/** One line of its log. */
export type LogLine = Readonly<Record<string, unknown>>;

export interface Appliance {
  readonly url: string;
  readonly pid: number;
  readonly database: string;
  /** What it logged so far, oldest first. */
  logs(): readonly LogLine[];
  /** All it wrote so far, for reports. */
  output(): string;
  /** Asks it to end and waits; returns the exit code. */
  stop(): Promise<number>;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** A request to its API; throws unless the status is 2xx. */
  api(method: 'GET' | 'POST' | 'PUT' | 'DELETE', path: string, body?: unknown): Promise<unknown>;
}

/** How to run a command of the appliance: `[...commandLine(), 'node', 'list']`. */
export function commandLine(binary?: string): readonly string[] {
  return binary === undefined ? [process.execPath, join(ROOT, 'src', 'main.ts')] : [binary];
}

/** The compiled binary; built first if there is none, or if a source is newer. RTPC_BINARY names another one. */
export async function ensureBinary(): Promise<string> {
  if (Bun.env.RTPC_BINARY !== undefined) return Bun.env.RTPC_BINARY;
  if (existsSync(BINARY) && newestSource() < statSync(BINARY).mtimeMs) return BINARY;
  const build = Bun.spawn([process.execPath, join(ROOT, 'scripts', 'build.ts')], {
    cwd: ROOT,
    stdout: 'pipe',
    stderr: 'pipe',
  });
  const [code, out, err] = await Promise.all([
    build.exited,
    new Response(build.stdout).text(),
    new Response(build.stderr).text(),
  ]);
  if (code !== 0) throw new Error(`the build failed:\n${out}${err}`);

  return BINARY;
}

function newestSource(): number {
  const files = new Bun.Glob('{src,drizzle}/**/*').scanSync({ cwd: ROOT, absolute: true });

  return Math.max(...[...files].map((file) => statSync(file).mtimeMs));
}

export async function startAppliance(options: ApplianceOptions = {}): Promise<Appliance> {
  const database = options.database ?? join(temporaryFolder(), 'rtp-cluster.db');
  const { token, namespace } = options;
  const socket = namespace === undefined ? {} : { unix: join(temporaryFolder(), 'api.sock') };
  const env = Object.fromEntries(Object.entries(Bun.env).filter(([key]) => !key.startsWith('RTP_CLUSTER_')));
  const child = own(
    Bun.spawn(
      leashed(
        inNamespace(namespace, [
          ...commandLine(options.binary),
          'serve',
          `--database-path=${database}`,
          `--http-listen=127.0.0.1:${options.port ?? 0}`,
          ...(options.ngListen === null ? [] : [`--ng-listen=${options.ngListen ?? ''}`]),
          '--log-format=json',
          ...(socket.unix === undefined ? [] : [`--http-unix=${socket.unix}`]),
          ...(options.flags ?? []),
        ]),
      ),
      {
        cwd: temporaryFolder(),
        env: { ...env, ...(token === undefined ? {} : { RTP_CLUSTER_TOKEN: token }), ...options.env },
        stdin: 'ignore',
        stdout: 'pipe',
        stderr: 'pipe',
      },
    ),
  );
  let output = '';
  const collect = async (stream: ReadableStream<Uint8Array>): Promise<void> => {
    for await (const chunk of stream) output = (output + Buffer.from(chunk).toString('utf8')).slice(-MAX_LOG);
  };
  const collected = Promise.all([collect(child.stdout), collect(child.stderr)]);
  collected.catch(() => undefined);
  const logs = (): LogLine[] => output.split('\n').flatMap(parseLine);
  let ended: number | undefined;
  child.exited.then((code) => {
    ended = code;
  });
  const url = await poll(
    async () => {
      if (ended !== undefined) throw new Error(`the appliance ended with code ${ended}:\n${output}`);
      const started = logs().find((line) => Object.values(line).includes('appliance.started'))?.url;
      if (typeof started !== 'string') return undefined;
      const ready = await fetch(`${started}/readyz`, socket).catch(() => undefined);

      return ready?.ok === true ? started : undefined;
    },
    () => `the appliance does not start:\n${output}`,
    START_MS,
  );

  return {
    url,
    pid: child.pid,
    database,
    logs,
    output: () => output,
    async stop() {
      const code = await endProcess(child, 10_000);
      await collected;

      return code;
    },
    async kill() {
      child.kill('SIGKILL');
      await child.exited;
    },
    async api(method, path, body) {
      const response = await fetch(url + path, {
        ...socket,
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await response.text();
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);

      return text === '' ? undefined : JSON.parse(text);
    },
  };
}

function parseLine(line: string): LogLine[] {
  if (!line.startsWith('{')) return [];
  try {
    return [JSON.parse(line) as LogLine];
  } catch {
    return [];
  }
}

/** Waits until the appliance has found a node to be good and knows its figures: before, placement may go another way. */
export async function settled(appliance: Pick<Appliance, 'api'>, nodeId: number): Promise<void> {
  await poll(
    async () => {
      const { health, load } = (await appliance.api('GET', `/v1/nodes/${nodeId}`)) as {
        health: { state: string };
        load: { sessions: number | null };
      };

      return health.state === 'up' && load.sessions !== null ? true : undefined;
    },
    () => `node ${nodeId} did not come up`,
  );
}
