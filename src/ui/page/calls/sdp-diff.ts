/** Two SDP bodies side by side: which lines belong together, and which words of them differ. */

import { align } from './align.ts';

/** A part of a line. */
export interface Span {
  readonly text: string;
  readonly isChanged: boolean;
}

export interface DiffLine {
  /** Counted from 1. */
  readonly number: number;
  readonly spans: readonly Span[];
}

/** Lines that belong together. `removed` has no right one, `added` no left one. */
export interface DiffRow {
  readonly kind: 'same' | 'changed' | 'removed' | 'added';
  readonly left: DiffLine | null;
  readonly right: DiffLine | null;
}

export interface SdpDiff {
  readonly rows: readonly DiffRow[];
  /** Lines that were left out because there are too many; 0 if all are there. */
  readonly linesCut: number;
}

/** Lines of one body that are compared, and characters of a line that are shown. */
export const MAX_LINES = 600;
export const MAX_LINE = 1000;

/** Cells of the table that compares the words of two lines: some 200 words each. What has more is marked from end to end. */
const MAX_WORD_CELLS = 160_000;

/** Share of words two lines must have in common to be one line that was changed, where several of their kind may stand. */
const SIMILAR_FROM = 0.5;

/** Lines of which a section has many: two of them belong together only if they look alike. */
const MANY = new Set(['a=candidate', 'a=crypto', 'a=rtpmap', 'a=fmtp', 'a=rtcp-fb', 'a=ssrc', 'a=extmap']);

interface Line {
  readonly number: number;
  readonly text: string;
}

/** Compares what came with what left. Line ends do not count. */
export function diffSdp(received: string, returned: string): SdpDiff {
  const left = linesOf(received);
  const right = linesOf(returned);
  const leftSections = sectionsOf(left.lines);
  const rightSections = sectionsOf(right.lines);
  const rows: DiffRow[] = [];
  // Streams keep their place in offer and answer (RFC 3264 section 6), so section is compared with section.
  for (let index = 0; index < Math.max(leftSections.length, rightSections.length); index++) {
    rows.push(...diffSection(leftSections[index] ?? [], rightSections[index] ?? []));
  }

  return { rows, linesCut: left.cut + right.cut };
}

/** The lines of a body, without their ends. */
export function linesOf(sdp: string): { readonly lines: readonly Line[]; readonly cut: number } {
  const texts = sdp.split(/\r?\n/);
  if (texts.at(-1) === '') texts.pop();
  const lines = texts.slice(0, MAX_LINES).map((text, index) => ({
    number: index + 1,
    text: text.length > MAX_LINE ? `${text.slice(0, MAX_LINE)}…` : text,
  }));

  return { lines, cut: texts.length - lines.length };
}

/** The session part, then one part for each m= line. */
function sectionsOf(lines: readonly Line[]): Line[][] {
  const sections: Line[][] = [[]];
  for (const line of lines) {
    if (line.text.startsWith('m=')) sections.push([]);
    sections.at(-1)?.push(line);
  }

  return sections;
}

/**
 * The lines of one section. Relays write attributes in an order of their own, which means nothing, so a line may find its partner
 * out of order: the rows follow the left body, and the numbers tell.
 */
function diffSection(left: readonly Line[], right: readonly Line[]): DiffRow[] {
  const partners = new Map(align(left, right, (a, b) => a.text === b.text));
  const taken = new Set(partners.values());
  const pairUp = (
    keyOf: (text: string) => string,
    find: (line: Line, alike: readonly Candidate[]) => number | undefined,
  ) => {
    const free = Map.groupBy(
      right.flatMap(({ text }, index) => (taken.has(index) ? [] : [{ index, text, words: spokenOf(text) }])),
      ({ text }) => keyOf(text),
    );
    for (const [index, line] of left.entries()) {
      if (partners.has(index)) continue;
      const alike = free.get(keyOf(line.text))?.filter((one) => !taken.has(one.index)) ?? [];
      const other = find(line, alike);
      if (other === undefined) continue;
      partners.set(index, other);
      taken.add(other);
    }
  };
  pairUp(
    (text) => text,
    (_, alike) => alike[0]?.index,
  );
  pairUp(keyOf, versionOf);
  // Lines that only the right body has stand where they stand there: after the line before them, and what is gone from there.
  const rows: DiffRow[] = [];
  let added = addedAfter(-1);
  for (const [index, line] of left.entries()) {
    const other = partners.get(index);
    if (other === undefined) rows.push(rowOf(line, undefined));
    else {
      rows.push(...added, rowOf(line, right[other]));
      added = addedAfter(other);
    }
  }
  rows.push(...added);

  return rows;

  function addedAfter(index: number): DiffRow[] {
    const rows: DiffRow[] = [];
    for (let next = index + 1; next < right.length && !taken.has(next); next++) {
      const line = right[next];
      if (line !== undefined) rows.push({ kind: 'added', left: null, right: marked(line) });
    }

    return rows;
  }
}

