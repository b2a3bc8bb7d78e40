/** Plain text tables: columns with two blanks between them, numbers to the right. */

/** Replaces what would move the cursor, break the line or turn it round; the API hands out texts of strangers (Call-IDs). */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu, '?');
}

/** Lines of a table; a column whose cells are all numbers, or a dash, stands to the right. */
export function formatTable(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const cells = [head, ...rows].map((row) => head.map((_, i) => printable(row[i] ?? '')));
  const columns = head.map((_, i) => {
    const column = cells.map((row) => row[i] ?? '');

    return {
      width: Math.max(...column.map((cell) => Bun.stringWidth(cell))),
      isNumber: rows.length > 0 && column.slice(1).every((cell) => /^(\d+(\.\d+)?|-)?$/.test(cell)),
    };
  });

  return cells.map((row) =>
    columns
      .map(({ width, isNumber }, i) => {
        const cell = row[i] ?? '';
        const fill = ' '.repeat(width - Bun.stringWidth(cell));

        return isNumber ? fill + cell : cell + fill;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** `1 call`, `3 calls`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}

/** A number of bytes for people: `812 B`, `3.1 kB`, `152 MB`. */
export function size(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const step = Math.min(Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)), units.length - 1);
  const value = bytes / 1000 ** step;

  return `${step > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${units[step]}`;
}

/** A time in UTC milliseconds as `2026-11-23 12:00:00Z`. */
export function timeText(utcMs: number): string {
  return `${new Date(utcMs).toISOString().slice(0, 19).replace('T', ' ')}Z`;
}
