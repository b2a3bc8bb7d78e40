/** `rtp-cluster version`: which program this is. */

import { versionFacts, versionLine } from '../util/version.ts';
import { readArgs, type Shape, UsageError } from './args.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { refuseUsage } from './settings-args.ts';

export const help = `Usage: rtp-cluster version [--json]

Tells version, commit and runtime; also rtp-cluster --version.

  --json             Print them as JSON`;

const SHAPE: Shape = { words: [], flags: { json: 'switch' } };
export const shapes = { '': SHAPE };

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = readArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('version', args, io);
  io.out(args.has('json') ? JSON.stringify(versionFacts()) : versionLine());

  return EXIT.ok;
}
