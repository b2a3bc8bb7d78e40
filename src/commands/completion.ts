/** `rtp-cluster completion`: the scripts for shells, and the words those scripts ask for. */

import { orList, type Shape, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { candidateLines, complete } from './complete.ts';
import { SCRIPTS } from './completion-scripts.ts';
import { refuseUsage } from './settings-args.ts';

export const help = `Usage: rtp-cluster completion bash
       rtp-cluster completion zsh
       rtp-cluster completion fish
       rtp-cluster completion words -- [WORD...]

Prints a script that makes the shell complete commands, flags, their values, files, and the ids of nodes
and sets, which it asks the service for. For all users:

  rtp-cluster completion bash > /usr/share/bash-completion/completions/rtp-cluster
  rtp-cluster completion zsh > /usr/share/zsh/vendor-completions/_rtp-cluster
  rtp-cluster completion fish > /usr/share/fish/vendor_completions.d/rtp-cluster.fish

For one shell: eval "$(rtp-cluster completion bash)". The scripts ask "completion words" what may stand for
the last of the words that were typed so far; it prints a word a line, then a tab and what it is, or ":files".`;

const NOTHING: Shape = { words: [], flags: {} };
export const shapes = {
  bash: NOTHING,
  zsh: NOTHING,
  fish: NOTHING,
  words: { words: ['[WORD...]'], flags: {} },
} as const satisfies Record<string, Shape>;

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const [what = '', ...rest] = argv;
  if (what === 'words') {
    const words = rest[0] === '--' ? rest.slice(1) : rest;
    for (const line of candidateLines(await complete(words.length === 0 ? [''] : words, io))) io.out(line);

    return EXIT.ok;
  }
  const script = Object.hasOwn(SCRIPTS, what) ? SCRIPTS[what as keyof typeof SCRIPTS] : undefined;
  if (script === undefined || rest.length > 0) {
    const given = argv.length === 0 ? 'nothing' : `"${argv.join(' ')}"`;

    return refuseUsage(
      'completion',
      new UsageError(`given is ${given}; allowed is ${orList(Object.keys(shapes))}`),
      io,
    );
  }
  io.out(script);

  return EXIT.ok;
}
