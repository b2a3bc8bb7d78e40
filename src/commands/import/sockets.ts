/** Control sockets as OpenSIPS and Kamailio write them: several in one text, with weights (reference: sip-proxies 9). */

import { type NodeKind, SOCKET_FORMS, socketFor } from '../../domain/node.ts';

/** One relay in a text of sockets. */
export interface Place {
  readonly socket: string;
  readonly weight: string | undefined;
  /** What OpenSIPS writes into the SDP in place of the address of an rtpproxy. */
  readonly advertised: string | undefined;
}

/** The relays of a text: `udp:a:1=2 udp:b:1`, for rtpproxy `udp:a:1|advertised=2`. */
export function placesOf(text: string): Place[] {
  return text
    .replace(/^\d+\s*==\s*/, '')
    .split(/\s+/)
    .filter((part) => part !== '')
    .map((part) => {
      const [, socket = part, advertised, weight] = /^(.*?)(?:\|([^=]*))?(?:=(\d+))?$/.exec(part) ?? [];

      return { socket, weight, advertised };
    });
}

/** A socket as we write it. To the modules for rtpproxy, what has no scheme is the path of a UNIX socket. */
export function socketOf(text: string, kind: string): string {
  if (kind.toLowerCase() !== 'rtpproxy') return text;
  const socket = text.startsWith('/') ? `unix:${text}` : text;

  return socketFor('rtpproxy', socket) ?? socket;
}

/** Why a relay of the kind cannot have a socket; undefined if it can. */
export function wrongSocket(socket: string, kind: NodeKind): string | undefined {
  if (socket === '') return 'the socket is empty';
  if (socketFor(kind, socket) !== undefined) return undefined;
  const [, scheme = '', rest = ''] = /^(udp6?|tcp6?|c?unix|wss?|https?):(.*)$/is.exec(socket) ?? [];
  if (scheme === '' && kind === 'rtpproxy')
    return `socket is "${socket}"; without udp: it is a UNIX socket to the proxies, and its path must begin with "/"`;
  if (scheme === '')
    return `socket is "${socket}"; without udp: or udp6: it is a UNIX socket to the proxies, and rtpengine is driven over UDP only`;
  if (kind === 'rtpengine' && !/^udp/i.test(scheme))
    return `socket is "${socket}"; rtpengine is driven over UDP only (udp:IP:PORT), not ${scheme.toLowerCase()}`;
  if (/^(udp|tcp)/i.test(scheme) && /^[a-z0-9.-]*[a-z][a-z0-9.-]*(:\d*)?$/i.test(rest))
    return `socket is "${socket}"; write the IP address instead of the host name: a call must find its relay when DNS has changed`;

  return `socket is "${socket}"; allowed is ${SOCKET_FORMS[kind]}`;
}
