import type { Logger } from '../../../runtime/log.ts';
import { isId } from '../../../schemas/subjects.ts';
import { isZone } from '../../../schemas/zone.ts';
import { LakeError } from '../../../lake/errors.ts';
import type { TableCache } from '../../../lake/layout/tableCache.ts';
import { setZone, zonesOf } from '../../../lake/layout/zones.ts';
import { recorded, type ChangeLog } from '../../../schemas/change.ts';
import { nameOf, requireOperator } from '../authorize.ts';
import { readJsonObject } from '../jsonBody.ts';
import { GET_ZONES, SET_ZONE } from '../contract/accessOperations.ts';
import { jsonReply, type ReaderCall, type Route } from '../route.ts';

/** `GET /api/zones` and `PUT /api/zones`: the time zones of a tenant's shops. Only an operator sets them. */
export function zoneRoutes(tables: TableCache, { log, changes }: { log: Logger; changes: ChangeLog }): Route[] {
  return [
    {
      ...GET_ZONES,
      async handle({ reader: { tenantId, segmentIds } }: ReaderCall) {
        const { zone, segments } = zonesOf(await tables('events', tenantId).snapshot());
        const readable = Object.entries(segments).filter(([id]) => segmentIds.length === 0 || segmentIds.includes(id));
        return jsonReply({ zone, segments: Object.fromEntries(readable) });
      },
    },
    {
      ...SET_ZONE,
      async handle(call: ReaderCall) {
        const { identity, reader } = call;
        requireOperator(identity);
        const { segmentId, zone } = readZone(await readJsonObject(call));
        const of = { tenantId: reader.tenantId, ...(segmentId === undefined ? {} : { segmentId }) };
        const change = { action: 'zone.set', by: nameOf(identity), ...of, after: { zone: zone ?? null } };
        const zones = await recorded(changes, change, async (note) => {
          const events = tables('events', reader.tenantId);
          note({ before: zonesOf(await events.snapshot()) });
          return setZone(events, zone, segmentId);
        });
        const about = { tenantId: reader.tenantId, segmentId, zone };
        log.info({ audit: true, action: 'zone set', by: identity.tokenId, ...about }, 'a setting changed');
        return jsonReply(zones);
      },
    },
  ];
}

/** @throws LakeError body_invalid */
function readZone(body: Record<string, unknown>): { segmentId: string | undefined; zone: string | undefined } {
  const { segmentId, zone, ...rest } = body;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined)
    throw new LakeError('body_invalid', `${JSON.stringify(unknown.slice(0, 80))} is unknown. Give segmentId and zone.`);
  if (segmentId !== undefined && (typeof segmentId !== 'string' || !isId(segmentId)))
    throw new LakeError('body_invalid', '"segmentId" must be the id of a segment.');
  if (zone !== null && (typeof zone !== 'string' || !isZone(zone)))
    throw new LakeError('body_invalid', '"zone" must be an IANA time zone such as Europe/Copenhagen, or null.');
  return { segmentId, zone: zone ?? undefined };
}
