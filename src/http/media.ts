/** `/v1/media/…`: the door for SIP proxies. The contract is in docs/api.md; why it is so, in sip-proxies 2-4. */

import { Elysia } from 'elysia';
import { refuseCommand } from '../calls/commands.ts';
import type { CallFacts, Relayed } from '../calls/facts.ts';
import { NOTHING, type Requests } from '../calls/requests.ts';
import { type ErrorCode, Failure } from '../domain/errors.ts';
import type { Sides } from '../domain/side.ts';
import type { NgDict, NgValue } from '../relay/driver.ts';
import { findSdp, replaceSdp, type SdpPart } from '../sip/multipart.ts';
import { toText } from '../util/bytes.ts';
import { MEDIA_DOCS } from './media-docs.ts';
import { type JsonBody, Parameters, parseJson } from './parameters.ts';
import { failureResponse, json } from './responses.ts';

/** What a body is, by its first bytes. */
interface Body {
  readonly text: string;
  readonly json: JsonBody | undefined;
  readonly sdp: SdpPart | undefined;
}

export type Operation = 'auto' | 'offer' | 'answer' | 'delete' | 'query' | 'command';

/** Is told of every answer of this door, those to requests included that nobody could read. */
export interface DoorObserver {
  answered(operation: Operation, outcome: 'ok' | 'nothing' | ErrorCode): void;
  /** A request of any kind ended by a defect of ours. */
  defect(): void;
}

/** @param maxBodyBytes larger bodies are refused */
export function mediaRoutes(requests: Requests, sides: Sides, maxBodyBytes: number, observer: DoorObserver) {
  const door = new MediaDoor(requests, sides, maxBodyBytes, observer);
  const routes = new Elysia();
  for (const operation of ['auto', 'offer', 'answer', 'delete', 'query', 'command'] as const) {
    const handle = ({ request }: { request: Request }) => door.handle(operation, request);
    const path = `/v1/media/${operation}`;
    // The body is read by us, whatever type it claims: proxies mangle Content-Type (sip-proxies 2.3).
    routes.post(path, handle, { parse: 'none', detail: MEDIA_DOCS[operation] });
    routes.put(path, handle, { parse: 'none', detail: { hide: true } });
    if (operation !== 'query')
      routes.get(path, () => failureResponse(useOfGet, false), { detail: { hide: true } });
  }

  return routes.get('/v1/media/query', ({ request }) => door.handle('query', request), {
    detail: { hide: true },
  });
}

const useOfGet = new Failure(
  'RTPC_METHOD_NOT_ALLOWED',
  "send this by POST. Kamailio's http_client_query sends GET when the body is empty: give it any word as body",
);

class MediaDoor {
  readonly #requests: Requests;
  readonly #sides: Sides;
  readonly #maxBodyBytes: number;
  readonly #observer: DoorObserver;

  constructor(requests: Requests, sides: Sides, maxBodyBytes: number, observer: DoorObserver) {
    this.#requests = requests;
    this.#sides = sides;
    this.#maxBodyBytes = maxBodyBytes;
    this.#observer = observer;
  }

  async handle(operation: Operation, request: Request): Promise<Response> {
    const body = await this.#read(request);
    const wantsJson =
      body instanceof Failure ||
      body.json !== undefined ||
      (request.headers.get('accept') ?? '').includes('application/json');
    const answer = body instanceof Failure ? body : await this.#run(operation, request, body);
    this.#observer.answered(
      operation,
      answer instanceof Failure ? answer.code : answer === NOTHING ? 'nothing' : 'ok',
    );
    if (answer instanceof Failure) return failureResponse(answer, wantsJson);
    if (answer === NOTHING) return wantsJson ? json({ result: 'ok' }) : new Response(null, { status: 204 });
    if ('reply' in answer)
      return wantsJson || operation !== 'delete' ? json(answer.reply) : new Response(null, { status: 204 });
    if (wantsJson || body instanceof Failure)
      return json({ result: 'ok', sdp: toText(answer.sdp), node: answer.nodeId });

