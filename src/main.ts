#!/usr/bin/env bun
/** argv to command, nothing else. */

import './env.ts';
import { type CommandModule, EXIT, flushed, systemIo } from './commands/command.ts';
import { nearest } from './util/suggest.ts';
import { versionLine } from './util/version.ts';

interface Entry {
  readonly name: string;
  readonly summary: string;
  /** Commands are loaded when they are called: `node list` needs no database. */
  readonly load: () => Promise<CommandModule>;
}

/** When these end, a reader of their output that stalls must not hold up the host's shutdown. */
const SERVICES = new Set(['serve', 'fake-relay']);
/** How long their last output may take, in milliseconds. */
const SERVICE_DRAIN_MS = 1000;

const COMMANDS: readonly Entry[] = [
  { name: 'serve', summary: 'Run the appliance', load: () => import('./commands/serve.ts') },
  {
    name: 'check',
    summary: 'Check the settings and the database without starting',
    load: () => import('./commands/check.ts'),
  },
  {
    name: 'backup',
    summary: 'Copy the database while the service goes on',
    load: () => import('./commands/backup.ts'),
  },
  { name: 'restore', summary: 'Bring a backup back', load: () => import('./commands/restore.ts') },
  {
    name: 'healthcheck',
    summary: 'Ask whether the service is ready, for supervisors',
    load: () => import('./commands/healthcheck.ts'),
  },
  {
    name: 'support-bundle',
    summary: 'Collect what a bug report needs',
    load: () => import('./commands/support-bundle.ts'),
  },
  {
    name: 'node',
    summary: 'Show and change nodes, drain them',
    load: () => import('./commands/node.ts'),
  },
  { name: 'top', summary: 'Watch the nodes in a terminal', load: () => import('./commands/top.ts') },
  { name: 'set', summary: 'Show and change sets', load: () => import('./commands/set.ts') },
  { name: 'call', summary: 'Show calls', load: () => import('./commands/call.ts') },
  {
    name: 'explain',
    summary: 'Tell why a call went where it went',
    load: () => import('./commands/explain.ts'),
  },
  { name: 'events', summary: 'Show what happened', load: () => import('./commands/events.ts') },
  {
    name: 'apply',
    summary: 'Make the fleet what a file declares',
    load: () => import('./commands/apply.ts'),
  },
  { name: 'export', summary: 'Write the fleet as such a file', load: () => import('./commands/export.ts') },
  {
    name: 'import',
    summary: 'Import a table of nodes: CSV, SQL dump or SQLite',
    load: () => import('./commands/import.ts'),
  },
  {
    name: 'fake-relay',
    summary: 'Run a relay that only pretends, to rehearse failures',
    load: () => import('./commands/fake-relay.ts'),
  },
];

function usage(): string {
  const commands = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(16)}${summary}`);

  return `Usage: rtp-cluster COMMAND [FLAGS]

${commands.join('\n')}

  help COMMAND    How to call a command (also COMMAND --help)
  --version       Version, commit and runtime

Exit codes: 0 it worked, 1 it failed, 2 it was called wrongly.`;
}

async function main(argv: string[]): Promise<number> {
  const [word = '', ...rest] = argv;
  if (word === '') {
    systemIo.err(usage());

    return EXIT.usage;
  }
  if (word === '--version' || word === '-V' || word === 'version') {
    systemIo.out(versionLine());

    return EXIT.ok;
  }
  const isHelp = word === '--help' || word === '-h' || word === 'help';
  const name = isHelp ? rest[0] : word;
  if (name === undefined) {
    systemIo.out(usage());

    return EXIT.ok;
  }
  const entry = COMMANDS.find((command) => command.name === name);
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
  if (!isHelp && !rest.includes('--help') && !rest.includes('-h')) return command.run(rest);
  systemIo.out(command.help);

  return EXIT.ok;
}

// A reader that has gone (`rtp-cluster events --follow | head`) is no failure of ours, and nobody is left to tell anything.
process.stdout.on('error', () => {
  if (!SERVICES.has(process.argv[2] ?? '')) process.exit(EXIT.ok);
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
    if (SERVICES.has(process.argv[2] ?? '')) setTimeout(() => process.exit(code), SERVICE_DRAIN_MS);
    await flushed();
    process.exit(code);
  });
