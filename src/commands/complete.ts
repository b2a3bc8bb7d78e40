/** What may stand for a word of a command line that somebody is typing, by the same tables the parser reads. */

import { settingTexts } from '../config/describe.ts';
import { type Args, type FlagKind, type Flags, readArgs, type Shape, UsageError } from './args.ts';
import { ApiError, CLIENT_FLAGS, connect } from './client.ts';
import type { CommandModule, Io } from './command.ts';
import { COMMANDS } from './commands.ts';
import { listOf, textOf } from './json.ts';
import { hostService } from './service-address.ts';
import { printable } from './style.ts';

/** Somebody waits with a finger on the key: longer than this nobody asks the service, ms. */
const ASK_MS = 1000;
/** Of the service, at most so many ids. */
const MAX_IDS = 500;

/** A word that may stand there, and what it is. */
export interface Candidate {
  readonly word: string;
  readonly description: string;
}

/** Words, or the names of files, which shells know better. */
export type Candidates = readonly Candidate[] | 'files';

/** What may stand for the last of the words, of which the first is the command. */
export async function complete(words: readonly string[], io: Io): Promise<Candidates> {
  const line = joinEquals(words);
  const [name = '', ...rest] = line;
  if (line.length < 2) return beginning(name, [...commandNames(), plain('--help'), plain('--version')]);
  if (name === 'help') return beginning(rest[0] ?? '', rest.length === 1 ? commandNames() : []);
  const entry = COMMANDS.find((command) => command.name === name);
  if (entry === undefined) return [];
  const command = await entry.load();
  const [action = '', ...others] = rest;
  const own = command.shapes[''];
  if (own !== undefined) return ofShape(name, command, own, rest, io);
  if (rest.length === 1)
    return beginning(action, [...Object.keys(command.shapes).map(plain), plain('--help')]);
  const shape = Object.hasOwn(command.shapes, action) ? command.shapes[action] : undefined;

  return shape === undefined ? [] : ofShape(name, command, shape, others, io);
}

/** bash breaks `--state=li` into three words; here it is one again. */
function joinEquals(words: readonly string[]): string[] {
  const joined: string[] = [];
  for (let i = 0; i < words.length; i++) {
    const word = words[i] ?? '';
    if (word === '=' && joined.at(-1)?.startsWith('--')) {
      // The flag stays a word of its own, and its value the next one.
      if (i === words.length - 1) joined.push('');
    } else joined.push(word);
  }

  return joined;
}

async function ofShape(
  name: string,
  command: CommandModule,
  shape: Shape,
  words: readonly string[],
  io: Io,
): Promise<Candidates> {
  const flags = flagsOf(shape);
  const current = words.at(-1) ?? '';
  const { given, positions, open } = walk(words.slice(0, -1), flags);
  if (open !== undefined) return ofKind(flags[open], current, given, io);
  const [, flag = '', value] = /^--([^=]+)=(.*)$/.exec(current) ?? [];
  if (value !== undefined) {
    const values = await ofKind(flags[flag], value, given, io);

    return values === 'files'
      ? values
      : values.map(({ word, description }) => ({ word: `--${flag}=${word}`, description }));
  }
  const wanted = wantedWord(shape.words, positions);
  if (current.startsWith('-') || wanted === undefined) return flagCandidates(command, flags, given, current);
  if (wanted === 'FILE') return 'files';
  if (wanted === 'ID') return ids(name === 'set' ? 'set' : 'node', current, given, io);

  return [];
}

/** Those of a shape, and the settings where it takes them. */
function flagsOf({ flags, takesSettings }: Shape): Flags {
  if (takesSettings !== true) return flags;
  const settings = settingTexts().map(({ flag }) => [flag.slice(2), 'value' as const]);

  return { ...Object.fromEntries(settings), config: 'file', ...flags };
}

