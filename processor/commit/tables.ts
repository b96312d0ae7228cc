import { ERASURES_ID } from '../../lake/delta/guards.ts';
import type { Table } from '../../lake/delta/table.ts';
import { NO_ERASURES, readErasures, type ErasureList } from '../../lake/erasure/list.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import type { Stored } from '../../lake/window/window.ts';

/**
 * The tables of one shard's tenants, and how far this stream has been committed to each of them. Valid for one lease: only
 * the owner commits under the stream's appId, so that what was read once and advanced by its own commits stays true.
 */
export class Tables {
  readonly #storage: Storage;
  readonly #tables: TableCache;
  /** Identity of the stream: its name and creation time. */
  readonly appId: string;
  readonly #stored = new Map<string, Stored>();
  /** Tables that have a txn of this appId at all; the others are told `undefined`. */
  readonly #expected = new Map<string, number>();

  readonly #erasures = new Map<string, ErasureList>();

  constructor(storage: Storage, tables: TableCache, appId: string) {
    this.#storage = storage;
    this.#tables = tables;
    this.appId = appId;
  }

  /** What of the stream is in a tenant's tables, where that was loaded already. */
  stored(tenantId: string): Stored | undefined {
    return this.#stored.get(tenantId);
  }

  /** Reads from the lake what of the stream is in a tenant's tables. */
  async load(tenantId: string): Promise<Stored> {
    let erasures = 0;
    const [events, quarantine] = await Promise.all(
      TABLE_NAMES.map(async (name) => {
        const { txns } = await this.table(name, tenantId).snapshot();
        erasures += txns.get(ERASURES_ID) ?? 0;
        const version = txns.get(this.appId);
        if (version !== undefined) this.#expected.set(key(name, tenantId), version);
        return version ?? 0;
      }),
    );
    // One that is added later makes the next commit conflict, and whoever owns the shard then begins here.
    if (erasures > 0) this.#erasures.set(tenantId, await readErasures(this.#storage, tenantId));
    const stored = { events: events!, quarantine: quarantine! };
    this.#stored.set(tenantId, stored);
    return stored;
  }

  /** Who is erased, of the tenants that have erased somebody. */
  get allErasures(): ReadonlyMap<string, ErasureList> {
    return this.#erasures;
  }

  /** Who is erased of a tenant, as far as its rows must respect. */
  erasures(tenantId: string): ErasureList {
    return this.#erasures.get(tenantId) ?? NO_ERASURES;
  }

  /** The txn version a commit must find in the table. */
  expected(name: TableName, tenantId: string): number | undefined {
    return this.#expected.get(key(name, tenantId));
  }

  /** A commit of this owner has brought a table up to a sequence. */
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
