import { describe, expect, test } from 'bun:test';
import fc from 'fast-check';
import {
  familyOf,
  isInNetwork,
  isMulticast,
  isUnspecified,
  parseNetwork,
  sameAddress,
  toNumber,
} from '../../../src/util/ip.ts';

const ipv4 = fc.ipV4();
const ipv6 = fc.ipV6();

/** An IPv6 address in full: eight groups of four digits. */
function full(value: bigint): string {
  return (value.toString(16).padStart(32, '0').match(/.{4}/g) ?? []).join(':');
}

describe('multicast', () => {
  test.each(['224.0.0.1', '239.255.255.255', '230.1.2.3', 'ff02::1', 'FF0E::101', '::ffff:224.0.0.1'])(
    '%s is',
    (address) => {
      expect(isMulticast(address)).toBe(true);
    },
  );

  test.each([
    '223.255.255.255',
    '240.0.0.1',
    '22.4.0.1',
    '192.0.2.224',
    'fe80::1',
    'ff::1',
    '2001:db8::ff02',
  ])('%s is not', (address) => {
    expect(isMulticast(address)).toBe(false);
  });
});

describe('the family of an IP literal', () => {
  test.each([
    ['192.0.2.1', 'IP4'],
    ['2001:db8::1', 'IP6'],
    ['::', 'IP6'],
    ['::ffff:10.0.0.1', 'IP6'],
  ] as const)('%p is %s', (text, family) => {
    expect(familyOf(text)).toBe(family);
  });

  test.each([
    '',
    '1.2.3',
    '1.2.3.256',
    '01.2.3.4',
    '[::1]',
    'fe80::1%eth0',
    'localhost',
    '1.2.3.4 ',
    ':::',
    '1.2.3.4/8',
  ])('%p has none', (text) => {
    expect(familyOf(text)).toBeUndefined();
  });

  test('any address has its family', () => {
    fc.assert(fc.property(ipv4, (text) => familyOf(text) === 'IP4'));
    fc.assert(fc.property(ipv6, (text) => familyOf(text) === 'IP6'));
  });
});

describe('the unspecified address', () => {
  test.each(['0.0.0.0', '::', '0:0:0:0:0:0:0:0', '0000::0', '::0.0.0.0'])('is %p', (text) => {
    expect(isUnspecified(text)).toBe(true);
  });

  test.each(['', '0.0.0.1', '::1', '127.0.0.1', 'a::', 'none', 'relay.example.org'])('is not %p', (text) => {
    expect(isUnspecified(text)).toBe(false);
  });
});

describe('an address as a number', () => {
  test.each([
    ['0.0.0.0', 0n],
    ['10.0.0.1', 0x0a000001n],
    ['255.255.255.255', 0xffff_ffffn],
    ['::1', 1n],
    ['1::', 1n << 112n],
    ['::ffff:10.0.0.1', 0xffff_0a00_0001n],
    ['64:ff9b::192.0.2.33', (0x64n << 112n) | (0xff9bn << 96n) | 0xc000_0221n],
    ['2001:db8:0:0:0:0:0:1', 0x2001_0db8n * (1n << 96n) + 1n],
  ])('%p is %p', (text, value) => {
    expect(toNumber(text)).toBe(value);
  });

  test('does not depend on the spelling', () => {
    fc.assert(
      fc.property(ipv6, (text) => {
        const value = toNumber(text);
        expect(value >> 128n).toBe(0n);
        expect(toNumber(full(value))).toBe(value);
        expect(sameAddress(text, full(value))).toBe(true);
        expect(sameAddress(text.toUpperCase(), full(value))).toBe(true);
      }),
    );
  });
});

describe('the same address', () => {
  test('is equal however it is spelled, and only then', () => {
    fc.assert(
      fc.property(ipv6, ipv6, (a, b) => {
        expect(sameAddress(a, b)).toBe(toNumber(a) === toNumber(b));
      }),
    );
    fc.assert(
      fc.property(ipv4, ipv4, (a, b) => {
        expect(sameAddress(a, b)).toBe(a === b);
      }),
    );
  });

  test('is not an IPv4 address and its IPv6 form: their sockets differ', () => {
    expect(sameAddress('10.0.0.1', '::ffff:10.0.0.1')).toBe(false);
    expect(sameAddress('::1', 'relay:x')).toBe(false);
    expect(sameAddress('relay.example.org', 'relay.example.org')).toBe(true);
  });
});

describe('a network', () => {
  test.each([
    '',
    '/',
    '10.0.0.0/',
    '10.0.0.0/33',
    '::/129',
    '10.0.0.0/8/9',
    '10.0.0.0/-1',
    '10.0.0.0/ 8',
    'x/8',
    '10/8',
  ])('%p is none', (text) => {
    expect(parseNetwork(text)).toBeUndefined();
  });

  function contains(network: string, address: string): boolean {
    const read = parseNetwork(network);
    if (read === undefined) throw new Error(`${network} is no network`);

    return isInNetwork(address, read);
  }

  test.each([
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['0.0.0.0/0', '203.0.113.1', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '203.0.113.1', false],
    ['2001:db8::/32', '2001:DB8:ffff::', true],
    ['2001:db8::/32', '2001:db9::', false],
    ['10.0.0.0/8', '::ffff:10.1.1.1', true],
    ['10.0.0.0/8', 'not an address', false],
    [' 10.0.0.0/8 ', '10.0.0.1', true],
  ])('%p: %p is in it: %p', (network, address, expected) => {
    expect(contains(network, address)).toBe(expected);
  });

  test('has each address whose first bits are its own', () => {
    fc.assert(
      fc.property(ipv4, ipv4, fc.integer({ min: 0, max: 32 }), (base, address, length) => {
        const shift = BigInt(32 - length);
        expect(contains(`${base}/${length}`, address)).toBe(
          toNumber(base) >> shift === toNumber(address) >> shift,
        );
        expect(contains(`${base}/${length}`, base)).toBe(true);
      }),
    );
    fc.assert(
      fc.property(ipv6, fc.integer({ min: 0, max: 128 }), (base, length) => {
        fc.pre(toNumber(base) >> 32n !== 0xffffn);
        expect(contains(`${base}/${length}`, base)).toBe(true);
      }),
    );
  });
});
