/** The tables. Time stamps are UTC milliseconds; texts that come from SIP are byte strings. */

import { sql } from 'drizzle-orm';
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';
import { HEALTHS, ORDERS } from '../domain/state.ts';
import { LOAD_MEASURES, POLICIES } from '../placement/policy.ts';

export const node = sqliteTable(
  'node',
  {
    id: integer('id').primaryKey(),
    kind: text('kind', { enum: ['rtpengine', 'rtpproxy'] }).notNull(),
    socket: text('socket').notNull(),
    setId: integer('set_id').notNull(),
    weight: integer('weight').notNull(),
    imposeMode: text('impose_mode', { enum: ['media-address', 'interface'] }).notNull(),
    priority: integer('priority').notNull().default(0),
    capacity: integer('capacity'),
    /** Words, separated by commas. */
    tags: text('tags').notNull().default(''),
    httpPort: integer('http_port'),
    /** The order of a person: see `AdminState`. */
    adminState: text('admin_state', { enum: ORDERS }).notNull().default('ready'),
    adminBy: text('admin_by').notNull().default(''),
    adminReason: text('admin_reason').notNull().default(''),
    adminAt: integer('admin_at').notNull().default(0),
    adminUntil: integer('admin_until'),
    /** Whether the relay itself was told to take no new calls, and the limit it had before (null = none). */
    isLimited: integer('is_limited', { mode: 'boolean' }).notNull().default(false),
    limitBefore: integer('limit_before'),
    /** A removed node stays until its last call has ended; null while it is part of its set. */
    removedAt: integer('removed_at'),
  },
  (table) => [uniqueIndex('node_socket').on(table.setId, table.socket).where(sql`removed_at is null`)],
);

/** Our opinion of a node, so that a restart of this program changes nothing. Written without waiting for the disk. */
export const nodeHealth = sqliteTable('node_health', {
  nodeId: integer('node_id')
    .primaryKey()
    .references(() => node.id, { onDelete: 'cascade' }),
  health: text('health', { enum: HEALTHS }).notNull(),
  since: integer('since').notNull(),
  cause: text('cause').notNull(),
  ejections: integer('ejections').notNull(),
  ejectedUntil: integer('ejected_until'),
  rampFrom: integer('ramp_from'),
  /** When the relay process began, by its own uptime; null if it never said. */
  startedAt: integer('started_at'),
});

export const mediaAddress = sqliteTable(
  'media_address',
  {
    nodeId: integer('node_id')
      .notNull()
      .references(() => node.id, { onDelete: 'cascade' }),
    side: text('side').notNull(),
    family: text('family', { enum: ['IP4', 'IP6'] }).notNull(),
    address: text('address').notNull(),
    interface: text('interface'),
  },
  (table) => [primaryKey({ columns: [table.nodeId, table.side, table.family] })],
);

/** What is said of a set as a whole. A set without a row has the defaults. (`set` is a word of SQL.) */
export const nodeSet = sqliteTable('node_set', {
  id: integer('id').primaryKey(),
  description: text('description').notNull(),
  /** Direction of calls when nothing else tells it; null = none, such calls are refused. */
  direction: text('direction'),
  policy: text('policy', { enum: POLICIES }).notNull().default('hash'),
  loadBy: text('load_by', { enum: LOAD_MEASURES }).notNull().default('sessions'),
  /** Percent of a node's media ports that new calls leave free. */
  portReserve: integer('port_reserve').notNull().default(5),
  /** Whether each of its nodes gets a call of ours with real RTP once a minute. */
  mediaProbe: integer('media_probe', { mode: 'boolean' }).notNull().default(false),
});

/**
 * Calls and what belongs to them are kept by a number that only grows, not by Call-ID: rows written together then stand
 * together, and a commit writes few pages.
 */
export const call = sqliteTable(
  'call',
  {
    id: integer('id').primaryKey(),
    callId: text('call_id').notNull().unique(),
    nodeId: integer('node_id'),
    setId: integer('set_id').notNull(),
    callerSide: text('caller_side').notNull(),
    calleeSide: text('callee_side').notNull(),
    callerTag: text('caller_tag').notNull(),
    state: text('state', { enum: ['announced', 'early', 'confirmed', 'ended'] }).notNull(),
    /** The SIP transaction that began the call. */
    initial: text('initial'),
    /** SIP transactions that carried an offer, one a line. */
    offers: text('offers').notNull(),
    /** What the driver of its node wants remembered. */
    memo: text('memo'),
    /** Sessions its node has for it. */
    sessions: integer('sessions').notNull().default(1),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
    endReason: text('end_reason'),
  },
  (table) => [index('call_ended').on(table.updatedAt).where(sql`state = 'ended'`)],
);

