import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '../../runtime/log.ts';
import type { NatsConnection } from '../../stream/nats.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { Snapshot } from '../../lake/delta/snapshot.ts';
import { LakeError } from '../../lake/errors.ts';
import { LAKE_ERRORS } from '../../schemas/queryErrors.ts';
import type { ErasureList } from '../../lake/erasure/list.ts';
import { Engine, type EngineSession } from '../../lake/duckdb/engine.ts';
import type { WrittenFile } from '../../lake/flush/parquetWriter.ts';
import type { LocalFiles } from '../../lake/files/localFiles.ts';
import type { TableName } from '../../lake/layout/tables.ts';
import { ShardStreams, type ShardStream } from '../../stream/shardStreams.ts';
import { LeasedResources, type Lease } from './leasedResources.ts';
import { TenantTail, type TailState } from './tenantTail.ts';

export type Snapshots = Record<TableName, Snapshot>;

/** A tenant's committed tables and uncommitted messages, as of one moment. */
export interface LiveView {
  snapshots: Snapshots;
  tail: HeldTail;
}

export interface HeldTail {
  files: readonly WrittenFile[];
  /** Sequence per table, above which rows of the tail's files are uncommitted. */
  above: Record<TableName, number>;
  /** Sequence of the last message read; 0 if there was none. */
  sequence: number;
  /** True if later messages are left out, because the tail exceeds its limit. */
  cut: boolean;
  /** Release the files. */
  release(): Promise<void>;
}

export interface LiveTailOptions {
  /** Connection to the stream server; undefined before the first connect. */
  connection: () => NatsConnection | undefined;
  registry: Registry;
  localFiles: LocalFiles;
  /** A tenant's list of erasures. */
  erasures: (tenantId: string) => Promise<ErasureList>;
  /** Folder for this process alone, emptied at start. */
  dir: string;
  maxBytes: number;
  dedupeWindowMs: number;
  log: Logger;
}

interface Tenant {
  tail: TenantTail;
  session: EngineSession;
  stream: ShardStream;
  /** Settles when the previous refresh is done. One query at a time refreshes a tail. */
  turn: Promise<unknown>;
}

const ENGINE = { memory: '512MiB', threads: 1, idleMs: 60_000 };
/** Memory for the ids of one tenant's tail and lake files. */
const ID_BYTES = 16 * 1_048_576;
const MOST_TENANTS = 64;
const IDLE_MS = 60_000;
const SWEEP_MS = 10_000;
/** Time after a failure in which queries skip the tail if they can. */
const COOL_DOWN_MS = 2_000;
/** Longest wait for the stream server. A healthy one answers in milliseconds. */
const PATIENCE_MS = 1_000;
const NOTHING: Pick<HeldTail, 'files' | 'above' | 'sequence' | 'cut'> = {
  files: [],
  above: { events: Infinity, quarantine: Infinity },
  sequence: 0,
  cut: false,
};

/**
 * Live tails of the tenants that are queried.
 *
 * An idle tenant has no tail. DuckDB starts with the first uncommitted event, and ends after a minute without one.
 */
export class LiveTail {
  readonly #options: LiveTailOptions;
  readonly #tenants: LeasedResources<Tenant>;
  readonly #sweeper: NodeJS.Timeout;
  readonly #engine: Engine;
  #streams: Promise<ShardStreams> | undefined;
  #made = 0;
  #failedAt = -Infinity;

