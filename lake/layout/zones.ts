import { createZone, UTC, type ShopZones } from '../../schemas/zone.ts';
import { isId } from '../../schemas/subjects.ts';
import type { Snapshot } from '../delta/snapshot.ts';
import type { Table } from '../delta/table.ts';

/** Table property of a tenant's events table: its zone; with `.<segment>`, the zone of a segment. */
const ZONE_PROPERTY = 'spor.zone';

/**
 * The zones of a tenant, from its events table.
 *
 * A tenant without a zone of its own has the one that all zones of its segments agree on, else UTC.
 */
export function zonesOf({ metaData }: Pick<Snapshot, 'metaData'>): ShopZones {
  const set = Object.entries(metaData?.configuration ?? {});
  const segments = set
    .filter(([name]) => name.startsWith(`${ZONE_PROPERTY}.`))
    .map(([name, zone]): [string, string] => [name.slice(ZONE_PROPERTY.length + 1), zone])
    .filter(([segment]) => isId(segment))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const own = metaData?.configuration[ZONE_PROPERTY];
  const used = new Set(segments.map(([, zone]) => zone));
  const shared = used.size === 1 ? [...used][0] : undefined;
  return { zone: own ?? shared ?? UTC, segments: Object.fromEntries(segments) };
}

/** The zone of a segment, or of the tenant if there is none. */
export function zoneOf({ zone, segments }: ShopZones, segment: string | undefined): string {
  return (segment === undefined ? undefined : segments[segment]) ?? zone;
}

/**
 * Set the zone of a tenant or of one segment; undefined removes it.
 * @throws RangeError if there is no such zone
 */
export async function setZone(events: Table, zone: string | undefined, segment?: string): Promise<ShopZones> {
  if (zone !== undefined) createZone(zone);
  const property = segment === undefined ? ZONE_PROPERTY : `${ZONE_PROPERTY}.${segment}`;
  const info = { operation: 'SET TBLPROPERTIES', operationParameters: { [property]: zone ?? '' } };
  await events.configure({ set: { [property]: zone }, info });
  return zonesOf(await events.snapshot());
}
