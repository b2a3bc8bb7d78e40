/** Steps through SQL text: names, strings, comments and brackets of MySQL, PostgreSQL and SQLite. */

export class SqlScanner {
  at = 0;
  /** Whether the text ended where something had to follow. */
  isCut = false;

  constructor(
    readonly text: string,
    /** MySQL reads backslashes in strings, takes "x" for a string, and `#` begins a comment. */
    readonly isMySql: boolean,
  ) {}

  /** Whether nothing but blanks and comments is left; steps over those. */
  isAtEnd(): boolean {
    this.#skipBlanks();

    return this.at >= this.text.length;
  }

  /** Takes what stands here if it matches; the pattern is sticky. */
  take(pattern: RegExp): string | undefined {
    this.#skipBlanks();
    pattern.lastIndex = this.at;
    const [taken] = pattern.exec(this.text) ?? [];
    this.at += taken?.length ?? 0;

    return taken;
  }

  /** A bare word, '' if there is none. */
  word(): string {
    return this.take(/[\w$\u0080-\uffff]+/y) ?? '';
  }

  /** A name with what stands before it, as `public.rtpengine`; empty if there is none. */
  path(): string[] {
    const path: string[] = [];
    do {
      this.#skipBlanks();
      const quote = this.text[this.at] ?? '';
      const name = /["`[]/.test(quote) ? this.#quotedName(quote) : this.word();
      if (name === '') return [];
      path.push(name);
    } while (this.take(/\./y) !== undefined);

    return path;
  }

  /** The items up to the closing bracket, as they are written; the opening one has been taken. */
  tuple(): string[] {
    const items: string[] = [];
    let start = this.at;
    let depth = 0;
    for (;;) {
      const char = this.#nextOf(/['"`(),;/-]/g);
      if (char === undefined) break;
      if (char === '(') depth++;
      else if (char === ')') depth--;
      if (depth < 0 || (depth === 0 && char === ',')) {
        items.push(this.text.slice(start, this.at).trim());
        start = ++this.at;
        if (depth < 0) return items;
      } else this.#stepOver(char);
    }
    this.isCut = true;

    return items;
  }

  /** Steps over the rest of the statement and its semicolon. */
  skipStatement(): void {
    for (;;) {
      const char = this.#nextOf(/['"`;/#$-]/g);
      if (char === undefined) {
        this.at = this.text.length;

        return;
      }
      if (char === ';') {
        this.at++;

        return;
      }
      this.#stepOver(char);
    }
  }

  /** The rest of the line without its end; undefined, and cut off, at the end of the text. */
  line(): string | undefined {
    const end = this.text.indexOf('\n', this.at);
    const line = this.text.slice(this.at, end < 0 ? undefined : end).replace(/\r$/, '');
    if (end < 0 && line !== '\\.') {
      this.isCut = true;
      this.at = this.text.length;

      return undefined;
    }
    this.at = end < 0 ? this.text.length : end + 1;

    return line;
  }

  /** A value as it is written: a string without quotes, null for NULL, anything else as it is. */
  decode(raw: string): string | null {
    if (/^null$/i.test(raw)) return null;
    const hex = /^(?:0x([0-9a-f]*)|x'([0-9a-f]*)')$/i.exec(raw);
    if (hex !== null) return Buffer.from(hex[1] ?? hex[2] ?? '', 'hex').toString('utf8');
    // SQLite's .dump writes a text with line ends so.
    const [, inner, mark = '', code] =
      /^replace\(((?:replace\()?'.*),'([^']+)',char\((10|13)\)\)$/s.exec(raw) ?? [];
    if (inner !== undefined)
      return this.decode(inner)?.replaceAll(mark, String.fromCharCode(Number(code))) ?? null;
    const [, prefix = '', quote = '', body] =
      /^(e|n|_\w+\s*)?(['"])(.*)\2(?:::[\w ."()[\]]+)?$/is.exec(raw) ?? [];
    if (body === undefined || (quote === '"' && !this.isMySql)) return raw;
    const plain = body.replaceAll(quote + quote, quote);
    if (!this.isMySql && !/^e$/i.test(prefix)) return plain;

    return unescaped(body, quote);
  }

  /** Goes to the next of some characters. */
  #nextOf(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return undefined;
    this.at = found.index;

    return found[0];
  }

  /** Steps over a string, a comment, or the one character that is neither. */
  #stepOver(char: string): void {
    if (char === "'" || char === '"' || char === '`') this.#skipString(char);
    else if (char === '$') this.#skipDollars();
    else if (!this.#skipComment()) this.at++;
  }

  #skipString(quote: string): void {
    // Backslashes count in MySQL, and in PostgreSQL's E'...'.
    const isEscaped =
      quote !== '`' &&
      (this.isMySql ||
        (quote === "'" && /(^|[^\w])e$/i.test(this.text.slice(Math.max(0, this.at - 2), this.at))));
    this.at++;
    for (;;) {
      const char = this.#nextOf(isEscaped ? (quote === '"' ? /["\\]/g : /['\\]/g) : new RegExp(quote, 'g'));
      if (char === undefined) {
        this.isCut = true;
        this.at = this.text.length;

        return;
      }
      // A doubled quote ends one string and begins another: to step over both is the same.
      this.at += char === '\\' ? 2 : 1;
      if (char === quote) return;
    }
  }

  /** PostgreSQL's `$tag$ ... $tag$`; a `$` that is none is one character. */
  #skipDollars(): void {
    const tag = /\$(?:[a-z_]\w*)?\$/iy;
    tag.lastIndex = this.at;
    const [mark] = (this.isMySql ? null : tag.exec(this.text)) ?? [];
    if (mark === undefined) {
      this.at++;

      return;
    }
    const end = this.text.indexOf(mark, this.at + mark.length);
    if (end < 0) this.isCut = true;
    this.at = end < 0 ? this.text.length : end + mark.length;
  }

  #skipBlanks(): void {
    const blanks = /\s*/y;
    do {
      blanks.lastIndex = this.at;
      this.at += blanks.exec(this.text)?.[0].length ?? 0;
    } while (this.#skipComment());
  }

  #skipComment(): boolean {
    const { text, at } = this;
    const isLine =
      text.startsWith('--', at) || (this.isMySql && text[at] === '#') || text.startsWith('\\', at);
    if (!isLine && !text.startsWith('/*', at)) return false;
    const mark = isLine ? '\n' : '*/';
    const end = text.indexOf(mark, at + 2);
    this.isCut ||= end < 0 && !isLine;
    this.at = end < 0 ? text.length : end + mark.length;

    return true;
  }

  #quotedName(quote: string): string {
    const close = quote === '[' ? ']' : quote;
    const end = this.text.indexOf(close, this.at + 1);
    if (end < 0) {
      this.isCut = true;
      this.at = this.text.length;

      return '';
    }
    const name = this.text.slice(this.at + 1, end);
    this.at = end + 1;

    return name;
  }
}

/** Undoes MySQL's escapes (manual, "String Literals"); PostgreSQL's are the same as far as a dump uses them. */
function unescaped(body: string, quote: string): string {
  const letters: Readonly<Record<string, string>> = {
    '0': '\0',
    b: '\b',
    n: '\n',
    r: '\r',
    t: '\t',
    Z: '\u001a',
  };

  return body.replace(/\\(.)|(['"])\2/gs, (whole, char: string | undefined, double: string | undefined) => {
    if (char !== undefined) return letters[char] ?? char;

    return double === quote ? quote : whole;
  });
}
