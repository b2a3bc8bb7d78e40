/**
 * The rehearsal: what becomes of calls when relays die, hang, come back, fill up and are taken out, with four real
 * rtpengines, or rtpproxies, under a steady load. `npm run rehearse [-- --kind rtpproxy] [--only kill,hang] [--seconds 8] [--rate 50]
 * [--sources]`.
 * Ends with code 1 if a target was missed.
 */

import { parseArgs } from 'node:util';
import { NODE_KINDS } from '../../src/domain/node.ts';
import { ensureBinary } from '../lab/appliance.ts';
import { loopbackNetwork } from '../lab/ports.ts';
import { whyNoRelay } from '../lab/relays.ts';
import type { RelayOptions } from './relays.ts';
import { judge, type Row, table } from './report.ts';
import { SCENARIOS } from './scenarios.ts';
import { type RehearsalOptions, Stage } from './stage.ts';

const { values } = parseArgs({
  options: {
    /** What the relays are: an rtpproxy is the one RTPPROXY_BIN names, or else a pretended one. */
    kind: { type: 'string', default: 'rtpengine' },
    /** Names of scenarios, with commas between. */
    only: { type: 'string' },
    /** How long a trouble lasts. */
    seconds: { type: 'string', default: '8' },
    /** New calls a second. */
    rate: { type: 'string', default: '50' },
    /** Runs the sources in place of the compiled binary. */
    sources: { type: 'boolean', default: false },
  },
});

function number(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text !== '' && value >= least && value <= most) return value;
  throw fail(`--${name} is "${text}"; allowed is a number from ${least} to ${most}`);
}

function fail(message: string): never {
  console.error(`rehearse: ${message}`);
  process.exit(2);
}

const wanted = values.only?.split(',').map((name) => name.trim());
const unknown = wanted?.find((name) => !SCENARIOS.some((scenario) => scenario.name === name));
if (unknown !== undefined)
  fail(`there is no scenario "${unknown}"; there are ${SCENARIOS.map(({ name }) => name).join(', ')}`);
const kind = NODE_KINDS.find((each) => each === values.kind);
if (kind === undefined) throw fail(`--kind is "${values.kind}"; there are ${NODE_KINDS.join(', ')}`);
const why = whyNoRelay(kind);
if (why !== undefined && kind === 'rtpengine') fail(why);
const isFake = why !== undefined;
if (isFake) process.stderr.write(`${why}: the relays only pretend\n`);

const options: RehearsalOptions = {
  binary: values.sources ? undefined : await ensureBinary(),
  address: loopbackNetwork(),
  rate: number('rate', values.rate, 1, 500),
  seconds: number('seconds', values.seconds, 1, 3600),
  calmSeconds: 4,
};
const scenarios = SCENARIOS.filter(
  (scenario) =>
    (wanted?.includes(scenario.name) ?? true) &&
    (scenario.kind ?? kind) === kind &&
    !(isFake && scenario.needsReal === true),
);
/** What a scenario wants, of the kind that is rehearsed. */
const optionsOf = (wants: RelayOptions): RelayOptions => ({
  kind,
  ...(isFake ? { fake: [] } : {}),
  ...wants,
});
const rows: Row[] = [];
for (const scenario of scenarios) {
  process.stderr.write(`${scenario.name} ...`);
  const stage = await Stage.open(
    options,
    (relay) => optionsOf(scenario.relays?.(relay) ?? {}),
    scenario.isIdle ?? false,
  );
  try {
    const row = judge(scenario, await stage.record(scenario.play));
    rows.push(row);
    process.stderr.write(` ${row.misses.length === 0 ? 'good' : row.misses.join('; ')}\n`);
    for (const remark of row.remarks) process.stderr.write(`  ${remark}\n`);
  } finally {
    await stage.close();
  }
}
const missed = rows.filter(({ misses }) => misses.length > 0).length;
console.log(`\n${table(rows)}\n\n${rows.length} scenarios, ${missed} missed`);
process.exit(missed === 0 ? 0 : 1);