    return sdpResponse(request, body, answer.sdp);
  }

  async #read(request: Request): Promise<Body | Failure> {
    if (request.method === 'GET') return readBody('');
    let bytes: ArrayBuffer;
    try {
      bytes = await request.arrayBuffer();
    } catch {
      return new Failure('RTPC_BAD_BODY', 'the connection ended before the body did');
    }
    if (bytes.byteLength <= this.#maxBodyBytes) return readBody(Buffer.from(bytes).toString('latin1'));

    return new Failure(
      'RTPC_BODY_TOO_LARGE',
      `the body has ${bytes.byteLength} bytes; at most ${this.#maxBodyBytes} are allowed (http.max_body)`,
    );
  }

  async #run(
    operation: Operation,
    request: Request,
    body: Body,
  ): Promise<Relayed | { reply: object } | typeof NOTHING | Failure> {
    const parameters = new Parameters(request.url, request.headers, body.json, this.#sides);
    const facts = readFacts(parameters);
    if (facts instanceof Failure) return facts;
    const { callId, fromTag, toTag, branch, setId } = facts;
    const sdp =
      body.sdp === undefined ? (parameters.text('sdp') ?? '') : body.text.slice(body.sdp.start, body.sdp.end);
    switch (operation) {
      case 'auto':
        return this.#auto(parameters, facts, sdp);
      case 'offer':
        if (fromTag === '') return missing('from-tag');

        return this.#requests.offer({
          ...facts,
          sdp,
          isInDialog: toTag !== undefined,
          ...(toTag === undefined ? { isFromCallee: false } : {}),
        });
      case 'answer':
        if (fromTag === '') return missing('from-tag');
        if (toTag === undefined) return missing('to-tag');

        return this.#requests.answer({ ...facts, toTag, sdp, isFinal: true });
      case 'delete': {
        const end = parameters.end();
        if (end instanceof Failure) return end;
        const result = await this.#requests.delete({
          callId,
          tags: [fromTag, toTag ?? ''].filter((tag) => tag !== ''),
          reason: end ?? 'delete',
          ...(branch === undefined ? {} : { branch }),
          ...(setId === undefined ? {} : { setId }),
        });
        if (result instanceof Failure) return result;

        return {
          reply:
            result.reply === undefined
              ? { result: 'ok', warning: 'the node did not answer; it will be told again until it does' }
              : ngToJson(result.reply),
        };
      }
      case 'query': {
        const result = await this.#requests.query(callId, setId, fromTag === '' ? undefined : fromTag);

        return result instanceof Failure
          ? result
          : { reply: { ...ngToJson(result.reply), node: result.nodeId } };
      }
      case 'command':
        return this.#command(parameters, facts, body);
    }
  }

  async #auto(
    parameters: Parameters,
    facts: CallFacts,
    sdp: string,
  ): Promise<Relayed | typeof NOTHING | Failure> {
    if (facts.fromTag === '') return missing('from-tag');
    const method = parameters.method();
    const status = parameters.status();
    if (method instanceof Failure) return method;
    if (status instanceof Failure) return status;
    const { callId, fromTag, toTag, branch, direction, setId, source, require, prefer, extra } = facts;
    const cseq = parameters.cseq();
    const end = parameters.end();
    if (cseq instanceof Failure) return cseq;
    if (end instanceof Failure) return end;

    return this.#requests.auto({
      sip: {
        callId,
        fromTag,
        method,
        hasSdp: sdp !== '' && !isWithoutMedia(sdp),
        ...(toTag === undefined ? {} : { toTag }),
        ...(status === undefined ? {} : { status }),
        ...(cseq === undefined ? {} : { cseq }),
        ...(branch === undefined ? {} : { branch }),
        ...(end === undefined ? {} : { end }),
      },
      sdp,
      extra,
      ...(direction === undefined ? {} : { direction }),
      ...(setId === undefined ? {} : { setId }),
      ...(source === undefined ? {} : { source }),
      ...(require === undefined ? {} : { require }),
      ...(prefer === undefined ? {} : { prefer }),
    });
  }

  async #command(parameters: Parameters, facts: CallFacts, body: Body): Promise<{ reply: object } | Failure> {
    if (body.json === undefined)
      return new Failure('RTPC_BAD_BODY', 'the body must be a JSON object with "command" and "call-id"');
    const command = parameters.text('command');
    if (command === undefined) return missing('command');
    const refused = refuseCommand(command);
    if (refused !== undefined) return refused;
    const { direction: _, dir: __, set: ___, ...message } = body.json;
    const result = await this.#requests.command({ ...message, command, 'call-id': facts.callId }, facts);

    return result instanceof Failure ? result : { reply: { ...ngToJson(result.reply), node: result.nodeId } };
  }
}

