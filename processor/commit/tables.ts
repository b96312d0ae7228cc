import type { Table } from '../../lake/delta/table.ts';
import type { OpenTables } from '../../lake/openTables.ts';
import { TABLE_NAMES, type TableName } from '../../lake/tables.ts';
import type { Stored } from '../../lake/window/window.ts';

/**
 * The tables of one shard's tenants, and how far this stream has been committed to each of them. Valid for one lease: only
 * the owner commits under the stream's appId, so that what was read once and advanced by its own commits stays true.
 */
export class Tables {
  readonly #tables: OpenTables;
  /** Identity of the stream: its name and creation time. */
  readonly appId: string;
  readonly #stored = new Map<string, Stored>();
  /** Tables that have a txn of this appId at all; the others are told `undefined`. */
  readonly #expected = new Map<string, number>();

  constructor(tables: OpenTables, appId: string) {
    this.#tables = tables;
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
    return this.#tables(name, tenantId);
  }
}

function key(name: TableName, tenantId: string): string {
  return `${name}/${tenantId}`;
}
