/** What the code under test logs. */

import { afterEach, beforeEach } from 'bun:test';
import { configureLog, flushLog } from '../../../src/util/log.ts';

/** Events of the test that runs, oldest first; call it once per file. */
export function logged(): () => Promise<Readonly<Record<string, unknown>>[]> {
  let written = '';
  beforeEach(() => {
    written = '';
    configureLog({
      level: 'info',
      format: 'json',
      write: (text, taken) => {
        written += text;
        taken();
      },
    });
  });
  afterEach(async () => {
    // What is still held would come in the next test.
    await flushLog();
    configureLog({ level: 'error', format: 'json', write: (_text, taken) => taken() });
  });

  return async () => {
    await flushLog();

    return written
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };
}
