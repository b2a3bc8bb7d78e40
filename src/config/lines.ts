/**
 * On which line of a TOML text each key stands: the parser tells lines only of syntax errors.
 * Expects a text the parser has taken, so it may be simple.
 */

const SEPARATOR = '\u0000';

/** Lines of keys; keys inside an inline table have the line of that table. */
export class KeyLines {
  #lines = new Map<string, number>();

  constructor(toml: string) {
    new Walk(toml, (path, line) => {
      const key = path.join(SEPARATOR);
      if (!this.#lines.has(key)) this.#lines.set(key, line);
    }).run();
  }

  /** Line of the key, counted from 1, or of the nearest table around it; 1 if there is none. */
  of(path: readonly string[]): number {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(path.slice(0, length).join(SEPARATOR));
      if (line !== undefined) return line;
    }

    return 1;
  }
}

class Walk {
  #at = 0;
  #line = 1;

  constructor(
    private readonly toml: string,
    private readonly found: (path: readonly string[], line: number) => void,
  ) {}

  run(): void {
    let table: readonly string[] = [];
    while (this.#at < this.toml.length) {
      const char = this.toml[this.#at];
      if (char === '#') this.#skipComment();
      else if (char === '[') {
        table = this.#path(']');
        this.found(table, this.#line);
        this.#skipValue();
      } else if (/\s/.test(char ?? '')) this.#step();
      else {
        const line = this.#line;
        this.found([...table, ...this.#path('=')], line);
        this.#skipValue();
      }
    }
  }

  #step(count = 1): void {
    for (const end = this.#at + count; this.#at < end; this.#at++)
      if (this.toml[this.#at] === '\n') this.#line++;
  }

  #skipComment(): void {
    while (this.#at < this.toml.length && this.toml[this.#at] !== '\n') this.#at++;
  }

  /** Reads a dotted key up to and including `end`. */
  #path(end: string): string[] {
    const parts: string[] = [];
    let part = '';
    while (this.#at < this.toml.length && this.toml[this.#at] !== end) {
      const char = this.toml[this.#at] ?? '';
      if (char === '"' || char === "'") part += this.#string();
      else {
        if (char === '.') parts.push(part);
        if (char === '.') part = '';
        else if (!/[\s[]/.test(char)) part += char;
        this.#step();
      }
    }
    this.#step();

    return [...parts, part];
  }

  /** Steps over a string and returns what is between its quotes, escapes left as they are. */
  #string(): string {
    const quote = this.toml[this.#at] ?? '';
    const triple = quote.repeat(3);
    const mark = this.toml.startsWith(triple, this.#at) ? triple : quote;
    this.#step(mark.length);
    const start = this.#at;
    while (this.#at < this.toml.length && !this.toml.startsWith(mark, this.#at))
      this.#step(quote === '"' && this.toml[this.#at] === '\\' ? 2 : 1);
    const content = this.toml.slice(start, this.#at);
    this.#step(mark.length);
    // Up to two quotes may stand right before the closing three.
    while (mark === triple && this.toml[this.#at] === quote) this.#step();

    return content;
  }

  /** Steps over the rest of a value or header: to the end of the line that is in no bracket and no string. */
  #skipValue(): void {
    let depth = 0;
    while (this.#at < this.toml.length) {
      const char = this.toml[this.#at];
      if (char === '\n' && depth <= 0) return;
      if (char === '"' || char === "'") this.#string();
      else if (char === '#') this.#skipComment();
      else {
        if (char === '[' || char === '{') depth++;
        if (char === ']' || char === '}') depth--;
        this.#step();
      }
    }
  }
}
