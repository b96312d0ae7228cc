import { randomUUID } from 'node:crypto';
import { LakeError } from '../errors.ts';

/**
 * Actions of the Delta log (Delta protocol, "Actions"), of reader 1 and writer 2.
 * A log entry is newline-delimited JSON, one action a line.
 */
export interface Protocol {
  minReaderVersion: number;
  minWriterVersion: number;
}

export interface MetaData {
  id: string;
  format: { provider: string; options: Record<string, string> };
  /** JSON text ("Schema Serialization Format"). */
  schemaString: string;
  partitionColumns: string[];
  configuration: Record<string, string>;
  /** Milliseconds since 1970. */
  createdTime?: number;
  name?: string;
  description?: string;
}

/** `path` is relative to the table's root, without the URL encoding of the log (RFC 2396). */
export interface AddFile {
  path: string;
  partitionValues: Record<string, string | null>;
  size: number;
  /** Milliseconds since 1970. */
  modificationTime: number;
  dataChange: boolean;
  /** JSON text of FileStats ("Per-file Statistics"). */
  stats?: string;
  tags?: Record<string, string>;
}

export interface RemoveFile {
  path: string;
  /** Milliseconds since 1970. */
  deletionTimestamp?: number;
  dataChange: boolean;
  extendedFileMetadata?: boolean;
  partitionValues?: Record<string, string | null>;
  size?: number;
}

/** Committed position of an application ("Transaction Identifiers"). */
export interface Txn {
  appId: string;
  version: number;
  /** Milliseconds since 1970. */
  lastUpdated?: number;
}

export type CommitInfo = Record<string, unknown>;

export type Action =
  | { protocol: Protocol }
  | { metaData: MetaData }
  | { add: AddFile }
  | { remove: RemoveFile }
  | { txn: Txn }
  | { commitInfo: CommitInfo };

const READER_VERSION = 1;
const WRITER_VERSION = 2;

/** Protocol of new tables, which every Delta reader and writer supports. */
export const PROTOCOL: Protocol = { minReaderVersion: READER_VERSION, minWriterVersion: WRITER_VERSION };

/**
 * Check that this version can read a table ("Protocol Evolution").
 * @throws LakeError table_unsupported
 */
export function checkReadable(protocol: Protocol, table: string): void {
  if (protocol.minReaderVersion <= READER_VERSION) return;
  throw new LakeError(
    'table_unsupported',
    `${table} needs Delta reader version ${protocol.minReaderVersion}; this Spor reads version ${READER_VERSION}. ` +
      'Another tool has upgraded the table: restore it, or use a newer Spor',
  );
}

/**
 * Check that this version can write a table (Delta protocol, "Requirements for Writers").
 * @throws LakeError table_unsupported for a newer writer version, or column invariants
 */
export function checkWritable(protocol: Protocol, metaData: MetaData, table: string): void {
  checkReadable(protocol, table);
  const refuse = (what: string): never => {
    throw new LakeError(
      'table_unsupported',
      `${table} ${what}: another tool has changed the table; restore it, or use a newer Spor`,
    );
  };
  if (protocol.minWriterVersion > WRITER_VERSION) {
    refuse(`asks for Delta writer version ${protocol.minWriterVersion}, this Spor writes version ${WRITER_VERSION}`);
  }
  if (metaData.schemaString.includes('"delta.invariants"'))
    refuse('has column invariants, which this Spor does not check');
}

/** Metadata of a new table, made at a time by the store's clock. */
export function newMetaData(
  schemaString: string,
  { partitionColumns, createdTime }: { partitionColumns: readonly string[]; createdTime: number },
): MetaData {
  return {
    id: randomUUID(),
    format: { provider: 'parquet', options: {} },
    schemaString,
    partitionColumns: [...partitionColumns],
    configuration: {},
    createdTime,
  };
}

/** Metadata with some properties set, or removed where undefined; the same object if nothing changes. */
export function withProperties(metaData: MetaData, set: Record<string, string | undefined>): MetaData {
  const { configuration } = metaData;
  if (Object.entries(set).every(([name, value]) => configuration[name] === value)) return metaData;
  const merged = Object.entries({ ...configuration, ...set });
  const kept = merged.filter((entry): entry is [string, string] => entry[1] !== undefined);
  return { ...metaData, configuration: Object.fromEntries(kept) };
}