/** WITHOUT ROWID, which Drizzle cannot say: added to the generated SQL by hand. */
export const leg = sqliteTable(
  'leg',
  {
    call: integer('call')
      .notNull()
      .references(() => call.id, { onDelete: 'cascade' }),
    tag: text('tag').notNull(),
    branch: text('branch').notNull(),
    side: text('side').notNull(),
    readerSide: text('reader_side').notNull(),
    family: text('family', { enum: ['IP4', 'IP6'] }).notNull(),
    confirmed: integer('confirmed', { mode: 'boolean' }).notNull(),
    offering: integer('offering', { mode: 'boolean' }).notNull(),
    createdAt: integer('created_at').notNull(),
    updatedAt: integer('updated_at').notNull(),
  },
  (table) => [primaryKey({ columns: [table.call, table.tag, table.branch] })],
);

/**
 * Last SDP of a leg, apart from `leg` so that rebuilding memory at start need not read past it. WITHOUT ROWID, as `leg`.
 */
export const legSdp = sqliteTable(
  'leg_sdp',
  {
    call: integer('call')
      .notNull()
      .references(() => call.id, { onDelete: 'cascade' }),
    tag: text('tag').notNull(),
    branch: text('branch').notNull(),
    received: text('received').notNull(),
    returned: text('returned').notNull(),
  },
  (table) => [primaryKey({ columns: [table.call, table.tag, table.branch] })],
);

/** Deletes a node has not confirmed yet: calls that may be left on it. */
export const stray = sqliteTable(
  'stray',
  {
    nodeId: integer('node_id').notNull(),
    callId: text('call_id').notNull(),
    since: integer('since').notNull(),
    /** What the driver needs to name the call. */
    memo: text('memo'),
  },
  (table) => [primaryKey({ columns: [table.nodeId, table.callId] })],
);

export const event = sqliteTable(
  'event',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    at: integer('at').notNull(),
    kind: text('kind').notNull(),
    nodeId: integer('node_id'),
    callId: text('call_id'),
    /** A JSON object. */
    detail: text('detail').notNull(),
  },
  (table) => [
    index('event_kind').on(table.kind, table.id),
    index('event_node').on(table.nodeId, table.id).where(sql`node_id is not null`),
    index('event_call').on(table.callId).where(sql`call_id is not null`),
  ],
);

/** Up to where each webhook has been told. */
export const webhook = sqliteTable('webhook', {
  url: text('url').primaryKey(),
  lastEventId: integer('last_event_id').notNull(),
});

/** What was done for a call and why: some requests of it in each row, oldest row first. */
export const trace = sqliteTable(
  'trace',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    callId: text('call_id').notNull(),
    at: integer('at').notNull(),
    /** A JSON array of steps. */
    steps: text('steps').notNull(),
  },
  (table) => [index('trace_call').on(table.callId)],
);

/**
 * The samples of a node have a number of their own, never an id: a node that goes leaves its row here without a node, so that it goes
 * at once however much there is of it, and one that gets its id later has no part in it. The row goes with its last sample.
 */
export const nodeSeries = sqliteTable('node_series', {
  id: integer('id').primaryKey(),
  nodeId: integer('node_id')
    .unique()
    .references(() => node.id, { onDelete: 'set null' }),
});

/** What a node did over some minutes, for plots; rates per second and means of that time. Null where nobody knows. WITHOUT ROWID, as `leg`. */
export const nodeSample = sqliteTable(
  'node_sample',
  {
    /** As in `node_series`; no foreign key, which would cost a look-up for each sample. */
    series: integer('series').notNull(),
    /** Its end. */
    at: integer('at').notNull(),
    /** Share of the time in which it was up, 0 to 1. */
    up: real('up'),
    calls: real('calls'),
    sessions: real('sessions'),
    portsInUse: real('ports_in_use'),
    portsTotal: real('ports_total'),
    placedPerS: real('placed_per_s'),
    packetsPerS: real('packets_per_s'),
    errorsPerS: real('errors_per_s'),
    rttMs: real('rtt_ms'),
    /** Of the media probe: packets lost, 0 to 100, and the time they took both ways. */
    probeLoss: real('probe_loss'),
    probeDelayMs: real('probe_delay_ms'),
  },
  (table) => [primaryKey({ columns: [table.series, table.at] })],
);

/** The same of the whole fleet and of this program. */
export const fleetSample = sqliteTable('fleet_sample', {
  at: integer('at').primaryKey(),
  nodesUp: real('nodes_up'),
  calls: real('calls'),
  sessions: real('sessions'),
  placedPerS: real('placed_per_s'),
  requestsPerS: real('requests_per_s'),
  failedPerS: real('failed_per_s'),
  /** Time requests took, half of them and 99 of 100. */
  p50Ms: real('p50_ms'),
  p99Ms: real('p99_ms'),
  /** The longest time the event loop stood still, and a commit took. */
  loopDelayMs: real('loop_delay_ms'),
  commitMs: real('commit_ms'),
});
