import type { NatsConnection } from '../../stream/nats.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { tableRoot } from '../../lake/layout/tables.ts';
import { backlogOf, type Backlog } from './backlog.ts';
import { completenessOf, type Completeness } from './completeness.ts';
import type { Days } from './expected.ts';
import { ErasedPositions } from './erasedPositions.ts';
import { readRecentDuplicates, type RecentDuplicates } from './recentDuplicates.ts';
import { reconcile, type Reconciliation } from './reconcile.ts';
import { findReceipt, type ReceiptAnswer } from './receipt.ts';
import { ShardStreams } from '../../stream/shardStreams.ts';

/** Receipts, completeness and reconciliation of the lake. */
export interface Audit {
  /** @throws LakeError receipt_malformed, receipt_unknown, storage_unavailable; StreamUnavailableError */
  receipt(id: string, reader: { tenantId: string; segmentIds: readonly string[] }): Promise<ReceiptAnswer>;
  /** The tenant's messages that are not in the lake yet. @throws LakeError storage_unavailable; StreamUnavailableError */
  backlog(tenantId: string): Promise<Backlog | undefined>;
  /** @throws LakeError storage_unavailable; StreamUnavailableError */
  completeness(tenantId: string): Promise<Completeness>;
  /** Resends that the newest commits dropped. @throws LakeError storage_unavailable, table_corrupt */
  duplicates(tenantId: string): Promise<RecentDuplicates>;
  /**
   * Reconcile days of receipt (UTC).
   * @throws LakeError storage_unavailable, tables_too_large; StreamUnavailableError
   */
  reconcile(tenantId: string, days: Days): Promise<Reconciliation>;
  close(): Promise<void>;
}

export interface AuditOptions {
  storage: Storage;
  tables: TableCache;
  localFiles: LocalFiles;
  /** Connection to the stream server; undefined before the first connect. */
  connection: () => NatsConnection | undefined;
  /** Called when a mark is not given because the clocks differ, with the time of each. */
  refused?: (clocks: string) => void;
  /** DuckDB's memory for reading data files. */
  memoryMb?: number;
  /** Entries of a log that a question about a receipt reads for erasures. Absent: all. */
  mostReads?: number;
}

const MEMORY_MB = 256;

/** Create the audit. The first question opens the stream. */
export function createAudit(options: AuditOptions): Audit {
  const { storage, tables, localFiles, memoryMb = MEMORY_MB } = options;
  const engine = openDuckdb({ memory: `${memoryMb}MiB`, threads: 1, spillDir: '' });
  const erasures = new ErasedPositions({ storage, mostReads: options.mostReads ?? Infinity });
  let opened: { connection: NatsConnection; streams: Promise<ShardStreams> } | undefined;

  const withStreams = async <T>(task: (streams: ShardStreams) => Promise<T>): Promise<T> => {
    const connection = options.connection();
    if (!connection) throw new StreamUnavailableError();
    if (opened?.connection !== connection) opened = { connection, streams: ShardStreams.open(connection) };
    const streams = await opened.streams.catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    // Streams that were opened stay, because they remember what was seen of each stream.
    return task(streams);
  };
  return {
    receipt: (id, reader) =>
      withStreams((streams) => findReceipt(id, reader, { storage, tables, localFiles, engine, streams, erasures })),
    backlog: (tenantId) =>
      withStreams((streams) => backlogOf(tenantId, { streams, table: tables('events', tenantId) })),
    completeness: (tenantId) =>
      withStreams(async (streams) => {
        const found = await completenessOf(tenantId, { streams, table: tables('events', tenantId), storage });
        if (found.clocksDiffer !== undefined) options.refused?.(found.clocksDiffer);
        return found;
      }),
    duplicates: async (tenantId) => {
      const { version } = await tables('events', tenantId).snapshot();
      return readRecentDuplicates(storage, { tenantId, root: tableRoot('events', tenantId), version });
    },
    reconcile: (tenantId, days) =>
      withStreams((streams) => reconcile(tenantId, days, { storage, tables, localFiles, streams, memoryMb })),
    close: () => engine.close(),
  };
}
