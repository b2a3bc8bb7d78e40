import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import { FleetFileFault, readFleetFile, writeFleetFile } from '../../../src/commands/fleet-toml.ts';

const NODE = {
  id: 0,
  kind: 'rtpengine',
  socket: 'udp:192.168.2.3:7890',
  set_id: 0,
  weight: 100,
  impose_mode: 'media-address',
  priority: 0,
  capacity: null,
  tags: ['gold'],
  http_port: null,
  media_addresses: [
    { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: null },
    { side: 'outer', family: 'IP4', address: '1.2.3.4', interface: null },
  ],
};

function read(text: string) {
  const file = readFleetFile(text);
  if (file instanceof FleetFileFault) throw new Error(`${file.line}: ${file.message}`);

  return file;
}

function fault(text: string): string {
  const file = readFleetFile(text);

  return file instanceof FleetFileFault ? `${file.line}: ${file.message}` : 'no fault';
}

describe('writing', () => {
  test('a node has one line for each value, without those that are not set, and short media addresses', () => {
    const set = {
      id: 0,
      description: '',
      direction: null,
      policy: 'hash',
      load_by: 'sessions',
      port_reserve: 5,
      media_probe: true,
    };
    expect(writeFleetFile({ sets: [set], nodes: [NODE] }).split('\n')).toEqual([
      '# The fleet of rtp_cluster. After a change: rtp-cluster apply FILE --dry-run',
      '',
      '[[set]]',
      'id = 0',
      'policy = "hash"',
      'load_by = "sessions"',
      'port_reserve = 5',
      'media_probe = true',
      '',
      '[[node]]',
      'id = 0',
      'kind = "rtpengine"',
      'socket = "udp:192.168.2.3:7890"',
      'set_id = 0',
      'weight = 100',
      'impose_mode = "media-address"',
      'priority = 0',
      'tags = [ "gold" ]',
      'inner_media_ip = "192.168.2.3"',
      'out_media_ip = "1.2.3.4"',
      '',
    ]);
  });

  test('an rtpproxy is written with its kind, and the sockets that face its sides', () => {
    const addresses = [
      { side: 'inner', family: 'IP4', address: '192.168.2.3', interface: 'internal' },
      { side: 'outer', family: 'IP4', address: '1.2.3.4', interface: 'external' },
    ];
    const proxy = {
      ...NODE,
      kind: 'rtpproxy',
      socket: 'unix:/run/rtpproxy.sock',
      media_addresses: addresses,
    };
    expect(read(writeFleetFile({ sets: [], nodes: [proxy] })).nodes).toMatchObject([
      {
        kind: 'rtpproxy',
        socket: 'unix:/run/rtpproxy.sock',
        media_addresses: addresses.map(({ family: _family, ...address }) => address),
      },
    ]);
  });

  test.each([
    ['interfaces', [{ side: 'inner', family: 'IP4', address: '10.0.0.1', interface: 'priv' }]],
    ['a third side', [{ side: 'mpls', family: 'IP4', address: '10.0.0.1', interface: null }]],
    [
      'two families on a side',
      [
        { side: 'inner', family: 'IP4', address: '10.0.0.1', interface: null },
        { side: 'inner', family: 'IP6', address: '2001:db8::1', interface: null },
      ],
    ],
  ])('media addresses with %s are written in the long form', (_what, addresses) => {
    const text = writeFleetFile({ sets: [], nodes: [{ ...NODE, media_addresses: addresses }] });
    expect(text).not.toContain('_media_ip');
    expect(read(text).nodes[0]?.media_addresses).toEqual(
      addresses.map(({ side, address, interface: name }) => ({
        side,
        address,
        ...(name === null ? {} : { interface: name }),
      })),
    );
  });
});

