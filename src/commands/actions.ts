/** Commands that consist of actions (`node add`, `node list`): finds the action, reads its flags, runs it. */

import { nearest } from '../util/suggest.ts';
import { type Args, readArgs, type Shape, UsageError } from './args.ts';
import { type Api, ApiError, CLIENT_FLAGS, connect, type Reply } from './client.ts';
import { EXIT, type Io } from './command.ts';
import { numberOf } from './json.ts';
import { hostService } from './service-address.ts';
import { type Look, lookOf, printable } from './style.ts';

/** One action of a command; it takes the flags of the client too. */
export interface Action extends Shape {
  /** Does it; what it returns was printed if it is a number, else it is shown as an error. */
  run(args: Args, words: readonly string[], api: Api, io: Io): Promise<number | ApiError | UsageError>;
}

/** The shapes of actions, with the flags of the client. */
export function shapesOf(actions: Readonly<Record<string, Action>>): Record<string, Shape> {
  return Object.fromEntries(Object.entries(actions).map(([name, action]) => [name, shapeOf(action)]));
}

function shapeOf({ words, flags }: Action): Shape {
  return { words, flags: { ...flags, ...CLIENT_FLAGS } };
}

/** Runs `argv`, whose first word names one of the actions. */
export async function runActions(
  command: string,
  actions: Readonly<Record<string, Action>>,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const [name = '', ...rest] = argv;
  const action = Object.hasOwn(actions, name) ? actions[name] : undefined;
  if (action !== undefined) return runAction(`${command} ${name}`, action, rest, io);

  const known = Object.keys(actions);
  const hint = nearest(name, known);
  const read = name === '' ? 'what to do is missing' : `there is no "${name}"`;
  const guess = name !== '' && hint !== undefined ? `; did you mean ${hint}?` : '';
  io.err(
    `rtp-cluster ${command}: ${read}; allowed are ${known.join(', ')}${guess} (rtp-cluster help ${command})`,
  );

  return EXIT.usage;
}

/** Runs one action with its flags and those of the client. */
export async function runAction(
  name: string,
  action: Action,
  argv: readonly string[],
  io: Io,
): Promise<number> {
  const args = readArgs(argv, shapeOf(action));
  if (args instanceof UsageError) return wrong(name, args, io);
  const api = connect(args, io, hostService(io.env));
  if (api instanceof UsageError) return wrong(name, api, io);
  const result = await action.run(args, args.words, api, io);
  if (result instanceof UsageError) return wrong(name, result, io);
  if (result instanceof ApiError) {
    if (args.has('json') && result.reply !== undefined) io.out(result.reply.text);
    io.err(`rtp-cluster ${name}: ${printable(result.message)}`);

    return EXIT.failed;
  }

  return result;
}

function wrong(name: string, error: UsageError, io: Io): number {
  io.err(`rtp-cluster ${name}: ${printable(error.message)} (rtp-cluster help ${name.split(' ')[0]})`);

  return EXIT.usage;
}

/** The action that removes one of the things at `/v1/NOUNs` by its id. */
export function removal(noun: string, readId: (text?: string) => number | UsageError): Action {
  return {
    words: ['ID'],
    flags: {},
    async run(args, [text], api, io) {
      const id = readId(text);
      if (id instanceof UsageError) return id;
      const reply = await api.call('DELETE', `/v1/${noun}s/${id}`);

      if (reply instanceof ApiError) return reply;
      const calls = numberOf(reply.json, 'calls') ?? 0;
      const rest =
        calls === 0 ? '' : `; ${calls === 1 ? 'its call goes' : `its ${calls} calls go`} on until the end`;

      return show(args, io, reply, () => [`${noun} ${id} removed${rest}`]);
    },
  };
}

/** Prints a reply as it is with `--json`, else the lines made of it. */
export function show(args: Args, io: Io, reply: Reply, lines: (look: Look) => readonly string[]): number {
  if (args.has('json')) {
    if (reply.text !== '') io.out(reply.text);
  } else for (const line of lines(lookOf(io))) io.out(line);

  return EXIT.ok;
}
