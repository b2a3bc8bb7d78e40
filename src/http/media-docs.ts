/** What OpenAPI says of `/v1/media/…`: these routes read raw bodies, so their parameters are described by hand. */

import type { DocumentDecoration } from 'elysia';

function query(name: string, description: string, required = false) {
  return { name, in: 'query' as const, description, required, schema: { type: 'string' as const } };
}

const callId = query('call-id', 'Call-ID of the SIP message, percent-encoded.', true);
const set = query('set', 'Node set of a new call; default 0.');
const source = query(
  'src',
  'Source IP address of the SIP message: tells the direction by network, if nothing else does.',
);
const branch = query('branch', 'Name of the branch, when each branch gets an offer of its own.');
const require = query('require', 'Tags that the node of a new call must have, separated by commas.');
const prefer = query('prefer', 'Tags that it should have.');
const flags = query('flags', 'Words and `key=value` of the ng protocol, passed to the relay.');

const sipTags = [
  query('from-tag', 'Tag of the From header, as in the message.', true),
  query('to-tag', 'Tag of the To header; absent or `<null>` if there is none.'),
];
const ngTags = [
  query('from-tag', 'Tag of the offerer, in an answer too.', true),
  query('to-tag', 'Tag of the answerer; in an offer only if it is known.'),
];

const sdpBody = {
  description:
    'The body of the SIP message as it is, whatever its type; or a JSON object with the parameters and `sdp`.',
  content: {
    'application/sdp': { schema: { type: 'string' as const } },
    'application/json': { schema: { type: 'object' as const } },
  },
};
const jsonBody = { content: { 'application/json': { schema: { type: 'object' as const } } } };

const sdpResponses = {
  200: { description: 'The new body, to stand in place of the old one.' },
  400: { description: 'Something given is missing, wrong or broken.' },
  404: { description: 'The call is not known.' },
  502: { description: 'The relay refused; its words are in the body.' },
  503: { description: 'No node can take the call.' },
  504: { description: 'The relay did not answer.' },
};
const nothing = { 204: { description: 'Done; nothing to change in the message.' } };

export const MEDIA_DOCS = {
  auto: {
    tags: ['media'],
    summary: 'Hand over a SIP message; what to do is concluded from it',
    description:
      'The door for SIP proxies. Parameters may also be given as headers (`X-Call-ID`) or in a JSON body.',
    parameters: [
      callId,
      ...sipTags,
      query('method', 'Method of the message; in a reply that of its CSeq.', true),
      query('status', 'Status of a reply; absent or `<null>` in requests.'),
      query('cseq', 'Number of the CSeq header: pairs a reply with its request.'),
      query('dir', 'Direction of the call: `out`, `in`, one side, or `from>to`. Wanted once.'),
      set,
      require,
      prefer,
      source,
      branch,
      flags,
      query('end', 'Given to tear the call down without BYE; the value is the reason, at most 64 bytes.'),
    ],
    requestBody: sdpBody,
    responses: { ...sdpResponses, ...nothing },
  },
  offer: {
    tags: ['media'],
    summary: 'Anchor an offer',
    parameters: [
      callId,
      ...ngTags,
      query(
        'direction',
        'Of this SDP, sender to reader: `out`, `in`, one side, or `from>to`. Wanted for new calls.',
      ),
      set,
      require,
      prefer,
      source,
      branch,
      flags,
    ],
    requestBody: sdpBody,
    responses: sdpResponses,
  },
  answer: {
    tags: ['media'],
    summary: 'Anchor an answer',
    parameters: [callId, ...ngTags, branch, flags],
    requestBody: sdpBody,
    responses: sdpResponses,
  },
  delete: {
    tags: ['media'],
    summary: 'End a call, or one branch of it',
    description:
      'With `Accept: application/json` the answer is what the relay says; from rtpengine 12.5 on, its last statistics.',
    parameters: [callId, branch, set, query('end', 'The reason, for the record.')],
    responses: { 200: { description: 'Done, with statistics.' }, ...nothing, 404: sdpResponses[404] },
  },
  query: {
    tags: ['media'],
    summary: 'What the relay says of a call',
    description: 'Also by GET.',
    parameters: [callId, query('from-tag', 'Only this party.'), set],
    responses: { 200: { description: 'The reply of the relay, and the node.' }, 404: sdpResponses[404] },
  },
  command: {
    tags: ['media'],
    summary: 'Send another ng command about a call to its node',
    description:
      'The JSON object is the ng message: `command`, `call-id` and what the command takes, as `start recording` or `play media`. Commands that concern a node or other calls are refused.',
    requestBody: jsonBody,
    responses: {
      200: { description: 'The reply of the relay, and the node.' },
      400: sdpResponses[400],
      404: sdpResponses[404],
    },
  },
} satisfies Record<string, DocumentDecoration>;
