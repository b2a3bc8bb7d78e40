import { describe, expect, test } from 'bun:test';
import { BadSettings, loadSettings } from '../../../src/config/load.ts';
import { formatProblem } from '../../../src/config/sources.ts';
import { isInNetwork } from '../../../src/util/ip.ts';

function load(listen?: string, clients?: string) {
  const settings = loadSettings({
    argv: [],
    env: {
      ...(listen === undefined ? {} : { RTP_CLUSTER_NG_LISTEN: listen }),
      ...(clients === undefined ? {} : { RTP_CLUSTER_NG_CLIENTS: clients }),
    },
    readText: () => {
      throw Object.assign(new Error('no such file'), { code: 'ENOENT' });
    },
  });

  return settings instanceof BadSettings ? settings.problems.map(formatProblem) : settings.ng;
}

function mayAsk(ng: ReturnType<typeof load>, address: string): boolean {
  return 'clients' in ng && ng.clients.some((network) => isInNetwork(address, network));
}

describe('ng.listen', () => {
  test('is set 0 on the port of rtpengine, on loopback, for clients of this host', () => {
    expect(load()).toMatchObject({ listen: [{ setId: 0, host: '127.0.0.1', port: 2223 }] });
    expect(['127.9.9.9', '::1', '128.0.0.1', '::2'].map((address) => mayAsk(load(), address))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  test.each([
    ['udp:127.0.0.1:2224', { setId: 0, host: '127.0.0.1', port: 2224 }],
    ['1 == udp:127.0.0.1:2224', { setId: 1, host: '127.0.0.1', port: 2224 }],
    ['12==udp:localhost:2224', { setId: 12, host: '127.0.0.1', port: 2224 }],
    ['3 == udp:[::1]:2224', { setId: 3, host: '::1', port: 2224 }],
    ['0 == udp:127.0.0.1:0', { setId: 0, host: '127.0.0.1', port: 0 }],
  ])('takes %p', (text, place) => {
    expect(load(text)).toMatchObject({ listen: [place] });
  });

  test('takes a port for each set, and several for one', () => {
    expect(load('udp:127.0.0.1:2223, 0 == udp:127.0.0.1:2224, 1 == udp:127.0.0.1:2225')).toMatchObject({
      listen: [
        { setId: 0, port: 2223 },
        { setId: 0, port: 2224 },
        { setId: 1, port: 2225 },
      ],
    });
  });

  test('may be nowhere', () => {
    expect(load('')).toMatchObject({ listen: [] });
  });

  test.each([
    '127.0.0.1:2223',
    'udp:2223',
    'tcp:127.0.0.1:2223',
    'udp:relay.example:2223',
    'udp:127.0.0.1:65536',
    '-1 == udp:127.0.0.1:2223',
    '1 = udp:127.0.0.1:2223',
    '1234567890 == udp:127.0.0.1:2223',
    // The reply must come from the address that was asked.
    'udp:0.0.0.0:2223',
    'udp:[::]:2223',
  ])('refuses %p', (text) => {
    expect(load(text)).toEqual([
      expect.stringMatching(/^RTP_CLUSTER_NG_LISTEN: ng.listen: has .*allowed is a list/),
    ]);
  });

  test('refuses to listen for nobody', () => {
    expect(load('udp:127.0.0.1:2223', '')).toEqual([
      expect.stringContaining('ng.clients: is empty, so nobody could ask'),
    ]);
    expect(load('', '')).toMatchObject({ listen: [], clients: [] });
  });

  test('refuses one place for two sets', () => {
    expect(load('0 == udp:127.0.0.1:2223,1 == udp:127.0.0.1:2223')).toEqual([
      expect.stringContaining('has 127.0.0.1:2223 for two sets'),
    ]);
  });

  test('refuses an address others can reach, unless it is said who may ask', () => {
    expect(load('udp:192.0.2.1:2223')).toEqual([
      expect.stringMatching(/has 192\.0\.2\.1:2223, which other hosts can reach.* ng\.clients/),
    ]);
    const allowed = load('udp:192.0.2.1:2223', '192.0.2.0/24');
    expect(allowed).toMatchObject({ listen: [{ host: '192.0.2.1' }] });
    expect(['192.0.2.9', '127.0.0.1'].map((address) => mayAsk(allowed, address))).toEqual([true, false]);
  });
});
