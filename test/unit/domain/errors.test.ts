import { describe, expect, test } from 'bun:test';
import { readFileSync } from 'node:fs';
import { ERRORS, type ErrorCode, Failure } from '../../../src/domain/errors.ts';

/** The rows of the table in docs/errors.md. */
const ROWS = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `RTPC_'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, code = '', status = '', meaning = '', remedy = '']) => ({
    code: code.replaceAll('`', ''),
    status: Number(status),
    meaning,
    remedy,
  }));

describe('docs/errors.md', () => {
  test('lists every code once, and no other', () => {
    expect(ROWS.map(({ code }) => code).sort()).toEqual(Object.keys(ERRORS).sort());
  });

  test('gives each code its status and its meaning in the words of the program', () => {
    const documented = Object.fromEntries(
      ROWS.map(({ code, status, meaning }) => [code, { status, meaning }]),
    );
    expect(documented).toEqual({ ...ERRORS });
  });

  test('says for each code what to do', () => {
    expect(ROWS.filter(({ remedy }) => remedy.length < 10)).toEqual([]);
  });
});

describe('a failure', () => {
  test('has the status of its code', () => {
    for (const code of Object.keys(ERRORS) as ErrorCode[]) {
      expect(new Failure(code, 'x').status).toBe(ERRORS[code].status);
    }
  });

  test('codes are RTPC_ words and statuses those of errors', () => {
    for (const [code, { status }] of Object.entries(ERRORS)) {
      expect(code).toMatch(/^RTPC_[A-Z]+(_[A-Z]+)*$/);
      expect(status).toBeWithin(400, 600);
    }
  });
});
