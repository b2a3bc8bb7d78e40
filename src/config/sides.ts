/** Puts the sides together from their settings, and checks that names and networks say one thing only. */

import type { Side, Sides } from '../domain/side.ts';
import { type Network, parseNetwork } from '../util/ip.ts';
import { readSideName, SIDE_NAME_RULE } from './readers.ts';
import { FIRST_SIDES, MAX_SIDES } from './rows.ts';

export interface SideNetwork {
  readonly network: Network;
  readonly side: Side;
}

/** What the settings say of one side. */
export interface SideSettings {
  readonly side: Side;
  readonly aliases: readonly string[];
  readonly networks: readonly string[];
}

/** Tells of a problem with a setting; `key` is the setting it is about. */
export type Report = (key: string, message: string) => void;

/** Sides in the order they were named, `inner` and `outer` first. */
export function buildSides(
  settings: readonly SideSettings[],
  report: Report,
): { sides: Sides; networks: SideNetwork[] } {
  const names = settings.map(({ side }) => side);
  for (const side of names) {
    if (readSideName(side) === undefined)
      report(`sides.${side}`, `this name of a side is not allowed; allowed is ${SIDE_NAME_RULE}`);
  }
  if (names.length > MAX_SIDES) report('sides', `there are ${names.length} sides; allowed are ${MAX_SIDES}`);

  return {
    sides: { names, aliases: collectAliases(settings, report) },
    networks: collectNetworks(settings, report),
  };
}

function collectAliases(settings: readonly SideSettings[], report: Report): Map<string, Side> {
  const names = settings.map(({ side }) => side);
  const aliases = new Map<string, Side>();
  for (const { side, aliases: own } of settings) {
    const key = `sides.${side}.aliases`;
    for (const alias of own) {
      const other = aliases.get(alias);
      if (other !== undefined)
        report(key, `"${alias}" is an alias of side ${other} already; an alias belongs to one side`);
      else if (alias !== side && names.includes(alias)) {
        const isFirst = FIRST_SIDES.includes(side) ? ' (perhaps by default)' : '';
        report(key, `has "${alias}"${isFirst}, which is the name of another side; set ${key} without it`);
      } else if (alias !== side) aliases.set(alias, side);
    }
  }

  return aliases;
}

function collectNetworks(settings: readonly SideSettings[], report: Report): SideNetwork[] {
  const networks: SideNetwork[] = [];
  const owners = new Map<string, Side>();
  for (const { side, networks: own } of settings) {
    for (const text of own) {
      const network = parseNetwork(text);
      if (network === undefined) continue;
      const id = `${network.family} ${network.base} ${network.hostBits}`;
      const other = owners.get(id);
      if (other !== undefined && other !== side)
        report(
          `sides.${side}.networks`,
          `${text} is a network of side ${other} already; a network is on one side`,
        );
      if (other !== undefined) continue;
      owners.set(id, side);
      networks.push({ network, side });
    }
  }

  // The longest prefix first, so that the first match is the most exact one; the sort keeps the order of equals.
  return networks.sort((a, b) => Number(a.network.hostBits - b.network.hostBits));
}