/** Action that removes a file at a time by the store's clock. */
export function removeAction(
  { path, partitionValues, size }: AddFile,
  dataChange: boolean,
  deletionTimestamp: number,
): Action {
  return { remove: { path, deletionTimestamp, dataChange, extendedFileMetadata: true, partitionValues, size } };
}

/**
 * Parse a log entry. Unknown actions and fields are skipped, as the protocol requires.
 * @throws LakeError table_corrupt naming the entry and line; table_unsupported for deletion vectors and absolute paths
 */
export function parseActions(text: string, entry: string): Action[] {
  const actions: Action[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    const action = parseAction(line, `${entry} line ${index + 1}`);
    if (action) actions.push(action);
  }
  return actions;
}

/** Write a log entry as text. */
export function formatActions(actions: readonly Action[]): string {
  return actions.map((action) => `${JSON.stringify(encodePaths(action))}\n`).join('');
}

function encodePaths(action: Action): Action {
  if ('add' in action) return { add: { ...action.add, path: encodePath(action.add.path) } };
  if ('remove' in action) return { remove: { ...action.remove, path: encodePath(action.remove.path) } };
  return action;
}

/** Encode a path for the log. `encodeURI` leaves two characters that a path must not have. */
export function encodePath(path: string): string {
  return encodeURI(path).replaceAll('?', '%3F').replaceAll('#', '%23');
}

function parseAction(line: string, where: string): Action | undefined {
  try {
    return readAction(JSON.parse(line), where);
  } catch (error) {
    if (error instanceof LakeError) throw error;
    throw new LakeError('table_corrupt', `${where} is not JSON`, { cause: error });
  }
}

/**
 * Check an action, and decode its path; undefined for an unknown action.
 * @throws LakeError as parseActions
 */
export function readAction(value: unknown, where: string): Action | undefined {
  const corrupt = (what: string): LakeError => new LakeError('table_corrupt', `${where}: ${what}`);
  if (!isObject(value)) throw corrupt('is not a JSON object');
  const need = (action: string, fields: Record<string, unknown>, types: Record<string, string>): void => {
    for (const [field, type] of Object.entries(types)) {
      const fits = type === 'object' ? isObject(fields[field]) : typeof fields[field] === type;
      if (!fits) throw corrupt(`${action}.${field} must be ${type}`);
    }
  };
  const { protocol, metaData, add, remove, txn, commitInfo } = value;
  if (isObject(protocol)) {
    need('protocol', protocol, { minReaderVersion: 'number', minWriterVersion: 'number' });
    return { protocol: protocol as unknown as Protocol };
  }
  if (isObject(metaData)) {
    need('metaData', metaData, { id: 'string', format: 'object', schemaString: 'string' });
    if (!Array.isArray(metaData.partitionColumns)) throw corrupt('metaData.partitionColumns must be a list');
    return { metaData: { configuration: {}, ...metaData } as unknown as MetaData };
  }
  if (isObject(add)) {
    need('add', add, {
      path: 'string',
      partitionValues: 'object',
      size: 'number',
      modificationTime: 'number',
      dataChange: 'boolean',
    });
    return { add: { ...add, path: filePath(add, where) } as unknown as AddFile };
  }
  if (isObject(remove)) {
    need('remove', remove, { path: 'string', dataChange: 'boolean' });
    return { remove: { ...remove, path: filePath(remove, where) } as unknown as RemoveFile };
  }
  if (isObject(txn)) {
    need('txn', txn, { appId: 'string', version: 'number' });
    return { txn: txn as unknown as Txn };
  }
  return isObject(commitInfo) ? { commitInfo } : undefined;
}

/** Decode the path of an add or remove. */
function filePath(action: Record<string, unknown>, where: string): string {
  if (isObject(action.deletionVector)) {
    throw new LakeError(
      'table_unsupported',
      `${where} uses deletion vectors, which this version of Spor does not read`,
    );
  }
  const path = action.path as string;
  if (/^[a-z][a-z0-9+.-]*:|^\//i.test(path)) {
    throw new LakeError('table_unsupported', `${where} names a file outside the table: ${path}`);
  }
  try {
    return decodeURIComponent(path);
  } catch (error) {
    throw new LakeError('table_corrupt', `${where}: path is not URL-encoded`, { cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
