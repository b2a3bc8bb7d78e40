/** What a SIPp endpoint does, step by step, and the scenario SIPp reads. Its built-in ones do not follow Record-Route. */

/** What a message carries besides the headers every message has. */
export interface Carried {
  readonly sdp?: string;
  readonly headers?: readonly string[];
  /** With a second part that is nobody's business but the endpoints'. */
  readonly isMultipart?: boolean;
}

/** One step of a scenario. */
export type Step =
  /** Sends a request of the dialog, or the INVITE that begins it. */
  | ({ readonly send: string } & Carried)
  /** Sends a reply to the last request. */
  | ({ readonly reply: string } & Carried)
  /** Sends a reply to the INVITE although another request has come since. */
  | ({ readonly replyToInvite: string } & Carried)
  /** Waits for a request. If the one named by `unless` comes, the scenario goes on where it is waited for last. */
  | { readonly request: string; readonly unless?: 'BYE' }
  /** Waits for a reply; those listed before it may come or not. The one named by `or` is as good; an ACK must follow. */
  | {
      readonly response: number;
      readonly maybe?: readonly number[];
      readonly or?: number;
      /** Another callee may be the one who answers, so this one's route and address are not kept. */
      readonly isOneOfMany?: boolean;
    }
  /** Waits until the test says `signal`. */
  | { readonly wait: 'signal' }
  | { readonly pauseMs: number };

export interface Scenario {
  readonly name: string;
  readonly role: 'caller' | 'callee';
  readonly steps: readonly Step[];
}

