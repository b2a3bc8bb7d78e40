/** A screen that is drawn again and again in a terminal, until somebody has seen enough: of `top` and `call watch`. */

import type { Io, Terminal } from './command.ts';
import { type Look, lookOf, paint } from './style.ts';

/** Another screen, without a cursor; and back. */
const ENTER = '\u001b[?1049h\u001b[?25l';
const LEAVE = '\u001b[?25h\u001b[?1049l';
/** To the upper left corner; empty the rest of a line; empty the rest of the screen. */
const [HOME, REST, BELOW] = ['\u001b[H', '\u001b[K', '\u001b[J'];
/** q, Ctrl-C and Ctrl-D; a raw terminal makes no signals of them. */
const ENDING = ['q', 'Q', '\u0003', '\u0004'];
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** Lines for a terminal that looks so; asked for again when its size changes. */
export type Draw = (look: Look) => readonly string[];

export interface Screen {
  /** Ends when somebody has seen enough. */
  readonly signal: AbortSignal;
  /** Shows these lines in place of those before. */
  show(draw: Draw): void;
}

/** The terminal, if screens can be drawn on it: a dumb one only takes lines. */
export function screenOf({ terminal, env }: Pick<Io, 'terminal' | 'env'>): Terminal | undefined {
  return env.TERM === 'dumb' ? undefined : terminal;
}

/** Gives `work` a screen. Whatever ends it, the terminal is left as it was. */
export async function onScreen<R>(
  io: Io & { readonly terminal: Terminal },
  work: (screen: Screen) => Promise<R>,
): Promise<R> {
  const { terminal } = io;
  const end = new AbortController();
  const stop = (): void => end.abort();
  // Several keys may come at once.
  const onKeys = (keys: Buffer): void => {
    if (ENDING.some((key) => keys.includes(key))) stop();
  };
  const leave = (): void => terminal.write(LEAVE);
  const { stdin } = process;
  for (const signal of SIGNALS) process.on(signal, stop);
  process.once('exit', leave);
  if (stdin.isTTY) stdin.setRawMode(true).on('data', onKeys).resume();
  let shown: Draw = () => [];
  const repaint = (): void => drawOn(terminal, shown, lookOf(io));
  process.stdout.on('resize', repaint);
  terminal.write(ENTER);
  try {
    return await work({
      signal: end.signal,
      show: (draw) => {
        shown = draw;
        repaint();
      },
    });
  } finally {
    process.stdout.off('resize', repaint);
    if (stdin.isTTY) stdin.off('data', onKeys).setRawMode(false).pause();
    process.off('exit', leave);
    leave();
    for (const signal of SIGNALS) process.off(signal, stop);
  }
}

/** Paints over what was there, so that nothing flickers; what does not fit is cut off, and said to be. */
function drawOn(terminal: Terminal, draw: Draw, look: Look): void {
  const { columns, rows } = terminal;
  const lines = draw(look);
  const shown = lines.length <= rows ? lines : lines.slice(0, rows - 1);
  const more =
    shown === lines ? [] : [paint(look, `... ${lines.length - shown.length} more lines`, 'yellow')];
  const painted = [...shown, ...more].map((line) => Bun.sliceAnsi(line, 0, columns) + REST);
  terminal.write(`${HOME}${painted.join('\r\n')}${BELOW}`);
}
