import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  type NgDict,
  type NgValue,
  RelayFailure,
  type RelayStatistics,
} from '../../../../src/relay/driver.ts';
import { DecodeError, decode, isDict } from '../../../../src/relay/ng/bencode.ts';
import { readStatistics } from '../../../../src/relay/ng/statistics.ts';
import { bodyOf, readFixtures } from './harness.ts';

/** What a recorded `statistics` reply says. */
function recorded(file: string): RelayStatistics | RelayFailure {
  const fixture = readFixtures().find((candidate) => candidate.file === file);
  const body = fixture?.response == null ? undefined : bodyOf(fixture.response);
  const reply = body === undefined ? undefined : decode(body);
  if (reply === undefined || reply instanceof DecodeError || !isDict(reply) || !isDict(reply.statistics)) {
    throw new Error(`${file} is no recorded bencode reply with statistics`);
  }

  return readStatistics(reply.statistics);
}

/** The least that makes statistics. */
function figures(
  current: NgDict = {},
  totals: NgDict = {},
  rest: NgDict = {},
): RelayStatistics | RelayFailure {
  return readStatistics({
    currentstatistics: { sessionsown: 3, ...current },
    totalstatistics: { uptime: '12', managedsessions: 4, ...totals },
    ...rest,
  });
}

function port(free: NgValue, totals: NgValue): NgDict {
  return { name: 'x', address: '192.0.2.1', ports: { free, totals } };
}

describe('recorded statistics', () => {
  test.each([
    ['10.5.3.5', '10.5 or older'],
    ['11.5.1.53', '11.0 to 13.1'],
    ['12.5.1.55', '11.0 to 13.1'],
    ['13.5.1.25', '13.2 to 26.0'],
    ['26.3.0-git-e8b82121f', '26.1 or newer'],
  ])('of %s are read, and known as %s', (version, shown) => {
    expect(recorded(`versions/${version}/ver.13-statistics.json`)).toEqual({
      uptimeS: 0,
      sessions: 1,
      growing: [0],
      ports: { free: 996, total: 1000 },
      packetsPerS: 0,
      bytesPerS: 0,
      errorsPerS: 0,
      rejected: 0,
      version: shown,
    });
  });

  test('with two interfaces show the ports of the scarcer one', () => {
    expect(recorded('iface-dual.09-statistics.json')).toMatchObject({ ports: { free: 982, total: 1000 } });
    expect(recorded('iface-multi.10-statistics.json')).toMatchObject({ ports: { free: 984, total: 1000 } });
  });

  test('of a node without room for another call say so, and count refused offers as ended', () => {
    expect(recorded('ports.05-statistics.json')).toMatchObject({
      ports: { free: 2, total: 6 },
      growing: [3],
    });
  });

  test('count new calls refused for the session limit', () => {
    expect(recorded('limit.09-statistics.json')).toMatchObject({ rejected: 3 });
  });
});

describe('figures', () => {
  test('leave out calls that another node has', () => {
    expect(figures({ sessionsforeign: 7, sessionstotal: 10 })).toMatchObject({ sessions: 3 });
  });

  test('are null where the relay does not tell', () => {
    expect(figures()).toEqual({
      uptimeS: 12,
      sessions: 3,
      growing: [4],
      ports: null,
      packetsPerS: null,
      bytesPerS: null,
      errorsPerS: null,
      rejected: null,
      version: null,
    });
  });

  test('may be text, as decimals and what is beyond 2^53 are', () => {
    expect(figures({ byterate: '99999999999999999999' }, { uptime: '12.500000' })).toMatchObject({
      uptimeS: 12.5,
      bytesPerS: 1e20,
    });
  });

  test.each([['-1'], ['NaN'], ['Infinity'], ['1e5'], ['0x10'], [''], [' 1'], [-1], [['1']], [{ a: 1 }]])(
    'that are none, such as %p, are taken for missing',
    (value) => {
      expect(figures({ packetrate: value }, { rejectedsessions: value })).toMatchObject({
        packetsPerS: null,
        rejected: null,
      });
      expect(figures({}, { uptime: value })).toMatchObject({ kind: 'garbled' });
    },
  );

  test('about ports are those of the smallest free share, not of the smallest number', () => {
    expect(figures({}, {}, { interfaces: [port(10, 10), port(500, 10_000), port(100, 1000)] })).toMatchObject(
      {
        ports: { free: 500, total: 10_000 },
      },
    );
  });

  test('about ports never show more free ones than there are', () => {
    expect(figures({}, {}, { interfaces: [port(12, 10)] })).toMatchObject({ ports: { free: 10, total: 10 } });
  });

  test('about ports leave out interfaces that have none or cannot be read', () => {
    const odd = [port(0, 0), port('x', 10), port(5, -5), 'text', {}, { ports: 3 }];
    expect(figures({}, {}, { interfaces: odd })).toMatchObject({ ports: null });
    expect(figures({}, {}, { interfaces: [...odd, port(7, 10)] })).toMatchObject({
      ports: { free: 7, total: 10 },
    });
    expect(figures({}, {}, { interfaces: { ports: 3 } })).toMatchObject({ ports: null });
  });

  test.each([
    [
      'uptime',
      () =>
        readStatistics({ currentstatistics: { sessionsown: 1 }, totalstatistics: { managedsessions: 1 } }),
    ],
    ['sessions', () => readStatistics({ totalstatistics: { uptime: '1', managedsessions: 1 } })],
    ['anything', () => readStatistics({})],
    ['dictionaries', () => readStatistics({ currentstatistics: 'x', totalstatistics: ['y'] })],
  ])('without %s are garbled', (_what, read) => {
    expect(read()).toMatchObject({ kind: 'garbled' });
  });

  test('never are NaN, whatever comes', () => {
    const { value } = fc.letrec<{ value: NgValue }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.integer(),
        fc.string(),
        fc.constantFrom('1', '0.5', '12'),
        fc.array(tie('value'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('ports', 'free', 'totals', 'x'), tie('value'), { maxKeys: 3 }),
      ),
    }));
    fc.assert(
      fc.property(value, value, value, (a, b, interfaces) => {
        const read = figures({ packetrate: a, byterate: b }, { rejectedsessions: b }, { interfaces });
        expect(read).not.toBeInstanceOf(RelayFailure);
        for (const figure of Object.values(read)) expect(figure).not.toBeNaN();
      }),
    );
  });
});
