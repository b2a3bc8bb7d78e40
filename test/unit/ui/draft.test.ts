import { describe, expect, test } from 'bun:test';
import {
  bodyOf,
  changesBetween,
  type Draft,
  draftOf,
  emptyDraft,
  familyOf,
  fieldOf,
  type NodeBody,
} from '../../../src/ui/page/nodes/draft.ts';
import type { NodeResource } from '../../../src/ui/page/resources.ts';

const draft = (fields: Partial<Draft> = {}): Draft => ({
  ...emptyDraft(),
  socket: 'udp:192.0.2.1:2223',
  ...fields,
});
function body(fields: Partial<Draft> = {}): NodeBody {
  const read = bodyOf(draft(fields));
  if ('field' in read) throw new Error(`${read.field} is no number: ${read.value}`);

  return read;
}

describe('the form of a node', () => {
  test('begins with both sides that are everywhere, and the usual figures', () => {
    expect(body()).toEqual({
      kind: 'rtpengine',
      socket: 'udp:192.0.2.1:2223',
      http_port: null,
      impose_mode: 'media-address',
      media_addresses: [],
      set_id: 0,
      weight: 100,
      priority: 0,
      capacity: null,
      tags: [],
    });
    expect(emptyDraft('7').addresses.map(({ side }) => side)).toEqual(['inner', 'outer']);
  });

  test('gives back what a node has', () => {
    const fields = body({
      addresses: [{ side: 'inner', address: '10.0.0.1', interface: 'priv' }],
      imposeMode: 'interface',
      capacity: '200',
      httpPort: '2225',
      tags: 'gold',
    });
    const node = { ...fields, media_addresses: fields.media_addresses } as unknown as NodeResource;
    expect(bodyOf(draftOf(node))).toEqual(fields);
  });

  test('leaves out lines without an address, and spaces', () => {
    const addresses = [
      { side: ' inner ', address: ' 10.0.0.1 ', interface: '' },
      { side: 'outer', address: '', interface: 'pub' },
    ];
    expect(body({ addresses }).media_addresses).toEqual([
      { side: 'inner', address: '10.0.0.1', interface: null },
    ]);
  });

  test('sends interface names only where they mean something', () => {
    const addresses = [{ side: 'inner', address: '10.0.0.1', interface: 'internal' }];
    const named = (fields: Partial<Draft>) => body({ addresses, ...fields }).media_addresses[0]?.interface;
    expect(named({})).toBeNull();
    expect(named({ imposeMode: 'interface' })).toBe('internal');
    expect(named({ kind: 'rtpproxy' })).toBe('internal');
  });

  test('has no HTTP port and no impose mode of rtpengine for an rtpproxy', () => {
    const read = body({ kind: 'rtpproxy', httpPort: '2225', imposeMode: 'interface' });
    expect([read.http_port, read.impose_mode]).toEqual([null, 'media-address']);
  });

  test('names the field that holds no number', () => {
    expect(bodyOf(draft({ weight: 'much' }))).toEqual({ field: 'weight', value: 'much' });
    expect(bodyOf(draft({ setId: ' ' }))).toEqual({ field: 'set_id', value: '' });
    expect(bodyOf(draft({ httpPort: '22.5' }))).toEqual({ field: 'http_port', value: '22.5' });
    expect('field' in bodyOf(draft({ capacity: '' }))).toBe(false);
  });

  test('reads tags however they are separated', () => {
    expect(body({ tags: 'Gold, transcoding  gpu,' }).tags).toEqual(['gold', 'transcoding', 'gpu']);
  });
});

describe('what saving would change', () => {
  test('is nothing if the order of addresses or tags is another', () => {
    const [a, b] = [
      { side: 'inner', address: '10.0.0.1', interface: '' },
      { side: 'outer', address: '192.0.2.1', interface: '' },
    ] as const;
    const before = body({ addresses: [a, b], tags: 'x, y' });
    expect(changesBetween(before, body({ addresses: [b, a], tags: 'y, x' }))).toEqual([]);
  });

  test('is told by field, before and after', () => {
    const before = body({ addresses: [{ side: 'outer', address: '192.0.2.1', interface: '' }] });
    const after = body({
      addresses: [{ side: 'outer', address: '192.0.2.9', interface: '' }],
      capacity: '50',
    });
    expect(changesBetween(before, after)).toEqual([
      { field: 'media_addresses', from: 'outer=192.0.2.1', to: 'outer=192.0.2.9' },
      { field: 'capacity', from: '', to: '50' },
    ]);
  });
});

describe('the field an error of the API is about', () => {
  test.each([
    ['socket is missing; write it as udp:192.168.2.3:7890', 'socket'],
    ['weight is 70000; it must be a whole number from 0 to 65535', 'weight'],
    ['http_port is 5; an rtpproxy has none, only rtpengine has', 'http_port'],
    ['media_addresses: there is no side "dmz"; there are inner, outer', 'media_addresses'],
    [
      'the node has no media address; give inner_media_ip and out_media_ip, or media_addresses',
      'media_addresses',
    ],
    ['the node moves from udp:1 to udp:2, another host; give its media addresses too', 'media_addresses'],
    ['a tag is "rtpengine"; every node has its kind as a tag already', 'tags'],
    ['socket udp:192.0.2.1:2223 is in set 0 already, as node 3', 'socket'],
  ] as const)('%s', (message, field) => {
    expect(fieldOf(message)).toBe(field);
  });

  test('is none if the message names none', () => {
    expect(fieldOf('the database cannot be written')).toBeUndefined();
  });
});

test('a family is told as soon as it can be', () => {
  expect(['192.0.2.1', '2001:db8::1', '[2001:db8::1]', '192.0', '', 'host'].map(familyOf)).toEqual([
    'IP4',
    'IP6',
    'IP6',
    undefined,
    undefined,
    undefined,
  ]);
});
