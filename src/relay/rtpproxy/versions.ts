/** What a daemon says it can do, by the date stamps of VF, and how old it is then (reference: rtpproxy-protocol 3.4). */

/** Stamps that came with a release, newest first, and the releases that know no newer one of these. */
const RELEASES: readonly (readonly [string, string])[] = [
  ['20250523', '3.2 or newer'],
  ['20230424', '3.1'],
  ['20191015', '2.2 or 3.0'],
  ['20050322', '2.1 or older'],
];

/** What is asked for. */
export const CAPABILITIES: readonly string[] = RELEASES.map(([stamp]) => stamp);

/** The releases that have these capabilities and no newer ones. */
export function versionOf(capabilities: readonly string[]): string {
  const release = RELEASES.find(([stamp]) => capabilities.includes(stamp));

  return release?.[1] ?? 'too old: it knows one stream for each call (VF 20050322)';
}
