/** Server-sent events of the API, read as a browser does: what came so far, and when. */

import { leashed, own } from './processes.ts';

export interface Came {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface EventSource {
  /** The events so far, oldest first. */
  events(): readonly Came[];
  /** Everything so far, for reports. */
  text(): string;
  /** Whether the stream has ended. */
  isEnded(): boolean;
  close(): void;
}

/** Opens a stream by curl: `fetch` of the test runner keeps what it has not been asked for to itself. */
export function openEventSource(url: string, headers: Readonly<Record<string, string>> = {}): EventSource {
  const given = Object.entries({ Accept: 'text/event-stream', ...headers }).flatMap(([name, value]) => [
    '-H',
    `${name}: ${value}`,
  ]);
  const child = own(
    Bun.spawn(leashed(['curl', '-sN', ...given, url]), { stdin: 'ignore', stdout: 'pipe', stderr: 'ignore' }),
  );
  let text = '';
  let isEnded = false;
  (async () => {
    for await (const chunk of child.stdout) text += Buffer.from(chunk).toString('utf8');
    isEnded = true;
  })().catch(() => undefined);

  return {
    events: () =>
      [...text.matchAll(/^event: (.*)\ndata: (.*)\n\n/gm)].map(([, event = '', data = '']) => ({
        event,
        data: JSON.parse(data) as Came['data'],
      })),
    text: () => text,
    isEnded: () => isEnded,
    close: () => void child.kill('SIGKILL'),
  };
}
