/** What a scenario plays on: a fresh appliance, four relays, a load, and a note of what was done when. */

import { type Appliance, type LogLine, startAppliance } from '../lab/appliance.ts';
import { poll } from '../lab/processes.ts';
import { Load, outerAddress } from './load.ts';
import { type Relay, type RelayOptions, startRelay } from './relays.ts';

/** Relays of a scenario. */
export const RELAYS = 4;
/** How long something that has to come is waited for, ms. */
const PATIENCE_MS = 40_000;
/** How long relays may keep calls that have ended: the first attempts to tell one that was dead are seconds apart, ms. */
const LEFT_MS = 20_000;

/** How a rehearsal is run. */
export interface RehearsalOptions {
  /** Path of the compiled binary; from the sources if undefined. */
  readonly binary: string | undefined;
  /** An address nobody else uses, for each relay. */
  readonly address: (relay: number) => string;
  /** New calls a second. */
  readonly rate: number;
  /** How long a trouble lasts. */
  readonly seconds: number;
  /** How long it is calm before, and after the node is back. */
  readonly calmSeconds: number;
}

/** Something was done to a node. Times are UTC ms. */
export interface Mark {
  readonly node: number;
  readonly at: number;
  /** When the repair began and when it was done; undefined if there was none. */
  readonly repair?: { readonly from: number; readonly to: number };
}

/** An event of a node, as the API shows it. */
export interface NodeEvent {
  readonly id: number;
  readonly kind: string;
  /** UTC ms. */
  readonly at: number;
  readonly node_id: number | null;
  readonly detail: Readonly<Record<string, unknown>>;
}

/** All that is left of a scenario that was played. */
export interface Recording {
  readonly load: Load;
  readonly marks: readonly Mark[];
  /** All that say a node is dead or ejected; the others from the first trouble on. Oldest first. */
  readonly events: readonly NodeEvent[];
  readonly logs: readonly LogLine[];
  /** Calls relays still had long after all had ended. */
  readonly left: number;
  /** Why the scenario could not be played to its end, '' if it was. */
  readonly broken: string;
}

export class Stage {
  readonly relays: Relay[] = [];
  readonly #marks: Mark[] = [];

  private constructor(
    readonly appliance: Appliance,
    readonly load: Load,
    readonly options: RehearsalOptions,
  ) {}

  /**
   * Starts everything and adds all nodes.
   * @param relayOptions of relay 1, 2, ...
   * @param isIdle whether there is no load
   */
  static async open(
    options: RehearsalOptions,
    relayOptions: (relay: number) => RelayOptions,
    isIdle: boolean,
  ): Promise<Stage> {
    const { binary, rate } = options;
    const appliance = await startAppliance(binary === undefined ? {} : { binary });
    const stage = new Stage(appliance, new Load(appliance.url, isIdle ? 0 : rate), options);
    const ids = Array.from({ length: RELAYS }, (_, index) => index + 1);
    try {
      stage.relays.push(
        ...(await Promise.all(
          ids.map((id) => startRelay(id, options.address(id), binary, relayOptions(id))),
        )),
      );
      for (const id of ids) await stage.addNode(id);
      for (const id of ids) await stage.untilEvent(id, 'node.up', 0);
    } catch (error) {
      await stage.close();
      throw error;
    }

    return stage;
  }

  relay(id: number): Relay {
    const relay = this.relays.find((each) => each.id === id);
    if (relay === undefined) throw new Error(`there is no relay ${id}`);

    return relay;
  }

  async addNode(id: number): Promise<void> {
    await this.appliance.api('POST', '/v1/nodes', {
      id,
      kind: this.relay(id).kind,
      socket: this.relay(id).socket,
      inner_media_ip: `10.9.0.${id}`,
      out_media_ip: outerAddress(id),
    });
  }

  async removeNode(id: number): Promise<void> {
    await this.appliance.api('DELETE', `/v1/nodes/${id}`);
  }

  /** Takes a node out of the choice, or back in, as a person would. */
  async order(id: number, order: 'drain' | 'ready'): Promise<void> {
    await this.appliance.api('POST', `/v1/nodes/${id}/${order}`, { by: 'rehearsal' });
  }

