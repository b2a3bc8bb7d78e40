/** The settings as the rest of the program sees them: checked and typed. */

import type { Token } from '../domain/role.ts';
import type { Side, Sides } from '../domain/side.ts';
import type { Network } from '../util/ip.ts';
import type { ListenAddress, NgListen, NoticePlace } from './readers.ts';

/** Where a value came from; `where` is `FILE:LINE`, the variable, the flag, or `default`. */
export interface Origin {
  readonly key: string;
  readonly source: 'default' | 'file' | 'environment' | 'flag';
  readonly where: string;
  /** The value as it would stand in the file. */
  readonly shown: string;
  /** Whether a reload takes a new value; if not, only a restart does. */
  readonly reloads: boolean;
}

/** The checked settings. Whole numbers carry their unit in the name (`Ms`, `S` for seconds, `Bytes`). */
export interface Settings {
  /** The settings file that was read, null if there was none. */
  readonly file: string | null;
  readonly http: {
    readonly listen: ListenAddress;
    /** Path of the unix socket, '' for none. */
    readonly unix: string;
    /** Host names in lower case, IPv6 without brackets; besides those of `listen`. */
    readonly hosts: readonly string[];
    readonly maxBodyBytes: number;
    /** Bearer tokens; empty means none is asked for. Never to be shown or logged. */
    readonly tokens: readonly Token[];
  };
  /** The API with TLS; null for nowhere. */
  readonly https: { readonly listen: ListenAddress; readonly cert: string; readonly key: string } | null;
  readonly ng: {
    readonly listen: readonly NgListen[];
    /** Whose datagrams are read. */
    readonly clients: readonly Network[];
  };
  readonly database: { readonly path: string; readonly synchronous: 'full' | 'normal' };
  readonly media: { readonly budgetMs: number; readonly firstTryMs: number; readonly retransmitMs: number };
  readonly calls: {
    readonly max: number;
    readonly keepEndedS: number;
    readonly maxIdleS: number;
    readonly maxUnansweredS: number;
    readonly keepEndedMax: number;
    readonly checkAfterS: number;
  };
  readonly explain: { readonly keepS: number; readonly keepMax: number };
  readonly checks: { readonly canary: 'off' | 'on'; readonly reconcileS: number };
  readonly rtpproxy: {
    /** Where the daemons send notices, as their `-n` has it; null for nowhere. */
    readonly noticeSocket: string | null;
    /** Where we listen for them; null if nobody sends any. */
    readonly noticeListen: NoticePlace | null;
  };
  readonly drain: { readonly hook: string };
  readonly events: { readonly keepMax: number; readonly keepS: number };
  readonly webhooks: {
    readonly urls: readonly string[];
    /** Patterns of kinds. */
    readonly kinds: readonly string[];
    /** Key of the signature, '' for none. Never to be shown or logged. */
    readonly secret: string;
    readonly timeoutMs: number;
  };
  readonly stop: { readonly graceMs: number };
  readonly log: {
    readonly level: 'debug' | 'info' | 'warning' | 'error';
    readonly format: 'auto' | 'json' | 'text';
  };
  readonly sides: Sides;
  /** Which side a source address is on; longest prefix first, so the first match decides. */
  readonly networks: readonly { readonly network: Network; readonly side: Side }[];
  /** Where each value came from, in the order of the table. */
  readonly origins: readonly Origin[];
}
