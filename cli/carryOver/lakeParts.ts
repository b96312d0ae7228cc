import { positionOf, shardPositionOf } from '../../lake/delta/positions.ts';
import type { TableCache } from '../../lake/layout/tableCache.ts';
import { TABLE_NAMES, type TableName } from '../../lake/layout/tables.ts';
import { rowsOfEvents, type RowReading } from '../../query/audit/rows.ts';
import { sourceOf, type StreamMessage } from '../../stream/message.ts';
import type { KnownMessage } from '../../stream/streamsRecord.ts';
import { acceptedIds, isCommitted, partsOf, withParts } from './parts.ts';

/** Position of a table in the stream, and of its shard as of the table's last commit. */
interface TablePosition extends KnownMessage {
  shardPosition: number;
}

/** What the lake has of a stream that was set back. */
export class LakeParts {
  readonly #tables: TableCache;
  readonly #reading: RowReading;
  readonly #appId: string;
  readonly #positions = new Map<string, Record<TableName, TablePosition>>();

  constructor(tables: TableCache, reading: RowReading, appId: string) {
    this.#tables = tables;
    this.#reading = reading;
    this.#appId = appId;
  }

  /** Positions of a tenant's tables in the stream; sequence 0: none. */
  async positions(tenantId: string): Promise<Record<TableName, TablePosition>> {
    const known = this.#positions.get(tenantId);
    if (known) return known;
    const [events, quarantine] = await Promise.all(
      TABLE_NAMES.map(async (name) => {
        const snapshot = await this.#tables(name, tenantId).snapshot();
        return { ...positionOf(snapshot, this.#appId), shardPosition: shardPositionOf(snapshot, this.#appId) };
      }),
    );
    const positions = { events: events!, quarantine: quarantine! };
    this.#positions.set(tenantId, positions);
    return positions;
  }

  /**
   * What the lake lacks of a message; undefined: nothing.
   *
   * Clocks may have gone back with the store, so each accepted event that seems committed is looked up by its id.
   */
  async missing(message: StreamMessage): Promise<Uint8Array | undefined> {
    const { events, quarantine } = await this.positions(sourceOf(message).tenantId);
    const hasRejected = isCommitted(quarantine, message);
    const has = partsOf(message.data);
    if (!has) return hasRejected ? undefined : message.data;
    const parts = {
      accepted: has.accepted && !(isCommitted(events, message) && (await this.#hasAll(message))),
      rejected: has.rejected && !hasRejected,
    };
    return parts.accepted || parts.rejected ? withParts(message.data, parts) : undefined;
  }

  async #hasAll(message: StreamMessage): Promise<boolean> {
    const { tenantId } = sourceOf(message);
    const ids = new Set(acceptedIds(message.data));
    for (const name of TABLE_NAMES) {
      const snapshot = await this.#tables(name, tenantId).snapshot();
      const rows = await rowsOfEvents(this.#reading, { name, tenantId, snapshot }, [...ids]);
      for (const { eventId } of rows) ids.delete(eventId?.toLowerCase() ?? '');
      if (ids.size === 0) return true;
    }
    return false;
  }
}