/** Flags with their values among complete words, how many words are none, and the flag that waits for its value. */
function walk(words: readonly string[], flags: Flags) {
  const given = new Map<string, string>();
  let positions = 0;
  let open: string | undefined;
  for (const word of words) {
    if (open !== undefined) {
      given.set(open, word);
      open = undefined;
      continue;
    }
    const [, flag = '', value] = /^--([^=]+)(?:=(.*))?$/.exec(word) ?? [];
    if (flag === '') {
      positions++;
      continue;
    }
    given.set(flag, value ?? '');
    if (value === undefined && Object.hasOwn(flags, flag) && flags[flag] !== 'switch') open = flag;
  }

  return { given, positions, open };
}

/** The name of the word that comes next, without its brackets. */
function wantedWord(words: readonly string[], position: number): string | undefined {
  const last = words.at(-1);
  const word = words[position] ?? (last?.endsWith('...]') ? last : undefined);

  return word?.replace(/^\[|(\.\.\.)?\]$/g, '');
}

function flagCandidates(
  { help }: CommandModule,
  flags: Flags,
  given: ReadonlyMap<string, string>,
  current: string,
): Candidate[] {
  const free = Object.entries(flags).filter(([name, kind]) => kind === 'values' || !given.has(name));

  return beginning(current, [
    ...free.map(([name]) => ({ word: `--${name}`, description: describe(help, name) })),
    plain('--help'),
  ]);
}

/** What the help text says of a flag, its first line. */
function describe(help: string, flag: string): string {
  const [, beside = '', below = ''] =
    new RegExp(`^  --${flag}(?: [^ \\n]+)?(?:  +(.+)|\\n +(.+))$`, 'm').exec(help) ?? [];

  return beside || below;
}

function ofKind(
  kind: FlagKind | undefined,
  current: string,
  given: ReadonlyMap<string, string>,
  io: Io,
): Candidates | Promise<Candidates> {
  if (kind === undefined) return [];
  if (typeof kind !== 'string') return beginning(current, kind.map(plain));
  if (kind === 'file') return 'files';

  return kind === 'node' || kind === 'set' ? ids(kind, current, given, io) : [];
}

/** Ids the service knows; none if it does not answer at once. */
async function ids(
  what: 'node' | 'set',
  current: string,
  given: ReadonlyMap<string, string>,
  io: Io,
): Promise<Candidate[]> {
  const args = clientArgs(given);
  if (args instanceof UsageError) return [];
  const api = connect(args, io, { ...hostService(io.env), timeoutMs: ASK_MS });
  const reply = api instanceof UsageError ? undefined : await api.call('GET', `/v1/${what}s`);
  if (reply === undefined || reply instanceof ApiError) return [];
  const found = listOf(reply.json, `${what}s`).map((one) => ({
    word: textOf(one, 'id'),
    description: textOf(one, what === 'node' ? 'socket' : 'description'),
  }));

  return beginning(
    current,
    found.filter(({ word }) => /^\d+$/.test(word)),
  ).slice(0, MAX_IDS);
}

/** The flags already typed that say where the service is. */
function clientArgs(given: ReadonlyMap<string, string>): Args | UsageError {
  const argv = [...given].flatMap(([name, value]) =>
    Object.hasOwn(CLIENT_FLAGS, name) && name !== 'json' ? [`--${name}=${value}`] : [],
  );

  return readArgs(argv, { words: [], flags: CLIENT_FLAGS });
}

function commandNames(): Candidate[] {
  return [
    ...COMMANDS.map(({ name, summary }) => ({ word: name, description: summary })),
    { word: 'help', description: 'How to call a command' },
  ];
}

function plain(word: string): Candidate {
  return { word, description: '' };
}

function beginning(start: string, all: readonly Candidate[]): Candidate[] {
  return all.filter(({ word }) => word.startsWith(start));
}

/** For the scripts: a word a line, a tab before its description; or `:files`. */
export function candidateLines(candidates: Candidates): string[] {
  if (candidates === 'files') return [':files'];

  return candidates.map(({ word, description }) =>
    description === '' ? word : `${word}\t${printable(description)}`,
  );
}