function rowOf(line: Line, partner: Line | undefined): DiffRow {
  if (partner === undefined) return { kind: 'removed', left: marked(line), right: null };
  if (partner.text === line.text) return { kind: 'same', left: plain(line), right: plain(partner) };

  return changed(line, partner);
}

/** A line of the right body that may be the partner of one of the left. */
interface Candidate {
  readonly index: number;
  readonly text: string;
  readonly words: readonly string[];
}

/** Which of the free lines of its kind is this one, changed: the most alike where a section has many of them. */
function versionOf({ text }: Line, alike: readonly Candidate[]): number | undefined {
  if (!MANY.has(keyOf(text))) return alike[0]?.index;
  const words = spokenOf(text);
  let best: number | undefined;
  let most = SIMILAR_FROM;
  for (const { index, words: others } of alike) {
    const share = likeness(words, others);
    if (share < most || (share === most && best !== undefined)) continue;
    best = index;
    most = share;
  }

  return best;
}

/** What kind of line it is: `c=`, or `a=` with the name of the attribute. */
function keyOf(text: string): string {
  return text.startsWith('a=') ? (text.split(/[:\s]/, 1)[0] ?? '') : text.slice(0, 2);
}

/** Share of words that stand at the same place in both. */
function likeness(a: readonly string[], b: readonly string[]): number {
  let same = 0;
  for (const [index, word] of a.entries()) if (word === b[index]) same++;

  return same / Math.max(a.length, b.length, 1);
}

/** The parts of a line without the space between them. */
function spokenOf(text: string): string[] {
  return wordsOf(text).filter((word) => word.trim() !== '');
}

/** The parts of a line: its name, then words and the space between them. Joined they are the line. */
function wordsOf(text: string): string[] {
  const name = /^[a-z]=(?:[a-z0-9-]+:)?/i.exec(text)?.[0] ?? '';

  return [...(name === '' ? [] : [name]), ...(text.slice(name.length).match(/\s+|[^\s]+/g) ?? [])];
}

function changed(left: Line, right: Line): DiffRow {
  const a = wordsOf(left.text);
  const b = wordsOf(right.text);
  const pairs = align(a, b, (one, other) => one === other, MAX_WORD_CELLS);
  const kept = [new Set(pairs.map(([index]) => index)), new Set(pairs.map(([, index]) => index))] as const;

  return {
    kind: 'changed',
    left: { number: left.number, spans: spansOf(a, kept[0]) },
    right: { number: right.number, spans: spansOf(b, kept[1]) },
  };
}

/** Words as spans: neighbours of one kind become one, so that a mark does not fall apart at spaces. */
function spansOf(words: readonly string[], kept: ReadonlySet<number>): Span[] {
  const spans: { text: string; isChanged: boolean }[] = [];
  for (const [index, text] of words.entries()) {
    const isChanged = !kept.has(index);
    const last = spans.at(-1);
    if (last?.isChanged === isChanged) last.text += text;
    else spans.push({ text, isChanged });
  }

  return spans;
}

function plain({ number, text }: Line): DiffLine {
  return { number, spans: [{ text, isChanged: false }] };
}

function marked({ number, text }: Line): DiffLine {
  return { number, spans: [{ text, isChanged: true }] };
}
