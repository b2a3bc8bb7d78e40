/** The kinds of settings: how a value is read from text (environment, flag) and from TOML, and what is allowed. */

/** Why a value was not taken: `is "abc"; allowed is ...`. The key and the place are put in front by the caller. */
export class Refusal {
  constructor(readonly message: string) {}
}

/** One row of the table of settings. */
export interface Setting<V> {
  /** Section and name in the file, as in `http.listen`. */
  readonly key: string;
  readonly fallback: V;
  /** Unit of the value, or '' where there is none. */
  readonly unit: string;
  /** What may stand here, in words; completes "allowed is". */
  readonly allowed: string;
  /** What it is for: the text of `--help` and of the documents. */
  readonly reason: string;
  /** Whether a reload (SIGHUP) takes a new value; if missing, only a restart does. */
  readonly reloads?: true;
  /** The value as it would stand in the file. */
  show(value: V): string;
  /** From the environment or a flag. */
  fromText(text: string): V | Refusal;
  /** From the file. */
  fromToml(value: unknown): V | Refusal;
}

interface Row {
  readonly key: string;
  readonly reason: string;
  readonly reloads?: true;
}

/** A value as it was read, short enough for a message. */
export function describe(value: unknown): string {
  if (typeof value === 'string')
    return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}...` : value);
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof Date) return 'a date';
  if (typeof value === 'object' && value !== null) return 'a table';

  return String(value);
}

function refuse(value: unknown, allowed: string): Refusal {
  return new Refusal(`is ${describe(value)}; allowed is ${allowed}`);
}

/** A whole number in a range. */
export function integer(
  row: Row & { fallback: number; unit: string; min: number; max: number },
): Setting<number> {
  const allowed = `a whole number from ${row.min} to ${row.max}${row.unit === '' ? '' : ` (${row.unit})`}`;
  const check = (value: number, read: unknown): number | Refusal =>
    Number.isSafeInteger(value) && value >= row.min && value <= row.max ? value : refuse(read, allowed);

  return {
    ...row,
    allowed,
    show: String,
    fromText: (text) => (/^-?\d{1,16}$/.test(text) ? check(Number(text), text) : refuse(text, allowed)),
    fromToml: (value) =>
      typeof value === 'number'
        ? check(value, value)
        : refuse(value, typeof value === 'string' ? `${allowed}, without quotes` : allowed),
  };
}

/** Text that `read` turns into a value; `read` returns undefined for what it does not take. */
export function text<V>(
  row: Row & {
    fallback: V;
    allowed: string;
    read: (text: string) => V | undefined;
    show: (value: V) => string;
  },
): Setting<V> {
  const fromText = (text: string): V | Refusal => {
    const value = row.read(text);

    return value === undefined ? refuse(text, row.allowed) : value;
  };

  return {
    ...row,
    unit: '',
    show: (value) => JSON.stringify(row.show(value)),
    fromText,
    fromToml: (value) =>
      typeof value === 'string' ? fromText(value) : refuse(value, `${row.allowed}, in quotes`),
  };
}

/** One of a few words. */
export function choice<W extends string>(row: Row & { fallback: W; words: readonly W[] }): Setting<W> {
  return text<W>({
    ...row,
    allowed: `one of ${row.words.map((word) => `"${word}"`).join(', ')}`,
    read: (text) => row.words.find((word) => word === text),
    show: (word) => word,
  });
}

/** Several texts; in the environment and in flags with commas between them. `item` completes "each". */
export function list(
  row: Row & {
    fallback: readonly string[];
    item: string;
    maxItems: number;
    read: (text: string) => string | undefined;
    /** Whether a text may hold a secret, so that no message repeats it. */
    isSecret?: true;
  },
): Setting<readonly string[]> {
  const shown = (item: unknown): string => (row.isSecret ? 'one that is not shown here' : describe(item));
  const allowed = `a list of at most ${row.maxItems}, each ${row.item}`;
  const check = (items: readonly string[]): readonly string[] | Refusal => {
    if (items.length > row.maxItems) return refuse(items, allowed);
    const values: string[] = [];
    for (const item of items) {
      const value = row.read(item);
      if (value === undefined) return new Refusal(`has ${shown(item)}; allowed is ${allowed}`);
      if (!values.includes(value)) values.push(value);
    }

    return values;
  };

  return {
    ...row,
    unit: '',
    allowed,
    show: (values) => `[${values.map((value) => JSON.stringify(value)).join(', ')}]`,
    fromText: (text) =>
      check(
        text
          .split(',')
          .map((item) => item.trim())
          .filter((item) => item !== ''),
      ),
    fromToml: (value) => {
      if (!Array.isArray(value))
        return new Refusal(`is ${shown(value)}; allowed is ${allowed}, as in ["a", "b"]`);
      const wrong = value.find((item) => typeof item !== 'string');
      if (wrong !== undefined) return new Refusal(`has ${shown(wrong)}; allowed is ${allowed}, in quotes`);

      return check(value.map(String));
    },
  };
}
