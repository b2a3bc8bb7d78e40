/**
 * The commands of the ng protocol, done by the cluster as one rtpengine would do them (reference: ng-protocol 4 and 14): its use
 * cases are those of the HTTP door, so a call begun at one door may go on at the other.
 */

import type { CallTable } from '../calls/call-table.ts';
import { refuseCommand } from '../calls/commands.ts';
import { NOT_FOUND } from '../calls/ending.ts';
import type { Relayed } from '../calls/facts.ts';
import type { Requests } from '../calls/requests.ts';
import { Failure } from '../domain/errors.ts';
import type { Sides } from '../domain/side.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { NgDict } from '../relay/driver.ts';
import type { Clock } from '../util/clock.ts';
import { log } from '../util/log.ts';
import { type Asked, errorReply } from './replies.ts';
import { NgRequest } from './request.ts';
import { mergedStatistics } from './statistics.ts';

export interface NgCommandsParts {
  readonly requests: Pick<Requests, 'offer' | 'answer' | 'delete' | 'query' | 'command'>;
  readonly fleet: Pick<Fleet, 'all' | 'membersOf'>;
  readonly calls: Pick<CallTable, 'get' | 'values'>;
  readonly sides: Sides;
  readonly clock: Clock;
}

/** Bytes of Call-IDs in a `list`: with the rest of the reply they fit into a datagram (ng-protocol 1.3). */
const MAX_LIST_BYTES = 60_000;

export class NgCommands {
  /** Since the start: messages, those answered with an error or `load limit`, and lists cut to fit into a datagram. */
  readonly counters = { messages: 0, errors: 0, cutLists: 0 };
  readonly #parts: NgCommandsParts;
  /** Lines about refusals in this second; `since` is monotonic ms. */
  #quiet = { since: Number.NEGATIVE_INFINITY, lines: 0 };

  constructor(parts: NgCommandsParts) {
    this.#parts = parts;
  }

  /**
   * The reply to a message.
   * @param setId the set of the port it came to
   * @param client the address it came from, for the log
   */
  readonly handle = async (message: NgDict, setId: number, client = ''): Promise<NgDict> => {
    this.counters.messages++;
    const request = NgRequest.read(message, setId, this.#parts.sides, client);
    if (request instanceof Failure) return this.#refuse(request, { ...NOTHING_READ, client });
    const answer = await this.#do(request);

    return answer instanceof Failure ? this.#fail(answer, request) : answer;
  };

  async #do(request: NgRequest): Promise<NgDict | Failure> {
    const { command } = request;
    switch (command) {
      case '':
        return this.#refuse(NO_COMMAND, request);
      case 'ping':
        return this.#ping(request);
      case 'list':
        return this.#list(request);
      case 'statistics':
        return this.#statistics(request);
      case 'offer':
        return this.#offer(request);
      case 'answer':
        return this.#answer(request);
      case 'delete':
        return this.#delete(request);
      case 'query':
        return this.#query(request);
      default:
        return this.#command(request);
    }
  }

  /**
   * Local, by the state of the set: `pong` while it has a node that is not known to be dead, since calls of a node live on whatever
   * its order. Otherwise an error at once: the modules take any reply but `pong` for a failure, as they take silence, but silence
   * costs a SIP worker 5 s (sip-proxies 7.5). A node known to be dead does not count although an offer may try it as the last
   * resort: another relay of the proxy is the better choice then.
   */
  #ping(request: NgRequest): NgDict | Failure {
    const setId = request.setId();
    if (setId instanceof Failure) return this.#refuse(setId, request);
    let nodes = 0;
    // Removed nodes too: they serve the calls they have.
    for (const member of this.#parts.fleet.all()) {
      if (member.node.setId !== setId) continue;
      if (member.verdict('bound') === 'yes') return { result: 'pong' };
      nodes++;
    }

