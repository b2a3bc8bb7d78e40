/** `rtp-cluster serve`: runs the appliance until it is told to stop. */

import { startAppliance } from '../appliance.ts';
import { settingsHelp } from '../config/describe.ts';
import { BadSettings, loadSettings } from '../config/load.ts';
import { StartProblem } from '../memory.ts';
import { configureLog, flushLog, log } from '../util/log.ts';
import { findSystemd } from '../util/systemd.ts';
import { EXIT, systemIo } from './command.ts';

export const help = `Usage: rtp-cluster serve [--config FILE] [FLAGS]

Runs the appliance in the foreground until SIGTERM or SIGINT. SIGHUP reads the settings again: some are
taken at once, the log names those that need a restart.

${settingsHelp()}`;

export const shapes = { '': { words: [], flags: {}, takesSettings: true } as const };

/** Signals that would end the process if nobody listened; we have no use for them yet. */
const IGNORED_SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

export async function run(argv: string[]): Promise<number> {
  const load = () => loadSettings({ argv, env: process.env });
  const settings = load();
  if (settings instanceof BadSettings) {
    for (const { where, key, message } of settings.problems)
      systemIo.err(`${where}: ${key === '' ? '' : `${key}: `}${message}`);

    return EXIT.failed;
  }
  configureLog(settings.log);
  // The database holds SDP, keys for SRTP included: nobody else reads it.
  process.umask(0o077);
  for (const signal of IGNORED_SIGNALS) process.on(signal, () => log.info('signal.ignored', { signal }));
  // One that comes before we can serve waits until we can.
  let reload = (): void => {
    isReloadWanted = true;
  };
  let isReloadWanted = false;
  process.on('SIGHUP', () => reload());
  const { promise: stopped, resolve: stop } = Promise.withResolvers<number>();
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop(EXIT.ok));
  const defect = (error: unknown): void => {
    log.error('appliance.defect', {
      error: error instanceof Error ? (error.stack ?? error.message) : String(error),
    });
    stop(EXIT.failed);
  };
  process.on('uncaughtException', defect);
  process.on('unhandledRejection', defect);

  const systemd = findSystemd(process.env, process.pid);
  const appliance = await startAppliance(settings, { systemd, load });
  if (appliance instanceof StartProblem) {
    systemIo.err(`rtp-cluster: ${appliance.message}`);

    return EXIT.failed;
  }
  reload = () => appliance.reload();
  if (isReloadWanted) reload();
  const code = await stopped;
  await appliance.stop();
  await flushLog();

  return code;
}
