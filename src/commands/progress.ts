/** How long work goes on: one line on standard error that changes in place and is gone at the end. Only on a terminal. */

import type { Io } from './command.ts';
import { printable } from './style.ts';
import { size } from './table.ts';

/** Back to the beginning of the line, and empty it. */
const NEW_LINE = '\r\u001b[K';
/** More often nobody reads it, ms. */
const MIN_INTERVAL_MS = 100;

export class Progress {
  readonly #terminal: Io['errTerminal'];
  readonly #command: string;
  #shown = '';
  /** Monotonic ms of the last change. */
  #at = Number.NEGATIVE_INFINITY;

  /** @param command its name stands before each text; '' for none */
  constructor({ errTerminal }: Pick<Io, 'errTerminal'>, command = '') {
    this.#terminal = errTerminal;
    this.#command = command === '' ? '' : `${command}: `;
  }

  /** Whether somebody can see it. */
  get isSeen(): boolean {
    return this.#terminal !== undefined;
  }

  /** Shows a text in place of the one before. */
  show(text: string): void {
    if (this.#terminal === undefined) return;
    const line = Bun.sliceAnsi(printable(this.#command + text), 0, (this.#terminal.columns || 80) - 1);
    if (line === this.#shown) return;
    this.#shown = line;
    this.#at = performance.now();
    this.#terminal.write(NEW_LINE + line);
  }

  /** The same for what changes very often, as bytes do: shows some of the texts. */
  showSometimes(text: () => string): void {
    if (this.isSeen && performance.now() - this.#at >= MIN_INTERVAL_MS) this.show(text());
  }

  /** Takes the line away. */
  end(): void {
    if (this.#shown !== '') this.#terminal?.write(NEW_LINE);
    this.#shown = '';
  }
}

/** Shows how far a copy is, in bytes. */
export function copying(progress: Progress): (done: number, total: number) => void {
  return (done, total) =>
    progress.showSometimes(
      () => `${size(done)} of ${size(total)} copied (${Math.floor((100 * done) / Math.max(total, 1))} %)`,
    );
}
