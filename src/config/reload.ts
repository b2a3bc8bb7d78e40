/** Reads the settings again while the program runs. */

import { log } from '../util/log.ts';
import { type Changes, changesOf } from './changes.ts';
import { BadSettings } from './load.ts';
import type { Settings } from './settings.ts';

export interface ReloadParts {
  /** Reads them as at the start. */
  readonly load: () => Settings | BadSettings;
  /** Makes what has changed hold; called with all settings that hold from now on. */
  readonly apply: (changes: Changes) => void;
}

export class Reload {
  readonly #parts: ReloadParts;
  #settings: Settings;
  #note = '';
  #isRefused = false;

  /** @param settings those of the start */
  constructor(settings: Settings, parts: ReloadParts) {
    this.#settings = settings;
    this.#parts = parts;
  }

  /** What a person should know of the last reload, for the line of status; '' if there is nothing. */
  get note(): string {
    return this.#note;
  }

  /** Whether the last reload changed nothing, since the settings have problems. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  /** Takes what can be taken. Settings with problems are told, and change nothing. */
  run(): void {
    const next = this.#parts.load();
    this.#isRefused = next instanceof BadSettings;
    if (next instanceof BadSettings) {
      // Under names that cannot be mistaken: a problem never holds a secret.
      for (const { where, key, message } of next.problems)
        log.error('settings.bad', { where, ...(key === '' ? {} : { key }), problem: message });
      const count = next.problems.length === 1 ? '1 problem' : `${next.problems.length} problems`;
      this.#note = `settings not taken: ${count}, see the log`;

      return;
    }
    const changes = changesOf(this.#settings, next);
    this.#settings = changes.settings;
    this.#note = changes.needRestart.length === 0 ? '' : `restart for ${changes.needRestart.join(', ')}`;
    this.#parts.apply(changes);
  }
}
