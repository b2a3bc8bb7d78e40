/** Flags of commands that work with the service's settings: their own, and those of `serve`. */

import { getPriority, setPriority } from 'node:os';
import { BadSettings, loadSettings } from '../config/load.ts';
import type { Settings } from '../config/settings.ts';
import { formatProblem } from '../config/sources.ts';
import { type Args, readArgs, type Shape, UsageError } from './args.ts';
import { EXIT, type Io } from './command.ts';
import { printable } from './style.ts';

/** Of processes that may take their time, as `nice` has it. */
const NICENESS = 10;

/** The part of a help text about the flags that all of these commands take. */
export const SETTINGS_HELP = `  --config FILE      Settings file of the service, as for serve; also RTP_CLUSTER_CONFIG
  --SETTING VALUE    Any setting, as for serve (rtp-cluster help serve)`;

/** Words of a command line, sorted into its own and those that are settings. */
export interface SplitArgs {
  readonly own: Args;
  /** For `loadSettings`. */
  readonly settings: readonly string[];
}

/** Sorts `argv`: flags of the shape are the command's own, all others are settings, each with a value. */
export function splitArgs(argv: readonly string[], shape: Shape): SplitArgs | UsageError {
  const { flags } = shape;
  const own: string[] = [];
  const settings: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const word = argv[i] ?? '';
    const [, name = ''] = /^--([^=]+)/.exec(word) ?? [];
    const kind = Object.hasOwn(flags, name) ? flags[name] : undefined;
    const target = name === '' || kind !== undefined ? own : settings;
    target.push(word);
    const next = argv[i + 1];
    const wantsValue = name !== '' && kind !== 'switch' && !word.includes('=');
    if (wantsValue && next !== undefined && !next.startsWith('--')) {
      target.push(next);
      i++;
    }
  }
  const args = readArgs(own, shape);

  return args instanceof UsageError ? args : { own: args, settings };
}

/**
 * The settings, if those that are wanted are good; what is wrong with others, e.g. a token this user cannot read, is the
 * concern of `check` and `serve`.
 * @param keys as in `database.path`
 */
export function loadSome(argv: readonly string[], io: Io, keys: readonly string[]): Settings | BadSettings {
  const settings = loadSettings({ argv, env: io.env });
  if (!(settings instanceof BadSettings)) return settings;
  const read = new Set(settings.rest?.origins.map(({ key }) => key));
  // Without a key it is the file, the environment or the command line that cannot be read. A value that could be read has
  // a problem only together with others.
  const problems = settings.problems.filter(
    ({ key }) => key === '' || (keys.includes(key) && !read.has(key)),
  );

  return problems.length === 0 && settings.rest !== undefined ? settings.rest : new BadSettings(problems);
}

/** Tells what is wrong with the settings; a flag that is none is a wrong call. */
export function refuseSettings(command: string, { problems }: BadSettings, io: Io): number {
  for (const problem of problems) io.err(`rtp-cluster ${command}: ${formatProblem(problem)}`);
  // What is said of --config is about its file.
  const isMisused = problems.some(
    ({ where, key }) => key === '' && where.startsWith('--') && where !== '--config',
  );

  return isMisused ? EXIT.usage : EXIT.failed;
}

/** Tells what is wrong with the call of a command. */
export function refuseUsage(command: string, { message }: UsageError, io: Io): number {
  io.err(`rtp-cluster ${command}: ${printable(message)} (rtp-cluster help ${command})`);

  return EXIT.usage;
}

/** Puts this process behind the service and the relays of the host; for what reads a whole database. */
export function behindService(): void {
  // Who has put us further behind has meant it, and only root could undo it.
  if (getPriority() < NICENESS) setPriority(NICENESS);
}
