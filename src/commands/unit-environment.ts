/** What the service's unit gives it beyond the settings file, for commands at a shell of its host. */

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DEFAULT_FILE } from '../config/load.ts';

/** Where the unit has its settings and its tokens. */
export const UNIT_FOLDER = dirname(DEFAULT_FILE);

/**
 * The environment as the unit has it. At a shell there is no credential with tokens; who may read the file that the unit
 * makes it of has that, and so can ask the service.
 */
export function asUnit<E extends Readonly<Record<string, string | undefined>>>(
  env: E,
  folder = UNIT_FOLDER,
): E {
  if (env.CREDENTIALS_DIRECTORY !== undefined || tokenWords(join(folder, 'tokens')).length === 0) return env;

  return { ...env, CREDENTIALS_DIRECTORY: folder };
}

/** The words of a file of tokens; none if this user may not read it. */
export function tokenWords(file: string): string[] {
  try {
    return readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => !line.trim().startsWith('#'))
      .flatMap((line) => line.trim().split(/\s+/).slice(-1))
      .filter((word) => word !== '');
  } catch {
    return [];
  }
}
