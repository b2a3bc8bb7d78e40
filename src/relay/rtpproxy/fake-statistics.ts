/** Counters of a fake rtpproxy; those of media stay 0 (reference: rtpproxy-protocol 3.5). */

/** What G can be asked. */
const NAMES = [
  'nsess_created',
  'nsess_destroyed',
  'nsess_timeout',
  'nsess_complete',
  'nsess_nortp',
  'nsess_owrtp',
  'nsess_nortcp',
  'nsess_owrtcp',
  'nplrs_created',
  'nplrs_destroyed',
  'npkts_rcvd',
  'npkts_played',
  'npkts_relayed',
  'npkts_resizer_in',
  'npkts_resizer_out',
  'npkts_resizer_discard',
  'npkts_discard',
  'total_duration',
  'ncmds_rcvd',
  'ncmds_rcvd_ndups',
  'ncmds_succd',
  'ncmds_errs',
  'ncmds_repld',
  'rtpa_nsent',
  'rtpa_nrcvd',
  'rtpa_ndups',
  'rtpa_nlost',
  'rtpa_perrs',
  'pps_in',
] as const;
export type FakeCounter = (typeof NAMES)[number];

/** Counters of one session that Q can be asked for, besides `ttl`; none of them counts without media. */
const QUERIED = new Set([
  'npkts_ina',
  'npkts_ino',
  'nrelayed',
  'ndropped',
  'rtpa_nsent',
  'rtpa_nrcvd',
  'rtpa_ndups',
  'rtpa_nlost',
  'rtpa_perrs',
]);
const QUERIED_DECIMAL = new Set(['longest_ipi', 'rtpa_jlast', 'rtpa_jmax', 'rtpa_javg']);
const DECIMAL: ReadonlySet<string> = new Set(['total_duration', 'pps_in']);
/** What every Q shows that names no counters. */
const QUERIED_BY_DEFAULT = ['ttl', 'npkts_ina', 'npkts_ino', 'nrelayed', 'ndropped'];

export class FakeStatistics {
  readonly #counts: Record<FakeCounter, number>;

  constructor() {
    this.#counts = zeroes();
  }

  add(name: FakeCounter, count = 1): void {
    this.#counts[name] += count;
  }

  clear(): void {
    Object.assign(this.#counts, zeroes());
  }

  /** The reply to I; its modifiers are `b` and `l`. */
  info(modifiers: string): string {
    const letters = modifiers.toLowerCase();
    for (const letter of letters) if (letter !== 'b' && letter !== 'l') return 'E18';
    const { nsess_created: created, nsess_destroyed: destroyed } = this.#counts;
    const active = created - destroyed;
    const load = letters.includes('l') ? '\naverage load: 0.000000' : '';

    return `sessions created: ${created}\nactive sessions: ${active}\nactive streams: ${2 * active}\npackets received: 0\npackets transmitted: 0${load}`;
  }

  /** The reply to G. `countsLoss`: see `Release`. */
  counters(modifiers: string, names: readonly string[], countsLoss: boolean): string {
    const isVerbose = verbosity(modifiers);
    if (isVerbose === undefined) return 'E9';
    const counts: Readonly<Record<string, number>> = this.#counts;
    const values: string[] = [];
    for (const name of names) {
      const count = Object.hasOwn(counts, name) ? counts[name] : undefined;
      if (count === undefined || (name === 'rtpa_nlost' && !countsLoss)) return 'E68';
      const value = DECIMAL.has(name) ? count.toFixed(6) : String(count);
      values.push(isVerbose ? `${name}=${value}` : value);
    }

    return values.join(' ');
  }
}

function zeroes(): Record<FakeCounter, number> {
  return Object.fromEntries(NAMES.map((name) => [name, 0])) as Record<FakeCounter, number>;
}

/** The reply to Q for a session that lives `ttl` more seconds. `countsLoss`: see `Release`. */
export function queryReply(
  modifiers: string,
  names: readonly string[],
  ttl: number,
  countsLoss: boolean,
): string {
  const isVerbose = verbosity(modifiers);
  if (isVerbose === undefined) return 'E19';
  const values: string[] = [];
  for (const name of names.length === 0 ? QUERIED_BY_DEFAULT : names) {
    const value =
      name === 'ttl'
        ? String(ttl)
        : QUERIED.has(name)
          ? '0'
          : QUERIED_DECIMAL.has(name)
            ? '0.000000'
            : undefined;
    if (value === undefined || (QUERIED_DECIMAL.has(name) && !countsLoss)) return 'E62';
    values.push(isVerbose ? `${name}=${value}` : value);
  }

  return values.join(' ');
}

/** Whether the modifier `v` is given; undefined if there is another one. */
function verbosity(modifiers: string): boolean | undefined {
  for (const letter of modifiers) if (letter !== 'v' && letter !== 'V') return undefined;

  return modifiers !== '';
}
