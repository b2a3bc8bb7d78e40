/** `POST /ng`: the ng protocol over HTTP, as rtpengine's `listen-http` has it (reference: ng-protocol 1.5). */

import { Elysia } from 'elysia';
import { Failure } from '../domain/errors.ts';
import { failureResponse } from './responses.ts';

/** The reply to `COOKIE SP PAYLOAD`; undefined if that is no message. */
export type AskNg = (message: Uint8Array, setId: number) => Promise<Uint8Array | undefined>;

const TYPE = 'application/x-rtpengine-ng';

export function ngRoutes(ask: AskNg) {
  return new Elysia().post(
    '/ng',
    async ({ request }) => {
      if (request.headers.get('content-type') !== TYPE) {
        return failureResponse(new Failure('RTPC_BAD_BODY', `the content type must be ${TYPE}`));
      }
      const set = new URL(request.url).searchParams.get('set') ?? '0';
      if (!/^\d{1,9}$/.test(set)) {
        return failureResponse(
          new Failure('RTPC_BAD_PARAMETER', `set is "${set}"; it must be a whole number from 0 to 999999999`),
        );
      }
      const reply = await ask(await request.bytes(), Number(set));
      if (reply !== undefined) return new Response(Buffer.from(reply), { headers: { 'Content-Type': TYPE } });

      return failureResponse(
        new Failure('RTPC_BAD_BODY', 'the body must be a cookie, a space and a message in bencode or JSON'),
      );
    },
    {
      // The body is read by us: Elysia knows no such type.
      parse: 'none',
      detail: {
        tags: ['media'],
        summary: 'A message of the ng protocol',
        description: `The protocol of rtpengine with its cookie, as at /ng of rtpengine; content type ${TYPE}. docs/ng.md has the rules.`,
        parameters: [
          {
            name: 'set',
            in: 'query',
            schema: { type: 'integer', minimum: 0, default: 0 },
            description: 'Set of nodes for new calls, as the port is for datagrams',
          },
        ],
      },
    },
  );
}