    return new Failure(
      'RTPC_NO_NODE',
      nodes === 0 ? `set ${setId} has no node` : `all ${nodes} nodes of set ${setId} are down`,
    );
  }

  /**
   * Live calls of the set which a node has, the oldest first. Calls of others on the same nodes are not told: no client of ours has
   * them. Cut where the reply would not fit into a datagram.
   */
  #list(request: NgRequest): NgDict | Failure {
    const setId = request.setId();
    const limit = request.limit();
    if (setId instanceof Failure) return this.#refuse(setId, request);
    if (limit instanceof Failure) return this.#refuse(limit, request);
    const calls: string[] = [];
    let bytes = 0;
    if (limit > 0) {
      for (const call of this.#parts.calls.values()) {
        if (call.setId !== setId || call.nodeId === null) continue;
        // The longer of the two encodings; JSON escapes.
        bytes += JSON.stringify(call.callId).length + 4;
        if (bytes > MAX_LIST_BYTES) {
          this.counters.cutLists++;
          break;
        }
        calls.push(call.callId);
        if (calls.length === limit) break;
      }
    }

    return { result: 'ok', calls };
  }

  #statistics(request: NgRequest): NgDict | Failure {
    const setId = request.setId();
    if (setId instanceof Failure) return this.#refuse(setId, request);
    const { fleet, clock } = this.#parts;

    return { result: 'ok', statistics: mergedStatistics(fleet.membersOf(setId), clock.monotonic()) };
  }

  async #offer(request: NgRequest): Promise<NgDict | Failure> {
    if (request.isFragment) return this.#fragment(request);
    const facts = request.offer();
    if (facts instanceof Failure) return this.#refuse(facts, request);
    const isNewCall = request.isNewCall || this.#parts.calls.get(facts.callId) === undefined;
    const answer = await this.#parts.requests.offer(facts);
    // The offer in a reply names both parties and may begin a call all the same.
    if (answer instanceof Failure) return this.#fail(answer, { ...asked(request), isNewCall });

    return sdpReply(answer);
  }

  async #answer(request: NgRequest): Promise<NgDict | Failure> {
    if (request.isFragment) return this.#fragment(request);
    const facts = request.answer();
    if (facts instanceof Failure) return this.#refuse(facts, request);

    return sdpReply(await this.#parts.requests.answer(facts));
  }

  /**
   * A piece of an SDP with further ICE candidates, for the relay alone: it goes to the node of the call, and no SDP comes back
   * (ng-protocol 3).
   */
  async #fragment(request: NgRequest): Promise<NgDict | Failure> {
    const relayed = request.relayed();
    if (relayed instanceof Failure) return this.#refuse(relayed, request);
    // As with rtpengine: what comes before its offer is not missed.
    if (this.#parts.calls.get(relayed.facts.callId) === undefined) return { result: 'ok' };
    const result = await this.#parts.requests.command(relayed.message, relayed.facts);

    return result instanceof Failure ? result : { result: 'ok' };
  }

  /** A call that nobody has is as good as ended: a warning, unless the client wants to know by the flag `fatal`. */
  async #delete(request: NgRequest): Promise<NgDict | Failure> {
    const facts = request.delete();
    if (facts instanceof Failure) return this.#refuse(facts, request);
    const result = await this.#parts.requests.delete(facts);
    if (result instanceof Failure && !isUnknown(result)) return result;
    const { reply } = result instanceof Failure ? { reply: { result: 'ok', warning: NOT_FOUND } } : result;
    if (reply === undefined) return { result: 'ok', warning: LATER };
    if (reply.warning !== NOT_FOUND || !request.hasFlag('fatal')) return { ...reply, result: 'ok' };

    return new Failure('RTPC_CALL_UNKNOWN', `call ${facts.callId} is not there to be deleted`, NOT_FOUND);
  }

  async #query(request: NgRequest): Promise<NgDict | Failure> {
    const facts = request.query();
    if (facts instanceof Failure) return this.#refuse(facts, request);
    const { callId, setId, fromTag } = facts;
    const result = await this.#parts.requests.query(
      callId,
      setId,
      fromTag === '' ? undefined : fromTag,
      'ng',
    );

    return result instanceof Failure ? result : result.reply;
  }

  async #command(request: NgRequest): Promise<NgDict | Failure> {
    const refused = refuseCommand(request.command.slice(0, MAX_SHOWN));
    if (refused !== undefined) return this.#refuse(refused, request);
    const relayed = request.relayed();
    if (relayed instanceof Failure) return this.#refuse(relayed, request);
    const result = await this.#parts.requests.command(relayed.message, relayed.facts);

    return result instanceof Failure ? result : result.reply;
  }

  /** What never became a request of a call is noted nowhere else. A client that repeats itself must not fill the log. */
  #refuse(failure: Failure, request: Asked & { readonly client: string; readonly callId?: string }): NgDict {
    const now = this.#parts.clock.monotonic();
    if (now - this.#quiet.since >= 1000) {
      if (this.#quiet.lines > MAX_LINES)
        log.info('ng.refused_more', { lines: this.#quiet.lines - MAX_LINES });
      this.#quiet = { since: now, lines: 0 };
    }
    if (++this.#quiet.lines <= MAX_LINES) {
      const { command, client, callId = '' } = request;
      log.info('ng.refused', {
        command: command.slice(0, MAX_SHOWN),
        client,
        ...(callId === '' ? {} : { call_id: callId }),
        result: failure.code,
        reason: failure.message,
      });
    }

    return this.#fail(failure, request);
  }

  #fail(failure: Failure, asked: Asked): NgDict {
    this.counters.errors++;

    return errorReply(failure, asked);
  }
}

/** Refusals logged in a second; the number of further ones is told in the next. */
const MAX_LINES = 10;
/** Bytes of a client's command that are shown; all commands are shorter. */
const MAX_SHOWN = 100;

/** What is known of a message that could not be read. */
const NOTHING_READ: Asked = { command: '', sdp: '', isNewCall: false, knowsLoadLimit: false };

const NO_COMMAND = new Failure(
  'RTPC_BAD_PARAMETER',
  'command is missing',
  'Dictionary contains no key "command"',
);

const LATER = 'the node did not answer; it will be told again until it does';

function asked({ command, sdp, isNewCall, knowsLoadLimit }: NgRequest): Asked {
  return { command, sdp, isNewCall, knowsLoadLimit };
}

function sdpReply(answer: Relayed | Failure): NgDict | Failure {
  return answer instanceof Failure ? answer : { result: 'ok', sdp: answer.sdp };
}

function isUnknown({ code }: Failure): boolean {
  return code === 'RTPC_CALL_UNKNOWN' || code === 'RTPC_CALL_LOST';
}
