import type { NatsConnection } from '../../stream/nats.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import type { Registry } from '../../schemas/registry.ts';
import { openTable, type Table } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { completenessOf, type Completeness } from './completeness.ts';
import type { Days } from './expected.ts';
import { reconcile, type Reconciliation } from './reconcile.ts';
import { findReceipt, type ReceiptAnswer } from './receipt.ts';
import { ShardStreams } from '../../stream/shardStreams.ts';

/** What the lake can tell of how it came about. */
export interface Audit {
  /** @throws LakeError receipt_malformed, receipt_unknown, storage_unavailable; StreamUnavailableError */
  receipt(id: string, reader: { tenantId: string; segmentIds: readonly string[] }): Promise<ReceiptAnswer>;
  /** @throws LakeError storage_unavailable; StreamUnavailableError */
  completeness(tenantId: string): Promise<Completeness>;
  /**
   * Days are of receipt, UTC.
   * @throws LakeError storage_unavailable, tables_too_large; StreamUnavailableError
   */
  reconcile(tenantId: string, days: Days): Promise<Reconciliation>;
  close(): Promise<void>;
}

export interface AuditOptions {
  storage: Storage;
  localFiles: LocalFiles;
  registry: Registry;
  /** Undefined while the stream server has not been reached. */
  connection: () => NatsConnection | undefined;
  /** Copies of the progress bucket, should it have to be made. */
  replicas: number;
  /** DuckDB's, for looking into files. */
  memoryMb?: number;
}

const MEMORY_MB = 256;
const TABLES_KEPT = 1_000;

/** Opens nothing yet: stream, tables and DuckDB come with the first question. */
export function createAudit(options: AuditOptions): Audit {
  const { storage, localFiles, registry, replicas, memoryMb = MEMORY_MB } = options;
  const engine = openDuckdb({ memory: `${memoryMb}MiB`, threads: 1, spillDir: '' });
  const tables = new Map<string, Table>();
  let opened: { connection: NatsConnection; streams: Promise<ShardStreams> } | undefined;

  const table = (name: TableName, tenantId: string): Table => {
    const key = `${name}/${tenantId}`;
    const known = tables.get(key) ?? openTable(storage, tableSpec(name, tenantId, registry));
    tables.delete(key);
    tables.set(key, known);
    if (tables.size > TABLES_KEPT) tables.delete(tables.keys().next().value!);
    return known;
  };
  const withStreams = async <T>(task: (streams: ShardStreams) => Promise<T>): Promise<T> => {
    const connection = options.connection();
    if (!connection) throw new StreamUnavailableError();
    if (opened?.connection !== connection)
      opened = { connection, streams: ShardStreams.open(connection, { replicas }) };
    try {
      return await task(await opened.streams);
    } catch (error) {
      // Had opening failed, it would fail for ever.
      if (error instanceof StreamUnavailableError) opened = undefined;
      throw error;
    }
  };
  return {
    receipt: (id, reader) =>
      withStreams((streams) => findReceipt(id, reader, { storage, localFiles, engine, streams, table })),
    completeness: (tenantId) =>
      withStreams((streams) => completenessOf(tenantId, { streams, table: table('events', tenantId) })),
    reconcile: (tenantId, days) =>
      withStreams((streams) => reconcile(tenantId, days, { storage, localFiles, streams, table, memoryMb })),
    close: () => engine.close(),
  };
}
