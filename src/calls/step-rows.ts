/**
 * Steps of a call as a row of the database: JSON, compressed (zstd), and behind it the CRC-32 of the JSON. Rows of older versions are
 * JSON as text, without the SDP.
 */

import { crc32, zstdDecompressSync } from 'node:zlib';
import type { Door } from '../domain/door.ts';
import { addressesIn } from '../sdp/outline.ts';
import { beginStep, type Step } from './step.ts';

/** A step that was noted, with what its SDP say of addresses. */
export interface NotedStep extends Omit<Step, 'door'> {
  /** Null where a version noted it that did not tell. */
  readonly door: Door | null;
  /** Addresses the sender wrote and the reader got, as `audio 192.0.2.1:4000`. */
  readonly received: readonly string[];
  readonly returned: readonly string[];
}

/** A step as the first version noted it. */
type OldStep = Omit<NotedStep, 'door' | 'tag' | 'sdp_received' | 'sdp_returned' | 'is_sdp_cut' | 'streams'>;

/** The lowest: higher ones save nothing of texts this short. */
const LEVEL = { level: 1 };
/** Bytes of the checksum, which tells damage. zstd has one of its own, but not where it is fast for texts this short. */
const CHECKSUM = 4;
/** Longest JSON of a row, bytes; rows are made shorter (`history.ts`), a damaged one may claim anything. */
const MAX_JSON = 4_194_304;

export function packSteps(steps: readonly Step[]): Uint8Array {
  const json = Buffer.from(JSON.stringify(steps));
  const packed = Bun.zstdCompressSync(json, LEVEL);
  const row = Buffer.allocUnsafe(packed.length + CHECKSUM);
  row.set(packed);
  row.writeUInt32LE(crc32(json), packed.length);

  return row;
}

/** The steps of a row; undefined if it is damaged. */
export function unpackSteps(row: Uint8Array | string): NotedStep[] | undefined {
  try {
    const steps: unknown = JSON.parse(typeof row === 'string' ? row : unpack(row));

    return Array.isArray(steps) && steps.every(isStep) ? steps.map(noted) : undefined;
  } catch {
    return undefined;
  }
}

/** @throws if it is damaged */
function unpack(row: Uint8Array): string {
  const bytes = Buffer.from(row.buffer, row.byteOffset, row.byteLength);
  const end = bytes.length - CHECKSUM;
  const json = zstdDecompressSync(bytes.subarray(0, end), { maxOutputLength: MAX_JSON });
  if (crc32(json) !== bytes.readUInt32LE(end)) throw new Error('the checksum is another');

  return json.toString();
}

/** A step as it is shown: with its addresses. */
export function noted(step: Step | OldStep): NotedStep {
  if (!('sdp_received' in step)) return { ...EMPTY, ...step };

  return {
    ...EMPTY,
    ...step,
    received: addressesIn(step.sdp_received ?? ''),
    returned: addressesIn(step.sdp_returned ?? ''),
  };
}

/** What a row may lack, of whatever version it is. */
const EMPTY: NotedStep = { ...beginStep(0, ''), door: null, received: [], returned: [] };

/** Whether this is a step: what it has is of the kind that whoever shows it counts on. */
function isStep(value: unknown): value is Step | OldStep {
  if (!isRecord(value) || typeof value.at !== 'number' || typeof value.operation !== 'string') return false;
  const { tries, decision, streams, received, returned } = value;
  const isText = TEXTS.every((key) => value[key] == null || typeof value[key] === 'string');
  const isDecided =
    decision == null ||
    (isRecord(decision) && areRecords(decision.candidates) && areRecords(decision.filtered));

  return (
    isText &&
    isDecided &&
    areRecords(tries) &&
    tries.every(({ reason }) => typeof reason === 'string') &&
    (streams == null || areRecords(streams)) &&
    [received, returned].every((each) => each === undefined || areTexts(each))
  );
}

const TEXTS = ['reason', 'tag', 'sdp_received', 'sdp_returned', 'sides', 'message', 'result'] as const;

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

function areRecords(value: unknown): value is Record<string, unknown>[] {
  return Array.isArray(value) && value.every(isRecord);
}

function areTexts(value: unknown): boolean {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
