/** Media addresses for tables that have none: OpenSIPS and Kamailio keep only the control sockets of their relays. */

import { whereabouts, withPort } from '../../domain/node.ts';
import { familyOf, toNumber } from '../../util/ip.ts';
import { type ReadRow, RowFault, TableFault } from './cells.ts';

/** Media addresses by the IP address or path of the socket, see `keyOf`; undefined is one the file does not tell. */
export type AddressMap = ReadonlyMap<string, { readonly inner: string | undefined; readonly outer: string }>;

/** Reads lines of `SOCKET,OUTER_IP` or `SOCKET,INNER_IP,OUTER_IP`; SOCKET is the IP address of a socket, or its path. */
export function readAddressMap(text: string): AddressMap | TableFault {
  const map = new Map<string, { inner: string | undefined; outer: string }>();
  for (const [index, line] of text
    .replace(/^\uFEFF/, '')
    .split(/\r\n|\n|\r/)
    .entries()) {
    const bare = line.replace(/#.*$/, '').trim();
    if (bare === '') continue;
    const cells = bare.split(/\s*[,;\t]\s*|\s+/);
    const [socket, second, third] = cells;
    const wrong = cells.find((cell) => familyOf(cell) === undefined && !(cell === socket && isPath(cell)));
    if (wrong !== undefined || socket === undefined || second === undefined || cells.length > 3) {
      return new TableFault(
        index + 1,
        `the line is "${bare.slice(0, 80)}"; allowed is SOCKET,OUTER_IP or SOCKET,INNER_IP,OUTER_IP, where SOCKET is the IP address of a socket or its path, as in 192.168.2.3,203.0.113.3`,
      );
    }
    if (map.has(keyOf(socket))) return new TableFault(index + 1, `${socket} stands on an earlier line too`);
    map.set(
      keyOf(socket),
      third === undefined ? { inner: undefined, outer: second } : { inner: second, outer: third },
    );
  }

  return map;
}

/** The same for all spellings of an address: 2001:DB8:0::1 is 2001:db8::1. */
function keyOf(place: string): string {
  return isPath(place) ? place : `${familyOf(place)} ${toNumber(place)}`;
}

/** Whether a place of a relay is a path on its own host, not an address. */
function isPath(place: string): boolean {
  return place.startsWith('/');
}

/** The rows with the addresses they lacked; what a row says itself stays. */
export function withAddresses(
  rows: readonly ReadRow[],
  map: AddressMap | undefined,
  isInnerFromSocket: boolean,
): ReadRow[] {
  return rows.map((read) => {
    const { result } = read;
    if (result instanceof RowFault) return read;
    const place = whereabouts(withPort(read.socket));
    const found = place === '' ? undefined : map?.get(keyOf(place));
    const outer = result.out_media_ip ?? found?.outer;
    if (map !== undefined && outer === undefined)
      return { ...read, result: new RowFault(`the file of --addresses has no line for ${place}`) };
    // The address of a relay behind a path is not in its socket.
    const own = isInnerFromSocket && !isPath(place) ? place : undefined;
    const inner = result.inner_media_ip ?? found?.inner ?? own;

    return {
      ...read,
      result: {
        ...result,
        ...(inner === undefined ? {} : { inner_media_ip: inner }),
        ...(outer === undefined ? {} : { out_media_ip: outer }),
      },
    };
  });
}
