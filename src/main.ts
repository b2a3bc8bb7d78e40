#!/usr/bin/env bun
/** argv to command, nothing else. */

import './env.ts';
import { EXIT, EXIT_MEANINGS, flushed, systemIo } from './commands/command.ts';
import { COMMANDS, type Entry } from './commands/commands.ts';
import { inWords } from './store/places.ts';
import { nearest } from './util/suggest.ts';

/** How long the last output of a service may take, in milliseconds. */
const SERVICE_DRAIN_MS = 1000;
/** Words that mean a command. */
const ALIASES: Readonly<Record<string, string>> = { '--version': 'version', '-V': 'version' };
const HELP = ['help', '--help', '-h'];

function usage(): string {
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`);
  const codes = Object.entries(EXIT_MEANINGS).map(
    ([name, meaning]) => `${EXIT[name as keyof typeof EXIT]} ${meaning}`,
  );

  return `Usage: rtp-cluster COMMAND [FLAGS]

${commands.join('\n')}

  help COMMAND    How to call a command (also COMMAND --help)

Exit codes: ${codes.join(', ')}.`;
}

function entryOf(word: string): Entry | undefined {
  const name = Object.hasOwn(ALIASES, word) ? ALIASES[word] : word;

  return COMMANDS.find((command) => command.name === name);
}

async function main(argv: string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  if (word === '') {
    systemIo.err(usage());

    return EXIT.usage;
  }
  const isHelp = HELP.includes(word);
  const name = isHelp ? rest[0] : word;
  if (name === undefined) {
    systemIo.out(usage());

    return EXIT.ok;
  }
  const entry = entryOf(name);
  if (entry === undefined) {
    const hint = nearest(
      name,
      COMMANDS.map((command) => command.name),
    );
    const guess = hint === undefined ? '' : `; did you mean ${hint}?`;
    systemIo.err(`rtp-cluster: there is no command "${name}"${guess} (rtp-cluster --help lists them)`);

    return EXIT.usage;
  }
  const command = await entry.load();
  // What stands behind "--" is meant as it is.
  const end = rest.indexOf('--');
  const flags = end === -1 ? rest : rest.slice(0, end);
  if (!isHelp && !flags.includes('--help') && !flags.includes('-h')) return command.run(rest);
  systemIo.out(command.help);

  return EXIT.ok;
}

const isService = entryOf(process.argv[2] ?? '')?.isService === true;

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (isService) return;
  // A reader that has gone (`rtp-cluster events --follow | head`) is no failure of ours, and nobody is left to tell anything.
  if (error.code === 'EPIPE') process.exit(EXIT.ok);
  // A disk that is full is one: half a file must not pass for a whole one.
  systemIo.err(`rtp-cluster: the output could not be written: ${inWords(error)}`);
  void flushed().then(() => process.exit(EXIT.failed));
});
process.stderr.on('error', () => undefined);

main(process.argv.slice(2))
  .catch((error: unknown) => {
    systemIo.err(
      `rtp-cluster: defect: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
    );

    return EXIT.failed;
  })
  .then(async (code) => {
    if (isService) setTimeout(() => process.exit(code), SERVICE_DRAIN_MS);
    await flushed();
    // That the last line could not be written is told only after its callback.
    setImmediate(() => process.exit(code));
  });