/** Whether this is an SDP of a session without media: legal, as in 3PCC (RFC 3264 section 5), and nothing to relay. */
function isWithoutMedia(sdp: string): boolean {
  return sdp.startsWith('v=') && !/^m=/m.test(sdp);
}

function readBody(text: string): Body | Failure {
  const first = text.trimStart()[0];
  if (first !== '{') return { text, json: undefined, sdp: findSdp(text) };
  const parsed = parseJson(text);

  return parsed instanceof Failure ? parsed : { text, json: parsed, sdp: undefined };
}

/** The facts all operations share; `fromTag` is '' if it was not given. */
function readFacts(parameters: Parameters): CallFacts | Failure {
  const callId = parameters.callId();
  const fromTag = parameters.tag('from-tag');
  const toTag = parameters.tag('to-tag');
  const branch = parameters.branch();
  const direction = parameters.direction();
  const setId = parameters.setId();
  const source = parameters.source();
  const require = parameters.tags('require');
  const prefer = parameters.tags('prefer');
  const extra = parameters.extra();
  for (const value of [callId, fromTag, toTag, branch, direction, setId, source, require, prefer, extra]) {
    if (value instanceof Failure) return value;
  }

  return {
    callId,
    fromTag: fromTag ?? '',
    extra,
    ...(toTag === undefined ? {} : { toTag }),
    ...(branch === undefined ? {} : { branch }),
    ...(direction === undefined ? {} : { direction }),
    ...(setId === undefined ? {} : { setId }),
    ...(source === undefined ? {} : { source }),
    ...(require === undefined ? {} : { require }),
    ...(prefer === undefined ? {} : { prefer }),
  } as CallFacts;
}

function missing(name: string): Failure {
  return new Failure('RTPC_BAD_PARAMETER', `${name} is missing`);
}

/** The whole SIP body with the new SDP in it. */
function sdpResponse(request: Request, body: Body, sdp: string): Response {
  const isBare = body.sdp === undefined || body.text.slice(0, body.sdp.start).trim() === '';
  const whole = body.sdp === undefined ? sdp : replaceSdp(body.text, body.sdp, sdp);
  // Clients strip the last line end, and an SDP without it is cut (sip-proxies 4.2).
  const ended = whole.endsWith('\n') ? whole : `${whole}\r\n`;
  const type = isBare ? 'application/sdp' : (request.headers.get('content-type') ?? 'multipart/mixed');

  // OpenSIPS does not find a header whose name begins with a lower-case letter, as Bun writes it by default.
  return new Response(Buffer.from(ended, 'latin1'), { headers: { 'Content-Type': type } });
}

/** A relay's dictionary as JSON. */
function ngToJson(dict: NgDict): Record<string, unknown> {
  return Object.fromEntries(Object.entries(dict).map(([key, value]) => [toText(key), valueToJson(value)]));
}

function valueToJson(value: NgValue): unknown {
  if (typeof value === 'string') return toText(value);
  if (typeof value === 'number') return value;

  return Array.isArray(value) ? value.map(valueToJson) : ngToJson(value as NgDict);
}
