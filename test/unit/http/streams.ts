/** Reads server-sent events of the API under test. */

import { settle } from '../../fakes/clock.ts';

export interface Sent {
  readonly event: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface Followed {
  text(): string;
  /** The events so far. */
  events(): Sent[];
  isEnded(): boolean;
  leave(): Promise<void>;
}

/** Reads a stream as far as it is there. */
export async function followBody(response: Response): Promise<Followed> {
  const reader = (response.body ?? new ReadableStream<Uint8Array>()).getReader();
  let text = '';
  let isEnded = false;
  (async () => {
    for (;;) {
      const { done, value } = await reader.read();
      isEnded = done;
      if (done) return;
      text += Buffer.from(value).toString('utf8');
    }
  })();
  await settle();

  return {
    text: () => text,
    events: () =>
      [...text.matchAll(/^event: (.*)\ndata: (.*)$/gm)].map(([, event = '', data = '']) => ({
        event,
        data: JSON.parse(data) as Sent['data'],
      })),
    isEnded: () => isEnded,
    leave: () => reader.cancel(),
  };
}
