import { join } from 'node:path';
import type { Registry } from '../../schemas/registry.ts';
import { openStorage } from '../../lake/storage/open.ts';
import type { S3Config } from '../../lake/storage/s3.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { createTableCache, type TableCache } from '../../lake/layout/tableCache.ts';
import type { LiveTail } from '../tail/liveTail.ts';
import { openFileCache } from '../../lake/files/fileCache.ts';
import type { Executor } from '../sandbox/executor.ts';
import type { SandboxLimits } from '../sandbox/sandbox.ts';
import { lakeFolderFiles, type LocalFiles } from '../../lake/files/localFiles.ts';
import { openQueries, type Queries } from './query.ts';

export interface LakeQueriesConfig extends S3Config {
  lakeUrl: string;
  workDir: string;
  cacheMaxBytes: number;
  queryMemoryMb: number;
  queryThreads: number;
  queryTimeoutMs: number;
  queryMaxRows: number;
  queryMaxBytes: number;
}

/**
 * Opens a lake for reading: storage, tables, local cache and queries.
 *
 * With a live tail, queries see uncommitted events. The caller closes the queries.
 */
export async function openLakeQueries(
  config: LakeQueriesConfig,
  registry: Registry,
  more: { openTail?: (localFiles: LocalFiles, storage: Storage) => LiveTail; executor?: Executor; dir?: string } = {},
): Promise<{ storage: Storage; tables: TableCache; localFiles: LocalFiles; queries: Queries }> {
  const storage = await openStorage(config.lakeUrl, config);
  const tables = createTableCache(storage, registry);
  const localFiles = await openLocalFiles(storage, config);
  const queries = await openQueries({
    storage,
    tables,
    registry,
    localFiles,
    ...(more.openTail ? { live: more.openTail(localFiles, storage) } : {}),
    ...(more.executor ? { executor: more.executor } : {}),
    ...(more.dir === undefined ? {} : { dir: more.dir }),
    limits: queryLimits(config),
  });
  const close = async (): Promise<void> => {
    await queries.close();
    storage.close();
  };
  return { storage, tables, localFiles, queries: { ...queries, close } };
}

/** Limits of one query by the settings. */
export function queryLimits(config: Omit<LakeQueriesConfig, keyof S3Config | 'lakeUrl'>): SandboxLimits {
  return {
    memoryMb: config.queryMemoryMb,
    threads: config.queryThreads,
    timeoutMs: config.queryTimeoutMs,
    maxRows: config.queryMaxRows,
    maxBytes: config.queryMaxBytes,
  };
}

/** Data files on the local disk: the lake's folder, or bounded copies. */
export async function openLocalFiles(
  storage: Storage,
  { workDir, cacheMaxBytes }: Pick<LakeQueriesConfig, 'workDir' | 'cacheMaxBytes'>,
): Promise<LocalFiles> {
  if (storage.localPath('x') !== undefined) return lakeFolderFiles(storage);
  return openFileCache({ storage, folder: join(workDir, 'cache'), maxBytes: cacheMaxBytes });
}
