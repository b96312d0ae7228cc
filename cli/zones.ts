import { createTableCache } from '../lake/layout/tableCache.ts';
import { setZone, zonesOf } from '../lake/layout/zones.ts';
import { createRegistry } from '../schemas/registry.ts';
import { isZone } from '../schemas/zone.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { tenantSettings } from './tenantSettings.ts';

const set = command({
  usage: `Usage: spor zones set --tenant <id> [--segment <id>] (--zone <name> | --none) [--json]

Sets the time zone of a shop by its IANA name, such as Europe/Copenhagen. Days of reports and of the console are days in this
zone, and have 23 or 25 hours when clocks change. Without --segment it is the zone of all segments without one of their own.
The setting counts from the next report on, also for days in the past. It changes no stored event and no mart.

  --none   remove the setting; without any the zone is UTC
`,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string' },
    zone: { type: 'string' },
    none: { type: 'boolean' },
  },
  async run({ tenant, segment: given, zone, none = false, json }, _, context) {
    const tenantId = requiredId('--tenant', tenant);
    const segment = given === undefined ? undefined : requiredId('--segment', given);
    if ((zone === undefined) !== none) throw new UsageError('give either --zone or --none');
    if (zone !== undefined && !isZone(zone))
      throw new UsageError(`--zone ${zone} is no IANA time zone; write for example Europe/Copenhagen or UTC`);
    await requireTenants(context, [tenantId]);
    const own = segment === undefined ? {} : { segmentId: segment };
    const change = { action: 'zone.set', tenantId, ...own, after: { zone: zone ?? null } };
    const zones = await changeLake(context, change, async (storage, note) => {
      const events = createTableCache(storage, createRegistry())('events', tenantId);
      note({ before: zonesOf(await events.snapshot()) });
      return setZone(events, zone, segment);
    });
    const whose = segment === undefined ? tenantId : `segment ${segment} of ${tenantId}`;
    const text = zone === undefined ? `${whose} has no zone of its own` : `days of ${whose} are days in ${zone}`;
    context.out(json ? `${JSON.stringify({ tenantId, ...zones })}\n` : `${text}\n`);
    return EXIT.done;
  },
});

const show = command({
  usage: 'Usage: spor zones show [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const found = await tenantSettings(context, tenant, (events) => zonesOf(events));
    const rows = found.flatMap(({ tenantId, zone, segments }) => [
      [tenantId, 'all others', zone],
      ...Object.entries(segments).map(([segment, own]) => [tenantId, segment, own]),
    ]);
    context.out(json ? `${JSON.stringify(found)}\n` : formatTable(['tenant', 'segment', 'zone'], rows));
    return EXIT.done;
  },
});

export const zonesCommand = group(
  `Usage: spor zones set|show

  set    set the time zone of a tenant's shops
  show   show the settings
`,
  { set, show },
);
