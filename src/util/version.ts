/** What this program is. The build puts version and commit in; a run from the sources says `dev`. */

declare const BUILD_VERSION: string | undefined;
declare const BUILD_COMMIT: string | undefined;

/** Version without `v`, as in `0.1.0`. */
export const version: string = typeof BUILD_VERSION === 'string' ? BUILD_VERSION : 'dev';

/** Short commit id. */
export const commit: string = typeof BUILD_COMMIT === 'string' ? BUILD_COMMIT : 'dev';

/** `rtp-cluster 0.1.0 (commit abcdef0, bun 1.4.5)` */
export function versionLine(): string {
  return `rtp-cluster ${version} (commit ${commit}, bun ${Bun.version})`;
}

/** The same for programs. */
export function versionFacts(): { readonly version: string; readonly commit: string; readonly bun: string } {
  return { version, commit, bun: Bun.version };
}
