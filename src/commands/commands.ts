/** The table of commands: of the program, of its help, of completion and of the tests that compare documents with it. */

import type { CommandModule } from './command.ts';

export interface Entry {
  readonly name: string;
  /** What it does, in a few words. */
  readonly summary: string;
  /** Commands are loaded when they are called: `node list` needs no database. */
  readonly load: () => Promise<CommandModule>;
  /** Whether it runs until it is stopped: a reader of its output that stalls must not hold up the host's shutdown. */
  readonly isService?: true;
}

export const COMMANDS: readonly Entry[] = [
  { name: 'serve', summary: 'Run the appliance', load: () => import('./serve.ts'), isService: true },
  {
    name: 'check',
    summary: 'Check the settings and the database without starting',
    load: () => import('./check.ts'),
  },
  {
    name: 'backup',
    summary: 'Copy the database while the service goes on',
    load: () => import('./backup.ts'),
  },
  { name: 'restore', summary: 'Bring a backup back', load: () => import('./restore.ts') },
  {
    name: 'healthcheck',
    summary: 'Ask whether the service is ready, for supervisors',
    load: () => import('./healthcheck.ts'),
  },
  {
    name: 'support-bundle',
    summary: 'Collect what a bug report needs',
    load: () => import('./support-bundle.ts'),
  },
  { name: 'node', summary: 'Show and change nodes, drain them', load: () => import('./node.ts') },
  {
    name: 'doctor',
    summary: 'Test the service and every node, and say what to do',
    load: () => import('./doctor.ts'),
  },
  { name: 'top', summary: 'Watch the nodes in a terminal', load: () => import('./top.ts') },
  { name: 'set', summary: 'Show and change sets', load: () => import('./set.ts') },
  { name: 'call', summary: 'Show calls, and watch them', load: () => import('./call.ts') },
  {
    name: 'explain',
    summary: 'Tell why a call went where it went',
    load: () => import('./explain.ts'),
  },
  { name: 'events', summary: 'Show what happened', load: () => import('./events.ts') },
  { name: 'apply', summary: 'Make the fleet what a file declares', load: () => import('./apply.ts') },
  { name: 'export', summary: 'Write the fleet as such a file', load: () => import('./export.ts') },
  {
    name: 'import',
    summary: 'Import a table of nodes: CSV, SQL dump or SQLite',
    load: () => import('./import.ts'),
  },
  {
    name: 'fake-relay',
    summary: 'Run a relay that only pretends, to rehearse failures',
    load: () => import('./fake-relay.ts'),
    isService: true,
  },
  {
    name: 'completion',
    summary: 'Print what a shell needs to complete words',
    load: () => import('./completion.ts'),
  },
  { name: 'version', summary: 'Version, commit and runtime', load: () => import('./version.ts') },
];