  constructor(options: LiveTailOptions) {
    this.#options = options;
    const { dir, log } = options;
    this.#engine = new Engine({ ...ENGINE, dir: join(dir, 'engine'), log });
    this.#tenants = new LeasedResources({
      most: MOST_TENANTS,
      idleMs: IDLE_MS,
      close: (tenant) =>
        void close(tenant).catch((error: unknown) => log.warn({ err: error }, 'a live tail could not be released')),
    });
    this.#sweeper = setInterval(() => this.#tenants.sweep(), SWEEP_MS).unref();
  }

  /** True if a request to the stream failed a moment ago. */
  get failing(): boolean {
    return performance.now() - this.#failedAt < COOL_DOWN_MS;
  }

  /**
   * All events acknowledged before the call, committed or not, each once. `snapshots` reads the newest versions of the tenant's
   * tables.
   * @throws LakeError tail_unavailable when the stream server does not answer; errors of `snapshots`
   */
  async view(tenantId: string, snapshots: () => Promise<Snapshots>): Promise<LiveView> {
    try {
      const streams = await this.#open();
      const stream = await streams.of(tenantId);
      if (!stream) return { snapshots: await snapshots(), tail: { ...NOTHING, release: () => Promise.resolve() } };
      return await read(this.#lease(tenantId, streams, stream), snapshots);
    } catch (error) {
      if (error instanceof LakeError) throw error;
      this.#failedAt = performance.now();
      // The server may have come back without its buckets: opening creates them.
      this.#streams = undefined;
      throw new LakeError('tail_unavailable', LAKE_ERRORS.tail_unavailable.help, { cause: error });
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#sweeper);
    await this.#engine.kill();
    await Promise.all(this.#tenants.drain().map(close));
    await rm(this.#options.dir, { recursive: true, force: true });
  }

  #open(): Promise<ShardStreams> {
    const { connection } = this.#options;
    const open = connection();
    if (!open) return Promise.reject(new Error('not connected to the stream server yet'));
    const opening = (this.#streams ??= ShardStreams.open(open, { patienceMs: PATIENCE_MS }));
    opening.catch(() => (this.#streams = undefined));
    return opening;
  }

  #lease(tenantId: string, streams: ShardStreams, stream: ShardStream): Lease<Tenant> {
    return this.#tenants.take(tenantId, {
      fits: (tenant) => tenant.stream.shard === stream.shard && tenant.stream.shards === stream.shards,
      make: () => {
        const { registry, localFiles, erasures, maxBytes, dedupeWindowMs, log } = this.#options;
        const dir = join(this.#options.dir, `${tenantId}-${this.#made++}`);
        const session = this.#engine.session();
        const dedupe = { maxBytes: ID_BYTES, windowMs: dedupeWindowMs };
        const shared = { registry, localFiles, erasures, maxBytes, log: log.child({ tenantId }) };
        const tail = new TenantTail({ ...shared, tenantId, streams, stream, session, dir, dedupe });
        return { tail, session, stream, turn: mkdir(dir, { recursive: true }) };
      },
    });
  }
}

/** Reads a leased tail. The lease ends with the release of its files, or with a failure. */
async function read({ value: tenant, end }: Lease<Tenant>, snapshots: () => Promise<Snapshots>): Promise<LiveView> {
  const turn = tenant.turn.then(() => refreshed(tenant, snapshots));
  tenant.turn = turn.catch(() => undefined);
  try {
    const { snapshots: resolved, tail } = await turn;
    let held = true;
    const release = async (): Promise<void> => {
      if (!held) return;
      held = false;
      await tail.release();
      end();
    };
    return { snapshots: resolved, tail: { ...tail, release } };
  } catch (error) {
    end();
    throw error;
  }
}

async function close({ turn, tail, session }: Tenant): Promise<void> {
  await turn;
  await tail.close();
  await session.close().catch(() => undefined); // the session ends with the engine
}

async function refreshed({ tail }: Tenant, snapshots: () => Promise<Snapshots>): Promise<LiveView> {
  let resolved: Snapshots | undefined;
  let failed: { error: unknown } | undefined;
  const events = async (): Promise<Snapshot> => {
    try {
      resolved = await snapshots();
      return resolved.events;
    } catch (error) {
      failed = { error };
      throw error;
    }
  };
  let state: TailState | undefined;
  try {
    state = await tail.refresh(events);
  } catch (error) {
    throw failed ? failed.error : error;
  }
  resolved ??= await snapshots();
  if (!state) return { snapshots: resolved, tail: { ...NOTHING, release: () => Promise.resolve() } };
  const { stream, last: sequence, cut } = state;
  const { appId } = stream;
  const above = { events: resolved.events.txns.get(appId) ?? 0, quarantine: resolved.quarantine.txns.get(appId) ?? 0 };
  return { snapshots: resolved, tail: { ...tail.hold(), above, sequence, cut } };
}
