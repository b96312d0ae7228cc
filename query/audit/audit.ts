import type { NatsConnection } from '../../stream/nats.ts';
import { StreamUnavailableError } from '../../stream/errors.ts';
import type { Registry } from '../../schemas/registry.ts';
import { openTable, type Table } from '../../lake/delta/table.ts';
import { openDuckdb } from '../../lake/duckdb/duckdb.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { tableSpec, type TableName } from '../../lake/layout/tables.ts';
import { Progress } from '../../stream/progress.ts';
import { completenessOf, type Completeness } from './completeness.ts';
import type { Days } from './expected.ts';
import { reconcile, type Reconciliation } from './reconcile.ts';
import { findReceipt, type ReceiptAnswer } from './receipt.ts';
import { askStream, TenantStreams } from '../../stream/tenantStream.ts';

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
  let opened: { connection: NatsConnection; stream: Promise<OpenStream> } | undefined;

  const table = (name: TableName, tenantId: string): Table => {
    const key = `${name}/${tenantId}`;
    const known = tables.get(key) ?? openTable(storage, tableSpec(name, tenantId, registry));
    tables.delete(key);
    tables.set(key, known);
    if (tables.size > TABLES_KEPT) tables.delete(tables.keys().next().value!);
    return known;
  };
  const withStream = async <T>(task: (stream: OpenStream) => Promise<T>): Promise<T> => {
    const connection = options.connection();
    if (!connection) throw new StreamUnavailableError();
    if (opened?.connection !== connection) opened = { connection, stream: openStream(connection, replicas) };
    try {
      return await task(await opened.stream);
    } catch (error) {
      // Had opening failed, it would fail for ever.
      if (error instanceof StreamUnavailableError) opened = undefined;
      throw error;
    }
  };
  return {
    receipt: (id, reader) =>
      withStream((stream) => findReceipt(id, reader, { storage, localFiles, engine, ...stream, table })),
    completeness: (tenantId) =>
      withStream(({ streams, progress }) =>
        completenessOf(tenantId, { streams, progress, table: table('events', tenantId) }),
      ),
    reconcile: (tenantId, days) =>
      withStream((stream) => reconcile(tenantId, days, { storage, localFiles, ...stream, table, memoryMb })),
    close: () => engine.close(),
  };
}

interface OpenStream {
  streams: TenantStreams;
  progress: Pick<Progress, 'floor'>;
}

async function openStream(connection: NatsConnection, replicas: number): Promise<OpenStream> {
  const streams = await TenantStreams.open(connection);
  const progress = await askStream(() => Progress.open(connection, { replicas }));
  return { streams, progress: { floor: (shard, created) => askStream(() => progress.floor(shard, created)) } };
}