describe('reading', () => {
  test('takes comments, a byte order mark, CRLF, and an empty file', () => {
    expect(read('\uFEFF# mine\r\n[[node]]\r\nsocket = "a" # b\r\n').nodes).toEqual([{ socket: 'a' }]);
    expect(read('')).toMatchObject({ sets: [], nodes: [] });
  });

  test('tells the line of an entry and of its keys', () => {
    const { lineOf } = read(
      '# x\n[[set]]\nid = 0\n\n[[node]]\nsocket = "a"\nweight = 1\n\n [[ node ]]\n"weight" = 2\nsocket = "b"\n',
    );
    expect(lineOf('set', 0)).toBe(2);
    expect(lineOf('node', 0)).toBe(5);
    expect(lineOf('node', 0, 'weight')).toBe(7);
    expect(lineOf('node', 1)).toBe(9);
    expect(lineOf('node', 1, 'weight')).toBe(10);
    expect(lineOf('node', 1, 'kind')).toBe(9);
    expect(lineOf('node', 7)).toBe(1);
  });

  test.each([
    ['[[node]]\nid = 0\nid = 1\n', '3: column 1: '],
    ['[[node]]\nsocket = udp:1.2.3.4\n', '2: column 10: '],
    ['[[node]]\n[[noed]]\nid = 1\n', '2: there is no "noed" in a fleet; did you mean [[node]]?'],
    ['\nweight = 5\n', '2: there is no "weight" in a fleet; allowed are [[set]] and [[node]]'],
    ['[[set]]\nid = 1\n\n[node]\nid = 0\n', '4: node must be written as [[node]], once for each node'],
    ['node = 1', '1: node must be written as [[node]]'],
    ['[[node]]\nid = 99999999999999999999\n', '2: column 6: '],
    ['[__proto__]\na = 1\n', '1: column '],
  ])('%j is refused with its line', (text, message) => {
    expect(fault(text)).toStartWith(message);
  });

  test('never throws, whatever the text', () => {
    const pieces = fc.constantFrom(
      '[[node]]',
      '[[',
      ']',
      '\n',
      'id',
      ' = ',
      '"',
      "'''",
      '1',
      '{',
      '}',
      '#',
      ',',
      '\\',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
        const file = readFleetFile(parts.join(''));
        if (file instanceof FleetFileFault) expect(file.line).toBeGreaterThan(0);
        else expect(file.lineOf('node', 0)).toBeGreaterThan(0);
      }),
    );
  });
});

test('what is written is read as it was, whatever the values', () => {
  const text = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary-ascii' }));
  const address = fc.record({
    side: fc.constantFrom('inner', 'outer', 'mpls'),
    address: text.filter((address) => address !== ''),
    interface: fc.option(text),
  });
  const node = fc.record({
    id: fc.nat(),
    socket: text,
    weight: fc.nat(65_535),
    capacity: fc.option(fc.nat()),
    tags: fc.array(text),
    media_addresses: fc.uniqueArray(address, { selector: ({ side }) => side }),
  });
  const set = fc.record({ id: fc.nat(), description: text, direction: fc.option(text) });
  // What is left out has its default; the short form of a media address is another way to say the same.
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value), (_key, item) =>
      item === null || item === '' || item?.length === 0 ? undefined : item,
    );
  fc.assert(
    fc.property(fc.array(set), fc.array(node), (sets, nodes) => {
      const file = read(writeFleetFile({ sets, nodes }));
      const long = file.nodes.map(
        ({ inner_media_ip: inner, out_media_ip: outer, media_addresses, ...rest }) => ({
          ...rest,
          media_addresses: media_addresses ?? [
            ...(inner === undefined ? [] : [{ side: 'inner', address: inner }]),
            ...(outer === undefined ? [] : [{ side: 'outer', address: outer }]),
          ],
        }),
      );
      const sorted = (list: readonly object[]) =>
        list.map((item) =>
          'media_addresses' in item && Array.isArray(item.media_addresses)
            ? {
                ...item,
                media_addresses: item.media_addresses.toSorted((a, b) => (a.side < b.side ? -1 : 1)),
              }
            : item,
        );
      expect(plain(file.sets)).toEqual(plain(sets));
      expect(plain(sorted(long))).toEqual(plain(sorted(nodes)));
    }),
    { numRuns: 200 },
  );
});
