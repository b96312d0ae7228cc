import { openTable, type Table } from '../../lake/delta/table.ts';
import type { Storage } from '../../lake/storage/storage.ts';
import { TABLE_NAMES, tableSpec, type TableName } from '../../lake/tables.ts';
import type { Registry } from '../../schemas/registry.ts';
import type { Stored } from '../../lake/window/window.ts';

/** Tables kept open: each holds its snapshot in memory. Others are opened again when they are needed. */
const OPEN_TABLES = 512;

/**
 * The tables of one shard's tenants, and how far this stream has been committed to each of them. Valid for one lease: only
 * the owner commits under the stream's appId, so that what was read once and advanced by its own commits stays true.
 */
export class Tables {
  readonly #storage: Storage;
  readonly #registry: Registry;
  /** Identity of the stream: its name and creation time. */
  readonly appId: string;
  readonly #open = new Map<string, Table>();
  readonly #stored = new Map<string, Stored>();
  /** Tables that have a txn of this appId at all; the others are told `undefined`. */
  readonly #expected = new Map<string, number>();

  constructor(storage: Storage, registry: Registry, appId: string) {
    this.#storage = storage;
    this.#registry = registry;
    this.appId = appId;
  }

  /** What of the stream is in a tenant's tables, where that was loaded already. */
  stored(tenantId: string): Stored | undefined {
    return this.#stored.get(tenantId);
  }

  /** Reads from the lake what of the stream is in a tenant's tables. */
  async load(tenantId: string): Promise<Stored> {
    const [events, quarantine] = await Promise.all(
      TABLE_NAMES.map(async (name) => {
        const { txns } = await this.table(name, tenantId).snapshot();
        const version = txns.get(this.appId);
        if (version !== undefined) this.#expected.set(key(name, tenantId), version);
        return version ?? 0;
      }),
    );
    const stored = { events: events!, quarantine: quarantine! };
    this.#stored.set(tenantId, stored);
    return stored;
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
    const id = key(name, tenantId);
    const table = this.#open.get(id) ?? openTable(this.#storage, tableSpec(name, tenantId, this.#registry));
    // Deleting first moves it to the end: a Map keeps the order of insertion, so that the first is the least used.
    this.#open.delete(id);
    this.#open.set(id, table);
    if (this.#open.size > OPEN_TABLES) this.#open.delete(this.#open.keys().next().value!);
    return table;
  }
}

function key(name: TableName, tenantId: string): string {
  return `${name}/${tenantId}`;
}
