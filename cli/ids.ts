import { createTableCache } from '../lake/layout/tableCache.ts';
import { setSharedIds, sharesIds } from '../lake/layout/sharedIds.ts';
import { createRegistry } from '../schemas/registry.ts';
import { changeLake } from './changing.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { requiredId } from './secrets.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';
import { tenantSettings } from './tenantSettings.ts';

const set = command({
  usage: `Usage: spor ids set --tenant <id> (--shared | --by-segment) [--json]

Says whether the segments of a tenant share the ids of orders, searches, visits, visitors and customers. By default they do not:
order 1001 of one segment is another order than 1001 of the other. With --shared it is one order, for example where the backend
sends to a segment of its own. The setting changes views, reports and marts from the next query on, and no stored event.
`,
  options: { tenant: { type: 'string' }, shared: { type: 'boolean' }, 'by-segment': { type: 'boolean' } },
  async run({ tenant, shared = false, 'by-segment': bySegment = false, json }, _, context) {
    const tenantId = requiredId('--tenant', tenant);
    if (shared === bySegment) throw new UsageError('give either --shared or --by-segment');
    await requireTenants(context, [tenantId]);
    await changeLake(context, { action: 'ids.set', tenantId, after: { shared } }, async (storage, note) => {
      const events = createTableCache(storage, createRegistry())('events', tenantId);
      note({ before: { shared: sharesIds(await events.snapshot()) } });
      await setSharedIds(events, shared);
    });
    const text = shared ? `the segments of ${tenantId} share their ids` : `ids of ${tenantId} are of their segment`;
    context.out(json ? `${JSON.stringify({ tenantId, shared })}\n` : `${text}\n`);
    return EXIT.done;
  },
});

const show = command({
  usage: 'Usage: spor ids show [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const found = await tenantSettings(context, tenant, (events) => ({ shared: sharesIds(events) }));
    const rows = found.map(({ tenantId, shared }) => [
      tenantId,
      shared ? 'shared by all segments' : 'of their segment',
    ]);
    context.out(json ? `${JSON.stringify(found)}\n` : formatTable(['tenant', 'ids'], rows));
    return EXIT.done;
  },
});

export const idsCommand = group(
  `Usage: spor ids set|show

  set    say whether a tenant's segments share their ids
  show   show the settings
`,
  { set, show },
);
