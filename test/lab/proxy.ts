/** Hands SIP messages to the appliance as a proxy's script does: one POST for each, facts in the query. */

import { audioOf } from './sdp.ts';

export interface AutoFacts {
  readonly method: string;
  /** 'caller' sends requests with the caller's tag in From; in replies it is still the request's From. */
  readonly fromTag: string;
  readonly toTag?: string;
  readonly status?: number;
  readonly cseq?: number;
  readonly dir?: string;
  readonly set?: number;
  /** Source address of the SIP message. */
  readonly src?: string;
  readonly branch?: string;
  readonly end?: string;
  readonly body?: string;
  readonly contentType?: string;
}

export interface AutoReply {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly tookMs: number;
}

export class SipProxy {
  readonly #url: string;
  readonly #token: string | undefined;

  constructor(url: string, token?: string) {
    this.#url = url;
    this.#token = token;
  }

  /** The request as it goes out, for examples. */
  urlOf(callId: string, facts: AutoFacts): string {
    const { method, fromTag, toTag, status, cseq, dir, set, src, branch, end } = facts;
    // A proxy prints "<null>" for what is not there.
    const query = Object.entries({
      'call-id': callId,
      'from-tag': fromTag,
      'to-tag': toTag ?? '<null>',
      method,
      status: status ?? '<null>',
      cseq,
      dir,
      set,
      src,
      branch,
      end,
    }).filter(([, value]) => value !== undefined);

    return `${this.#url}/v1/media/auto?${query.map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`).join('&')}`;
  }

  async auto(callId: string, facts: AutoFacts): Promise<AutoReply> {
    const { body = '', contentType = 'application/sdp' } = facts;
    const started = performance.now();
    const response = await fetch(this.urlOf(callId, facts), {
      method: 'POST',
      headers: {
        ...(body === '' ? {} : { 'content-type': contentType }),
        ...(this.#token === undefined ? {} : { authorization: `Bearer ${this.#token}` }),
      },
      body,
    });

    return {
      status: response.status,
      body: await response.text(),
      contentType: response.headers.get('content-type') ?? '',
      tookMs: performance.now() - started,
    };
  }

  /** As `auto`, for a message whose body must come back rewritten; throws what the appliance says otherwise. */
  async relayed(callId: string, facts: AutoFacts): Promise<string> {
    const reply = await this.auto(callId, facts);
    if (reply.status !== 200) throw new Error(`${facts.method}: ${reply.status} ${reply.body}`);

    return reply.body;
  }

  /** As `relayed`, but returns where the audio goes by the SDP that came back. */
  async audio(callId: string, facts: AutoFacts): Promise<ReturnType<typeof audioOf>> {
    return audioOf(await this.relayed(callId, facts));
  }
}
