/** `rtp-cluster export`: the fleet as a file that `rtp-cluster apply` takes. */

import { type Action, runAction, shapesOf, show } from './actions.ts';
import { ApiError, CLIENT_HELP } from './client.ts';
import { type Io, systemIo } from './command.ts';
import { writeFleetFile } from './fleet-toml.ts';

export const help = `Usage: rtp-cluster export > FILE

Writes all sets and nodes as a TOML file, which "rtp-cluster apply" takes: to keep it under version
control, to look at it, or to make a second cluster like the first. Orders (drain, maint), health and
calls are not in it.

${CLIENT_HELP}`;

const exportFleet: Action = {
  words: [],
  flags: {},
  async run(args, _words, api, io) {
    const reply = await api.call('GET', '/v1/fleet');

    return reply instanceof ApiError
      ? reply
      : show(args, io, reply, () => [writeFleetFile(reply.json).trimEnd()]);
  },
};

export const shapes = shapesOf({ '': exportFleet });

export function run(argv: string[], io: Io = systemIo): Promise<number> {
  return runAction('export', exportFleet, argv, io);
}
