import { ERASURES_ID } from '../../lake/delta/guards.ts';
import type { Table } from '../../lake/delta/table.ts';
import { NO_ERASURES, readErasures, type ErasureList } from '../../lake/erasure/list.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import { newest } from '../../stream/incarnation.ts';
import type { KnownMessage } from '../../stream/streamsRecord.ts';
import { positionOf } from '../../lake/delta/positions.ts';
import { ParkedTenants } from './parked.ts';
import type { Stored } from '../../lake/window/window.ts';

const NOTHING_WANTED: Stored = { events: Infinity, quarantine: Infinity };

/**
 * Tables of a shard's tenants, with the stream's position in each.
 *
 * The cache is valid for one lease. Only the owner commits under the stream's appId, so its own commits keep the cache
 * current.
 */
export class Tables {
  readonly #storage: Storage;
  readonly #tables: TableCache;
  /** Identity of the stream: its name and creation time. */
  readonly appId: string;
  readonly #stored = new Map<string, Stored>();
  /** Positions of tables with a `txn` entry of this appId. Others are undefined. */
  readonly #expected = new Map<string, number>();

  readonly #erasures = new Map<string, ErasureList>();
  readonly parked: ParkedTenants;

  constructor(storage: Storage, tables: TableCache, appId: string, parked = new ParkedTenants()) {
    this.parked = parked;
    this.#storage = storage;
    this.#tables = tables;
    this.appId = appId;
  }

  /** Stream positions in a tenant's tables; undefined before `load`. Nothing of a parked tenant is wanted. */
  stored(tenantId: string): Stored | undefined {
    return this.parked.has(tenantId) ? NOTHING_WANTED : this.#stored.get(tenantId);
  }

  /** @throws LakeError why a tenant's tables cannot be written */
  async mustBeWritable(tenantId: string): Promise<void> {
    for (const name of TABLE_NAMES) {
      const table = this.table(name, tenantId);
      table.mustBeWritable(await table.snapshot());
    }
  }

  /** The newest message of the stream that a tenant's tables name; sequence 0 if they name none. */
  async newest(tenantId: string): Promise<KnownMessage> {
    await Promise.all(TABLE_NAMES.map((name) => this.table(name, tenantId).snapshot()));
    return this.newestKnown(tenantId);
  }

  /** The same without a request, after `load`. */
  newestKnown(tenantId: string): KnownMessage {
    return TABLE_NAMES.map((name) => positionOf(this.table(name, tenantId).known, this.appId)).reduce(newest);
  }

  /** Reads the stream positions of a tenant's tables from the lake. */
  async load(tenantId: string): Promise<Stored> {
    let erasures = 0;
    const [events, quarantine] = await Promise.all(
      TABLE_NAMES.map(async (name) => {
        const table = this.table(name, tenantId);
        const snapshot = await table.snapshot();
        table.mustBeWritable(snapshot);
        const { txns } = snapshot;
        erasures += txns.get(ERASURES_ID) ?? 0;
        const version = txns.get(this.appId);
        if (version !== undefined) this.#expected.set(key(name, tenantId), version);
        return version ?? 0;
      }),
    );
    // An erasure added later makes the next commit conflict. The shard's next owner then starts here.
    if (erasures > 0) this.#erasures.set(tenantId, await readErasures(this.#storage, tenantId));
    const stored = { events: events!, quarantine: quarantine! };
    this.#stored.set(tenantId, stored);
    return stored;
  }

  /** Erasure lists of the tenants that have one. */
  get allErasures(): ReadonlyMap<string, ErasureList> {
    return this.#erasures;
  }

  /** Erasure list that a tenant's rows must respect. */
  erasures(tenantId: string): ErasureList {
    return this.#erasures.get(tenantId) ?? NO_ERASURES;
  }

  /** The `txn` version that a commit must find in the table. */
  expected(name: TableName, tenantId: string): number | undefined {
    return this.#expected.get(key(name, tenantId));
  }

  /** Records that this owner's commit has advanced a table to a sequence. */
  advance(name: TableName, tenantId: string, sequence: number): void {
    this.#expected.set(key(name, tenantId), sequence);
    this.#stored.set(tenantId, { ...(this.#stored.get(tenantId) ?? { events: 0, quarantine: 0 }), [name]: sequence });
  }

  table(name: TableName, tenantId: string): Table {
    return this.#tables(name, tenantId);
  }
}

function key(name: TableName, tenantId: string): string {
  return `${name}/${tenantId}`;
}
