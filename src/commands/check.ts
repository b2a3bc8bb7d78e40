/** `rtp-cluster check`: says whether `serve` would start with these settings, without starting. */

import { defaultConfig, settingsHelp } from '../config/describe.ts';
import { BadSettings, DEFAULT_FILE, loadSettings } from '../config/load.ts';
import { showListen, showNgListen } from '../config/readers.ts';
import type { Settings } from '../config/settings.ts';
import { formatProblem } from '../config/sources.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { formatTable } from './table.ts';

export const help = `Usage: rtp-cluster check [--config FILE] [SETTINGS]
       rtp-cluster check --defaults

Reads the settings as serve would, and tells everything that is wrong with them, or what differs from
the defaults and where it comes from. Starts nothing. Exit code 0 if serve would take the settings.

  --defaults
      Print a complete settings file with every default and what it is for.
${settingsHelp()}`;

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  if (argv.includes('--defaults')) {
    if (argv.length > 1) {
      io.err('rtp-cluster check: --defaults stands alone: it shows the defaults, whatever is set');

      return EXIT.usage;
    }
    io.out(defaultConfig().trimEnd());

    return EXIT.ok;
  }
  const settings = loadSettings({ argv, env: io.env });
  if (settings instanceof BadSettings) {
    for (const problem of settings.problems) io.err(formatProblem(problem));
    const count = settings.problems.length;
    io.err(`rtp-cluster check: ${count === 1 ? '1 problem' : `${count} problems`}; serve would not start`);

    return EXIT.failed;
  }
  for (const line of summary(settings)) io.out(line);

  return EXIT.ok;
}

function summary({ file, origins, http, ng, sides }: Settings): string[] {
  const changed = origins.filter(({ source }) => source !== 'default');
  const rows = changed.map(({ key, shown, where }) => [key, shown, where]);
  const tokens = http.tokens.length === 1 ? '1 token' : `${http.tokens.length} tokens`;
  const clients = origins.find(({ key }) => key === 'ng.clients')?.shown ?? '';
  const ports = ng.listen.map(showNgListen).join(', ');

  return [
    `The settings are good. File: ${file ?? `none (there is no ${DEFAULT_FILE})`}.`,
    `Sides: ${sides.names.join(', ')}.`,
    `HTTP at ${showListen(http.listen)}: ${http.tokens.length === 0 ? 'from this host only, without a token' : tokens}.`,
    ng.listen.length === 0 ? 'ng: nowhere.' : `ng at ${ports}: for ${clients}, without a token.`,
    ...(rows.length === 0 ? ['All are defaults.'] : formatTable(['SETTING', 'VALUE', 'FROM'], rows)),
  ];
}
