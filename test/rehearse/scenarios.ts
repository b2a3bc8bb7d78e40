/** What may happen to a relay, and what has to hold while it does. */

import type { NodeKind } from '../../src/domain/node.ts';
import type { RelayOptions } from './relays.ts';
import { RELAYS, type Stage } from './stage.ts';

/** What has to hold besides: no new call fails, no relay keeps a call, no healthy node is thought dead. */
export interface Targets {
  /** New calls that wait longer than `SLOW_MS`: whether there may be some. */
  readonly maySlow?: boolean;
  /** Time until the node is out of the choice at most, ms; undefined if it stays in. */
  readonly outMs?: number;
  /** Time until the node is known to be dead at most, ms; undefined if that is of no interest. */
  readonly downMs?: number;
  /** Whose running calls may fail: nobody's, those on the node in trouble, or all. */
  readonly mayCut: 'none' | 'there' | 'any';
}

export interface Scenario {
  readonly name: string;
  readonly isIdle?: boolean;
  /** The only kind it is for. */
  readonly kind?: NodeKind;
  /** Whether relays that pretend cannot play it. */
  readonly needsReal?: boolean;
  readonly targets: Targets;
  /** Relay 1 is the one in trouble. */
  relays?(relay: number): RelayOptions;
  play(stage: Stage): Promise<void>;
}

/** The longest a new call may wait, ms. */
export const SLOW_MS = 400;
const OUT_MS = 1000;
const OUT_IDLE_MS = 8000;
const DOWN_LOSSY_MS = 2000;
const LOSS = 0.3;
/** Round trip of a relay that became far away, ms: more than the first try of a call may take. */
const DELAY_MS = 300;
/** Until a new node has its whole share (slow start), s. */
const RAMP_SECONDS = 30;
const NODE = 1;

/** Trouble that begins, lasts and ends. */
function trouble(
  begin: (stage: Stage) => void | Promise<void>,
  end: (stage: Stage) => void | Promise<void>,
): Scenario['play'] {
  return async (stage) => {
    await stage.calm();
    await stage.trouble(NODE, () => begin(stage));
    await stage.endure();
    await stage.repair(NODE, () => end(stage));
    await stage.calm();
  };
}

const kill = trouble(
  (stage) => stage.relay(NODE).kill(),
  (stage) => stage.relay(NODE).start(),
);
const hang = trouble(
  (stage) => stage.relay(NODE).hang(),
  (stage) => stage.relay(NODE).wake(),
);

/** All relays lose datagrams, long; then one of them dies. */
function lossy(die: (stage: Stage) => void | Promise<void>): Scenario['play'] {
  return async (stage) => {
    await stage.endure();
    const at = Date.now();
    await stage.trouble(NODE, () => die(stage));
    await stage.untilEvent(NODE, 'node.down', at);
    await stage.calm();
  };
}

const onlyFirst =
  (options: RelayOptions) =>
  (relay: number): RelayOptions =>
    relay === NODE ? options : {};

/** In the order in which they are played. */
export const SCENARIOS: readonly Scenario[] = [
  { name: 'kill', targets: { outMs: OUT_MS, mayCut: 'there' }, play: kill },
  { name: 'hang', targets: { outMs: OUT_MS, mayCut: 'there' }, play: hang },
  {
    name: 'restart',
    targets: { outMs: OUT_MS, mayCut: 'there' },
    async play(stage) {
      await stage.calm();
      await stage.trouble(NODE, () => stage.relay(NODE).end());
      await stage.repair(NODE, () => stage.relay(NODE).start());
      await stage.calm();
    },
  },
  {
    name: 'delay',
    targets: { outMs: OUT_MS, mayCut: 'none' },
    relays: onlyFirst({ isBehindForwarder: true }),
    play: trouble(
      (stage) => setDelay(stage, DELAY_MS),
      (stage) => setDelay(stage, 0),
    ),
  },
  {
    name: 'ports',
    targets: { mayCut: 'none' },
    relays: onlyFirst({ ports: 60 }),
    play: (stage) => stage.calm(stage.options.calmSeconds * 2 + stage.options.seconds),
  },
  {
    name: 'max-sessions',
    kind: 'rtpengine',
    targets: { mayCut: 'none' },
    relays: onlyFirst({ extra: ['--max-sessions=10'] }),
    play: (stage) => stage.calm(stage.options.calmSeconds * 2 + stage.options.seconds),
  },
  {
    // It ends with its last call, and whoever is not told takes that for a death.
    name: 'slow-shutdown',
    kind: 'rtpproxy',
    needsReal: true,
    targets: { mayCut: 'none' },
    async play(stage) {
      await stage.calm();
      await stage.trouble(NODE, () => stage.relay(NODE).endSlowly());
      await stage.untilEnded(NODE);
      await stage.repair(NODE, () => stage.relay(NODE).start());
      await stage.calm();
    },
  },
  {
    name: 'drain',
    targets: { outMs: OUT_MS, mayCut: 'none' },
    play: trouble(
      (stage) => stage.order(NODE, 'drain'),
      (stage) => stage.order(NODE, 'ready'),
    ),
  },
  {
    name: 'removal',
    targets: { outMs: OUT_MS, mayCut: 'none' },
    async play(stage) {
      await stage.calm();
      await stage.trouble(NODE, () => stage.removeNode(NODE));
      await stage.endure();
    },
  },
  {
    name: 'addition',
    targets: { outMs: OUT_MS, mayCut: 'none' },
    // Removed before the others have their whole share, added after: only then its own slow start shows.
    async play(stage) {
      await stage.trouble(NODE, () => stage.removeNode(NODE));
      await stage.calm(RAMP_SECONDS);
      await stage.repair(NODE, () => stage.addNode(NODE));
      await stage.calm(RAMP_SECONDS);
    },
  },
  {
    name: 'rolling',
    targets: { outMs: OUT_MS, mayCut: 'none' },
    async play(stage) {
      await stage.calm();
      for (let node = 1; node <= RELAYS; node++) {
        const relay = stage.relay(node);
        await stage.trouble(node, () => stage.order(node, 'drain'));
        await stage.untilEmpty(node);
        await relay.end();
        await relay.start();
        await stage.repair(node, () => stage.order(node, 'ready'));
      }
      await stage.calm();
    },
  },
  { name: 'kill-idle', isIdle: true, targets: { outMs: OUT_IDLE_MS, mayCut: 'none' }, play: kill },
  { name: 'hang-idle', isIdle: true, targets: { outMs: OUT_IDLE_MS, mayCut: 'none' }, play: hang },
  {
    name: 'loss',
    targets: { maySlow: true, outMs: DOWN_LOSSY_MS, downMs: DOWN_LOSSY_MS, mayCut: 'any' },
    relays: () => ({ fake: ['--loss', String(LOSS)] }),
    play: lossy((stage) => stage.relay(NODE).kill()),
  },
  {
    name: 'loss-hang',
    targets: { maySlow: true, outMs: DOWN_LOSSY_MS, downMs: DOWN_LOSSY_MS, mayCut: 'any' },
    relays: () => ({ fake: ['--loss', String(LOSS)] }),
    play: lossy((stage) => stage.relay(NODE).hang()),
  },
];

function setDelay(stage: Stage, ms: number): void {
  const { network } = stage.relay(NODE);
  if (network !== undefined) network.delayMs = ms;
}
