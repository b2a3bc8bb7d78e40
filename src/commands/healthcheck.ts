/** `rtp-cluster healthcheck`: one question to the service, one line, one exit code. */

import { BadSettings } from '../config/load.ts';
import { type Args, readInteger, type Shape, UsageError } from './args.ts';
import { ApiError, connect } from './client.ts';
import { EXIT, type Io, systemIo } from './command.ts';
import { textOf } from './json.ts';
import { serviceAddress } from './service-address.ts';
import { loadSome, refuseSettings, refuseUsage, SETTINGS_HELP, splitArgs } from './settings-args.ts';
import { printable } from './style.ts';

export const help = `Usage: rtp-cluster healthcheck [--live] [--timeout MS] [--url URL | --unix PATH] [SETTINGS]

Asks the service of the settings whether it is ready: it answers, its database can be written and it is
not stopping. Exit code 0 if so, 1 if not; one line says why. Needs no token. For keepalived, consul,
containers and scripts.

  --live             Only ask whether it answers. Calls go on while it is not ready because of its disk
  --timeout MS       How long to wait, from 100 to 60000 ms. Default: 2000
  --url URL          Ask at this address and read no settings, which not every user may; also
                     RTP_CLUSTER_URL
  --unix PATH        Ask at this unix socket
  --ca-file FILE     Certificate of the authority that certifies an https URL; also RTP_CLUSTER_CA_FILE
  --json             Print the result as JSON
${SETTINGS_HELP}`;

const SHAPE: Shape = {
  words: [],
  flags: {
    live: 'switch',
    timeout: 'value',
    url: 'value',
    unix: 'file',
    'ca-file': 'file',
    json: 'switch',
  },
  takesSettings: true,
};
export const shapes = { '': SHAPE };

export async function run(argv: string[], io: Io = systemIo): Promise<number> {
  const args = splitArgs(argv, SHAPE);
  if (args instanceof UsageError) return refuseUsage('healthcheck', args, io);
  const { own } = args;
  const timeoutMs = readInteger(own.one('timeout') ?? '2000', '--timeout', 100, 60_000);
  if (timeoutMs instanceof UsageError) return refuseUsage('healthcheck', timeoutMs, io);
  const [setting] = args.settings;
  if (isAddressed(own, io) && setting !== undefined) {
    const rule = `${setting} is no flag of this command, and no setting is read where an address is given`;

    return refuseUsage('healthcheck', new UsageError(rule), io);
  }
  const address = isAddressed(own, io) ? {} : addressOf(args.settings, io);
  if (address instanceof BadSettings) {
    const code = refuseSettings('healthcheck', address, io);
    // Supervisors run it as users of their own, who may not read the settings.
    io.err(
      'rtp-cluster healthcheck: nobody was asked; name the address with --url, and no settings are read',
    );

    return code;
  }
  const api = connect(own, io, { ...address, timeoutMs });
  if (api instanceof UsageError) return refuseUsage('healthcheck', api, io);
  const reply = await api.call('GET', own.has('live') ? '/healthz' : '/readyz');
  const isLive = own.has('live');
  const reason = reply instanceof ApiError ? reasonOf(reply) : null;
  const version = textOf(reply instanceof ApiError ? reply.reply?.json : reply.json, 'version');
  if (own.has('json')) {
    const good = isLive ? 'alive' : 'ready';
    io.out(
      JSON.stringify({ result: reason === null ? good : `not ${good}`, reason, version: version || null }),
    );
  } else if (reason === null) io.out(isLive ? `alive, version ${printable(version)}` : 'ready');
  if (reason === null) return EXIT.ok;
  io.err(`rtp-cluster healthcheck: not ready: ${printable(reason)}`);

  return EXIT.failed;
}

function isAddressed(own: Args, io: Io): boolean {
  return (
    own.one('url') !== undefined || own.one('unix') !== undefined || io.env.RTP_CLUSTER_URL !== undefined
  );
}

function addressOf(argv: readonly string[], io: Io) {
  const settings = loadSome(argv, io, ['http.listen', 'http.unix']);

  return settings instanceof BadSettings ? settings : serviceAddress(settings);
}

function reasonOf({ message, reply }: ApiError): string {
  if (textOf(reply?.json, 'stopping') === 'true') return 'it is stopping';
  const database = textOf(reply?.json, 'database');

  return database === '' || database === 'ok'
    ? message
    : `calls go on from memory, but the database fails: ${database}`;
}
