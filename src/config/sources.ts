/** Where settings come from: file, environment and flags, each turned into keys with the value and its place. */

import { parse, TomlError } from 'smol-toml';
import { nearest } from '../util/suggest.ts';
import { KeyLines } from './lines.ts';
import { readSideName, SIDE_NAME_RULE } from './readers.ts';
import { envName, FIRST_SIDES, FIXED_ROWS, flagName } from './rows.ts';

/** One thing that is wrong. `where` is `FILE:LINE`, a variable, a flag or a file; `key` is '' if no key is concerned. */
export interface Problem {
  readonly where: string;
  readonly key: string;
  readonly message: string;
}

/** `/etc/rtp-cluster/config.toml:3: http.max_body: is 12; allowed is ...` */
export function formatProblem({ where, key, message }: Problem): string {
  return key === '' ? `${where}: ${message}` : `${where}: ${key}: ${message}`;
}

/** A value as it was given, unchecked. */
export interface Given {
  readonly value: unknown;
  readonly source: 'file' | 'environment' | 'flag';
  readonly where: string;
}

/** Values by key, and what was wrong on the way. */
export interface Source {
  readonly given: ReadonlyMap<string, Given>;
  readonly problems: readonly Problem[];
}

const SIDE_SETTINGS = ['aliases', 'networks'] as const;
const FIXED_KEYS = FIXED_ROWS.map((row) => row.key);
const SECTIONS = [...new Set(FIXED_KEYS.map((key) => key.split('.')[0] ?? '')), 'sides'];

function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** `; did you mean X?` with the key whose last part is the same, or the nearest one. */
function didYouMean(word: string, allowed: readonly string[]): string {
  const last = word.split(/[.]/).at(-1);
  const found = nearest(word, allowed) ?? allowed.find((key) => key.split('.').at(-1) === last);

  return found === undefined ? '' : `; did you mean ${found}?`;
}

/** Reads the text of a settings file. */
export function fromFile(toml: string, file: string): Source {
  const given = new Map<string, Given>();
  const problems: Problem[] = [];
  let root: Record<string, unknown>;
  try {
    root = parse(toml, { integersAsBigInt: 'asNeeded', unsafeKeyBehaviour: 'throw', maxDepth: 16 });
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const [reason = error.message] = error.message.replace('Invalid TOML document: ', '').split('\n');
    const message = `column ${error.column}: ${reason}; correct the syntax (TOML 1.0, https://toml.io)`;

    return { given, problems: [{ where: `${file}:${error.line}`, key: '', message }] };
  }
  const lines = new KeyLines(toml);
  const wrong = (path: readonly string[], message: string): void => {
    problems.push({ where: `${file}:${lines.of(path)}`, key: path.join('.'), message });
  };
  const take = (path: readonly string[], value: unknown): void => {
    given.set(path.join('.'), { value, source: 'file', where: `${file}:${lines.of(path)}` });
  };
  for (const [section, content] of Object.entries(root)) {
    if (!SECTIONS.includes(section)) {
      const hint = didYouMean(section, isTable(content) ? SECTIONS : FIXED_KEYS);
      wrong([section], `there is no such ${isTable(content) ? 'section' : 'setting'}${hint}`);
      continue;
    }
    if (!isTable(content)) {
      wrong([section], `must be a section, as in [${section}]`);
      continue;
    }
    for (const [name, value] of Object.entries(content)) {
      if (section === 'sides') takeSide(name, value, take, wrong);
      else if (FIXED_KEYS.includes(`${section}.${name}`)) take([section, name], value);
      else wrong([section, name], `there is no such setting${didYouMean(`${section}.${name}`, FIXED_KEYS)}`);
    }
  }

  return { given, problems };
}

function takeSide(
  side: string,
  content: unknown,
  take: (path: readonly string[], value: unknown) => void,
  wrong: (path: readonly string[], message: string) => void,
): void {
  if (!isTable(content)) {
    wrong(['sides', side], `must be a section, as in [sides.${side}]`);

    return;
  }
  if (readSideName(side) !== side) {
    wrong(
      ['sides', side],
      `this name of a side is not allowed; allowed is, in lower case, ${SIDE_NAME_RULE}`,
    );

    return;
  }
  // A side may stand there without settings: that too makes it exist.
  take(['sides', side], content);
  for (const [name, value] of Object.entries(content)) {
    if (SIDE_SETTINGS.some((setting) => setting === name)) take(['sides', side, name], value);
    else
      wrong(
        ['sides', side, name],
        `there is no such setting of a side${didYouMean(name, [...SIDE_SETTINGS])}`,
      );
  }
}

