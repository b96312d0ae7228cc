import { randomBytes, randomUUID } from 'node:crypto';
import { eventColumns, QUARANTINE_COLUMNS } from '../../schemas/columns.ts';
import type { Registry } from '../../schemas/registry.ts';
import { isId } from '../../schemas/subjects.ts';
import { LakeError } from '../errors.ts';
import type { TableSpec } from '../delta/table.ts';

/** The tables every tenant has. */
export const TABLE_NAMES = ['events', 'quarantine'] as const;
export type TableName = (typeof TABLE_NAMES)[number];

/** Folder within a table for the records that undo a replay. */
export const REPLAY_RECORDS = '_replays';
/** Folder within a table for the records that undo an expiry. */
export const EXPIRY_RECORDS = '_expired';

const PARTITION_COLUMNS = ['segment', 'date'] as const;

/**
 * Paths and columns of a tenant's table.
 * @throws LakeError storage_path_invalid if the tenant id could escape its folder
 */
export function tableSpec(name: TableName, tenantId: string, registry: Registry): TableSpec {
  const columns = name === 'events' ? eventColumns(registry) : QUARANTINE_COLUMNS;
  return { root: tableRoot(name, tenantId), columns, partitionColumns: PARTITION_COLUMNS };
}

/** Root of a tenant's table, such as `events/tenant=demo-shop`. */
export function tableRoot(name: TableName, tenantId: string): string {
  return `${name}/tenant=${checkId('tenant', tenantId)}`;
}

/** Folder of a partition within the table: `segment=web/date=2026-11-23`. */
export function partitionPath({ segment, date }: { segment: string; date: string }): string {
  checkId('segment', segment);
  if (!/^\d{4}-\d\d-\d\d$/.test(date))
    throw new LakeError('storage_path_invalid', `date ${JSON.stringify(date)} is not YYYY-MM-DD`);
  return `segment=${segment}/date=${date}`;
}

/** The messages of a stream that a data file was written from. */
export interface FileSource {
  stream: string;
  firstSequence: number;
  lastSequence: number;
}

/**
 * A new path within the table: `segment=web/date=2026-11-23/EVENTS_0-17-42-9f3a….parquet`.
 *
 * Every path is new, so that no file is ever overwritten.
 */
export function newFilePath(partition: { segment: string; date: string }, source: FileSource): string {
  return `${partitionPath(partition)}/${fileName(source, randomBytes(6).toString('hex'))}`;
}

/** Name of a data file, such as `EVENTS_0-17-42-9f3a….parquet`. */
export function fileName({ stream, firstSequence, lastSequence }: FileSource, unique: string): string {
  if (!/^[A-Za-z0-9_]+$/.test(stream) || !/^[a-z0-9]+$/i.test(unique)) {
    throw new LakeError(
      'storage_path_invalid',
      `${JSON.stringify(`${stream}-${unique}`)} cannot be part of a file name`,
    );
  }
  return `${stream}-${firstSequence}-${lastSequence}-${unique}.parquet`;
}

/** The messages that a file name of fileName states; undefined for any other name. */
export function parseFileName(path: string): (FileSource & { unique: string }) | undefined {
  const match = /(?:^|\/)([A-Za-z0-9_]+)-(\d+)-(\d+)-([A-Za-z0-9]+)\.parquet$/.exec(path);
  if (!match) return undefined;
  return { stream: match[1]!, firstSequence: Number(match[2]), lastSequence: Number(match[3]), unique: match[4]! };
}

/** The partition that a data file's path states, if any. */
export function parsePartition(path: string): { segment: string; date: string } | undefined {
  const match = /^segment=([^/]+)\/date=(\d{4}-\d\d-\d\d)\//.exec(path);
  return match && isId(match[1]!) ? { segment: match[1]!, date: match[2]! } : undefined;
}

const MART_FILE = /^(?:date=\d{4}-\d\d-\d\d\/)?[a-z_]+-[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\.parquet$/;

/**
 * A new path within a mart's table, such as `date=2026-11-23/popularity-<uuid>.parquet`.
 *
 * A mart without dates has no folder in the path.
 */
export function newMartFilePath(mart: string, partition: { date?: string }): string {
  const folder = partition.date === undefined ? '' : `date=${partition.date}/`;
  return `${folder}${mart}-${randomUUID()}.parquet`;
}

export function isMartFile(path: string): boolean {
  return MART_FILE.test(path);
}

function checkId(kind: 'tenant' | 'segment', id: string): string {
  if (isId(id)) return id;
  throw new LakeError(
    'storage_path_invalid',
    `${kind} id ${JSON.stringify(id.slice(0, 100))} is not allowed: use lower-case letters, digits, - and _, at most 63`,
  );
}
