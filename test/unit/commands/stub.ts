/** A stand-in for the management API, and an `Io` that remembers. */

import type { Io } from '../../../src/commands/command.ts';

export interface Seen {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
  readonly authorization: string | null;
}

export interface Stub {
  readonly url: string;
  readonly seen: Seen[];
  stop(): Promise<void>;
}

/** Answers by `METHOD /path?query`; a value is 200 JSON, a Response is itself, anything else is 404. */
export function startStub(answers: Readonly<Record<string, unknown>>): Stub {
  const seen: Seen[] = [];
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const url = new URL(request.url);
      const path = url.pathname + url.search;
      const text = await request.text();
      seen.push({
        method: request.method,
        path,
        body: text === '' ? undefined : JSON.parse(text),
        authorization: request.headers.get('authorization'),
      });
      const answer = answers[`${request.method} ${path}`];
      if (answer instanceof Response)
        return new Response(await answer.clone().text(), { status: answer.status, headers: answer.headers });
      if (answer !== undefined) return Response.json(answer);

      return Response.json({ code: 'RTPC_NOT_FOUND', message: 'No such path.' }, { status: 404 });
    },
  });

  return { url: `http://127.0.0.1:${server.port}`, seen, stop: () => server.stop(true) };
}

export interface TestIo extends Io {
  readonly outLines: string[];
  readonly errLines: string[];
}

export function testIo(env: Record<string, string> = {}): TestIo {
  const outLines: string[] = [];
  const errLines: string[] = [];

  return {
    outLines,
    errLines,
    env,
    out: (line) => void outLines.push(...line.split('\n')),
    err: (line) => void errLines.push(...line.split('\n')),
  };
}