/** Reads `RTP_CLUSTER_...` variables. Those outside our sections belong to others (RTP_CLUSTER_URL, a container's links). */
export function fromEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  knownSides: readonly string[],
): Source {
  const given = new Map<string, Given>();
  const problems: Problem[] = [];
  const keys = new Map(FIXED_KEYS.map((key) => [envName(key), key]));
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !isOurs(name)) continue;
    const key =
      keys.get(name) ??
      sideKey(/^RTP_CLUSTER_SIDES_(.+)_(ALIASES|NETWORKS)$/.exec(name), knownSides, name, problems);
    if (key === undefined) {
      const hint = didYouMean(name, [...keys.keys()]);
      problems.push({
        where: name,
        key: '',
        message: `no setting has this variable${hint}; unset or correct it`,
      });
    } else if (key !== '') given.set(key, { value, source: 'environment', where: name });
  }

  return { given, problems };
}

function isOurs(name: string): boolean {
  // Kubernetes sets variables like RTP_CLUSTER_HTTP_SERVICE_HOST and RTP_CLUSTER_HTTP_PORT_80_TCP for a service rtp-cluster-http.
  if (/_(SERVICE|PORT)(_|$)/.test(name)) return false;

  return SECTIONS.some((section) => name.startsWith(`RTP_CLUSTER_${section.toUpperCase()}_`));
}

/** Reads `--http-listen VALUE` and `--http-listen=VALUE`. */
export function fromFlags(argv: readonly string[], knownSides: readonly string[]): Source {
  const given = new Map<string, Given>();
  const problems: Problem[] = [];
  const keys = new Map(FIXED_KEYS.map((key) => [flagName(key), key]));
  keys.set('--config', 'config');
  const wrong = (where: string, message: string): void => void problems.push({ where, key: '', message });
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    const [, flag = '', inline] = /^(--[^=]*)(?:=([\s\S]*))?$/.exec(word) ?? [];
    if (flag === '') {
      wrong(word, 'is no flag; settings are given as --NAME VALUE (see --help)');
      continue;
    }
    const value = inline ?? argv[i + 1];
    const hasValue = value !== undefined && (inline !== undefined || !value.startsWith('--'));
    if (inline === undefined && hasValue) i++;
    const key =
      keys.get(flag) ?? sideKey(/^--sides-(.+)-(aliases|networks)$/.exec(flag), knownSides, flag, problems);
    if (key === undefined)
      wrong(flag, flag === '--token' ? NO_TOKEN_FLAG : `no such flag${didYouMean(flag, [...keys.keys()])}`);
    else if (!hasValue) wrong(flag, 'a value must follow');
    else if (given.has(key)) wrong(flag, 'is given twice; give it once (lists take commas)');
    else if (key !== '') given.set(key, { value, source: 'flag', where: flag });
  }

  return { given, problems };
}

const NO_TOKEN_FLAG =
  'a token is never given on the command line, where other users of the host can read it; use --http-token-file FILE or RTP_CLUSTER_TOKEN';

/**
 * The key of a side's setting from its name in the environment or in a flag, where "-" and "_" are one.
 * undefined if it is no such name; '' after reporting that two sides could be meant.
 */
function sideKey(
  match: RegExpExecArray | null,
  knownSides: readonly string[],
  where: string,
  problems: Problem[],
): string | undefined {
  if (match === null) return undefined;
  const name = (match[1] ?? '').toLowerCase();
  const setting = (match[2] ?? '').toLowerCase();
  const plain = (side: string): string => side.replaceAll('-', '_');
  const fits = knownSides.filter((side) => plain(side) === plain(name));
  if (fits.length > 1) {
    const message = `may mean the sides ${fits.join(' or ')}; set it in the file`;
    problems.push({ where, key: '', message });

    return '';
  }

  return `sides.${fits[0] ?? name}.${setting}`;
}

/** The sides a source names, besides those that always exist. */
export function sidesOf(given: ReadonlyMap<string, Given>): string[] {
  const names = [...given.keys()].flatMap((key) => /^sides\.([^.]*)(?:\.|$)/.exec(key)?.[1] ?? []);

  return [...new Set(names)].filter((side) => !FIRST_SIDES.includes(side));
}