  /** Notes the time and makes trouble. */
  async trouble(node: number, make: () => void | Promise<void>): Promise<void> {
    this.#marks.push({ node, at: Date.now() });
    await make();
  }

  /** Ends the last trouble of a node, and waits until it is back in the choice. */
  async repair(node: number, make: () => void | Promise<void>): Promise<void> {
    const from = Date.now();
    await make();
    const index = this.#marks.findLastIndex((mark) => mark.node === node);
    const mark = this.#marks[index];
    if (mark !== undefined) this.#marks[index] = { ...mark, repair: { from, to: Date.now() } };
    if (this.load.rate === 0) await this.untilEvent(node, 'node.up', from);
    else await this.untilPlaced(node, from);
  }

  /** Lets time pass. */
  async calm(seconds = this.options.calmSeconds): Promise<void> {
    await Bun.sleep(seconds * 1000);
  }

  /** For as long as trouble lasts in this rehearsal. */
  async endure(): Promise<void> {
    await this.calm(this.options.seconds);
  }

  /** Waits until a node has an event of this kind. @param since UTC ms */
  async untilEvent(node: number, kind: string, since: number): Promise<void> {
    await poll(
      async () =>
        (await this.#events(kind, since)).some((event) => event.node_id === node) ? true : undefined,
      () => `node ${node} has no event ${kind}\n${this.appliance.output().slice(-2000)}`,
      PATIENCE_MS,
    );
  }

  /** Waits until a node gets a new call. @param since UTC ms */
  async untilPlaced(node: number, since: number): Promise<void> {
    const { calls } = this.load;
    await poll(
      () => (calls.some((call) => call.node === node && call.offer.at >= since) ? true : undefined),
      () => `node ${node} gets no new calls`,
      PATIENCE_MS,
    );
  }

  /** Waits until a relay has ended of itself. */
  async untilEnded(node: number): Promise<void> {
    await this.relay(node).untilEnded(PATIENCE_MS);
  }

  /** Waits until a node has no call any more. */
  async untilEmpty(node: number): Promise<void> {
    await poll(
      async () => {
        const { calls } = (await this.appliance.api('GET', `/v1/nodes/${node}`)) as { calls: number };

        return calls === 0 ? true : undefined;
      },
      () => `node ${node} keeps its calls`,
      PATIENCE_MS,
    );
  }

  /** Runs the load while `scene` is played, and hands over what was seen. */
  async record(scene: (stage: Stage) => Promise<void>): Promise<Recording> {
    this.load.start();
    let broken = '';
    try {
      await scene(this);
    } catch (error) {
      broken = error instanceof Error ? error.message : String(error);
    }
    await this.load.stop();
    const left = await this.#callsLeft();
    const since = this.#marks[0]?.at ?? this.load.calls[0]?.offer.at ?? 0;

    return {
      load: this.load,
      marks: this.#marks,
      // Where datagrams are lost, opinions waver all the time: of those changes only the last ones are of interest.
      events: [
        ...(await this.#events('node.down,node.ejected', 0)),
        ...(await this.#events('node.falling,node.up', since)),
      ].sort((a, b) => a.id - b.id),
      logs: this.appliance.logs(),
      left,
      broken,
    };
  }

  async close(): Promise<void> {
    await this.appliance.stop();
    await Promise.all(this.relays.map((relay) => relay.stop()));
  }

  /** Node events, oldest first; the newest thousand. */
  async #events(kind: string, since: number): Promise<NodeEvent[]> {
    const page = await this.appliance.api('GET', `/v1/events?kind=${kind}&since=${since}&limit=1000`);

    return (page as { events: NodeEvent[] }).events.reverse();
  }

  async #callsLeft(): Promise<number> {
    const deadline = Date.now() + LEFT_MS;
    for (;;) {
      const left = (await Promise.all(this.relays.map(countCalls))).reduce((sum, count) => sum + count, 0);
      if (left === 0 || Date.now() > deadline) return left;
      await Bun.sleep(200);
    }
  }
}

/** A relay that was left dead has no calls. */
async function countCalls(relay: Relay): Promise<number> {
  try {
    return (await relay.calls()).length;
  } catch {
    return 0;
  }
}
