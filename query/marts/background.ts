import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { Slots } from '../engine/slots.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { createMartRefresher } from './martRefresher.ts';
import type { MartReport } from './refresh.ts';
import type { MartMetrics } from './metrics.ts';

/** Delay of the first refresh after a start. */
const FIRST_AFTER_MS = 60_000;

/** Name of the refresher among the tokens of a tenant. */
const REFRESHER = 'marts';

/** Starts to refresh marts, and returns the function that stops. Each refresh takes a query's slot. */
export function startMartRefreshes(options: {
  storage: Storage;
  registry: Registry;
  localFiles: LocalFiles;
  config: { martsSeconds: number; queryMemoryMb: number; queryThreads: number };
  /** The process's work folder. */
  dir: string;
  slots: Slots;
  log: Logger;
  metrics: MartMetrics;
}): () => Promise<void> {
  const { config, dir, slots, metrics, ...lake } = options;
  const refresher = createMartRefresher({
    ...lake,
    workDir: join(dir, 'marts'),
    memoryMb: config.queryMemoryMb,
    threads: config.queryThreads,
    turn: (tenantId, signal) => slots.acquire({ tenantId, tokenId: REFRESHER }, signal),
  });
  const stop = new AbortController();
  const pace = { everyMs: config.martsSeconds * 1_000, firstAfterMs: FIRST_AFTER_MS };
  const onTenant = (tenantId: string, outcome: MartReport[] | Error): void => metrics.refreshed(tenantId, outcome);
  const running = refresher.keepUp({ ...pace, onTenant }, stop.signal);
  return async () => {
    stop.abort();
    await running;
  };
}