/** SDP with the endpoint's own address, which no other end may see. */
export function offerBody(port: number | string, mode = 'sendrecv', version = 1): string {
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

/** Second part of multipart bodies. */
export const OTHER_PART = 'what a switchboard has to say to another';
const BOUNDARY = 'part-of-the-lab';
/** A request no scenario sends, so that it can be the test's own. */
export const SIGNAL = 'MESSAGE';
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
  readonly #elements: string[] = [];
  /** Elements SIPp numbers, labels not among them; `[branch-2]` is the branch of the second message before. */
  #count = 0;
  #labels = 0;
  #cseq = 0;
  #inviteCseq = 0;
  #inviteIndex = 0;
  #isInviteToProxy = true;
  #hasDialog = false;
  #lastResponse = 0;
  /** The other response that may have come instead. */
  #otherResponse: { readonly code: number; readonly label: number } | undefined;
  #hasInvite = false;
  /** Where a BYE leads that comes instead of something else. */
  #byeLabel: number | undefined;

  constructor(role: 'caller' | 'callee') {
    this.#isCaller = role === 'caller';
  }

  write(steps: readonly Step[]): readonly string[] {
    for (const [index, step] of steps.entries()) {
      if ('pauseMs' in step) this.#add(`<pause milliseconds="${step.pauseMs}"/>`);
      else if ('wait' in step) this.#add(`<recv request="${SIGNAL}"/>`);
      else if ('request' in step) {
        const isLast = !steps.slice(index + 1).some((later) => 'request' in later);
        this.#awaitRequest(step.request, step.unless !== undefined, isLast);
      } else if ('response' in step) {
        for (const code of step.maybe ?? []) this.#awaitResponse(code, ' optional="true"');
        if (step.or !== undefined) this.#awaitOther(step.or);
        this.#awaitResponse(step.response, '', step.isOneOfMany);
      } else if ('reply' in step) this.#reply(step.reply, step);
      else if ('replyToInvite' in step)
        this.#reply(step.replyToInvite, step, ['Via: [$via]', 'CSeq: [$cseq]']);
      else this.#request(step.send, step);
    }

    return this.#elements;
  }

  #add(element: string): void {
    this.#elements.push(element);
    this.#count++;
  }

  #label(label: number): void {
    this.#elements.push(`<label id="${label}"/>`);
  }

  #awaitRequest(method: string, isByeAllowed: boolean, isLast: boolean): void {
    // Whatever comes inside a dialog has our tag in To.
    if (method !== 'INVITE' && method !== 'CANCEL') this.#hasDialog = true;
    if (isByeAllowed) {
      this.#byeLabel ??= ++this.#labels;
      this.#add(`<recv request="BYE" optional="true" next="${this.#byeLabel}"/>`);
    }
    if (method !== 'INVITE' || this.#hasInvite || this.#isCaller) {
      this.#add(`<recv request="${method}"/>`);
      if (method === 'BYE' && isLast && this.#byeLabel !== undefined) this.#label(this.#byeLabel);

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
    this.#add(`<recv request="INVITE" rrs="true"><action>${keep}</action></recv>`);
  }

  #awaitResponse(code: number, attributes: string, isOneOfMany = false): void {
    // SIPp takes route set and target from the first message with `rrs`; a 100 has neither.
    const routes = code === 100 || code >= 300 || isOneOfMany ? '' : ' rrs="true"';
    this.#add(`<recv response="${code}"${attributes}${routes}/>`);
    this.#lastResponse = code;
  }

  #awaitOther(code: number): void {
    const label = ++this.#labels;
    this.#awaitResponse(code, ` optional="true" next="${label}"`);
    this.#otherResponse = { code, label };
  }

  #request(method: string, carried: Carried): void {
    const other = this.#otherResponse;
    if (method !== 'ACK' || other === undefined) {
      this.#requestNow(method, carried, '');

      return;
    }
    this.#otherResponse = undefined;
    const join = ++this.#labels;
    this.#requestNow(method, carried, ` next="${join}"`);
    this.#label(other.label);
    this.#lastResponse = other.code;
    this.#requestNow(method, {}, '');
    this.#label(join);
  }

  #requestNow(method: string, carried: Carried, attributes: string): void {
    const isAck = method === 'ACK';
    const isCancel = method === 'CANCEL';
    const isFirst = method === 'INVITE' && this.#isCaller && !this.#hasDialog;
    // An ACK to a refusal is part of the INVITE's transaction (RFC 3261 section 17.1.1.3), as a CANCEL is (9.1).
    const isSameTransaction = isCancel || (isAck && this.#lastResponse >= 300);
    if (!isAck && !isCancel) this.#cseq++;
    if (method === 'INVITE') {
      this.#inviteCseq = this.#cseq;
      this.#inviteIndex = this.#count;
      this.#isInviteToProxy = isFirst;
    }
    const isToProxy = isFirst || (isSameTransaction && this.#isInviteToProxy);
    const branch = isSameTransaction ? `[branch-${this.#count - this.#inviteIndex}]` : '[branch]';
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
      carried,
      `${isAck ? '' : ' retrans="500"'}${attributes}`,
    );
    // A reliable provisional response makes a dialog too (RFC 3262).
    if (isAck || method === 'PRACK') this.#hasDialog = true;
  }

  #reply(status: string, carried: Carried, transaction = ['[last_Via:]', '[last_CSeq:]']): void {
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
      carried,
      '',
    );
  }

  #send(lines: readonly string[], { sdp, headers = [], isMultipart = false }: Carried, attributes: string) {
    const type = isMultipart ? `multipart/mixed;boundary=${BOUNDARY}` : 'application/sdp';
    const body = sdp === undefined ? [] : isMultipart ? multipart(sdp) : [sdp];
    const message = [
      ...lines,
      ...headers,
      ...(sdp === undefined ? [] : [`Content-Type: ${type}`]),
      'Content-Length: [len]',
      '',
      ...body,
    ];
    this.#add(`<send${attributes}><![CDATA[\n\n${message.join('\n')}\n\n]]></send>`);
  }
}

function multipart(sdp: string): string[] {
  return [
    `--${BOUNDARY}`,
    'Content-Type: application/sdp',
    '',
    sdp,
    `--${BOUNDARY}`,
    'Content-Type: text/plain',
    '',
    OTHER_PART,
    `--${BOUNDARY}--`,
  ];
}
