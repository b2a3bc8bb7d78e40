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
