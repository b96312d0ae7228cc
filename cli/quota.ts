import { quotaAnswer, setQuota, type QuotaAnswer, type QuotaLimits } from '../query/access/quotas.ts';
import { MAX_QUOTA, type QuotaRecord, type ReceiverCounts } from '../schemas/quotas.ts';
import { QUOTAS_BUCKET, SHARES_BUCKET } from '../stream/buckets.ts';
import { openSecretStore } from '../stream/secretStore.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, group, UsageError, type Context } from './command.ts';
import { numberOption } from './number.ts';
import { requiredId } from './secrets.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const LIMIT = { min: 1, max: MAX_QUOTA };

const set = command({
  usage: `Usage: spor quota set --tenant <id> [--per-second <n>] [--per-day <n>] [--per-month <n>] [--json]

Limits the events of a tenant over all receivers. Receivers know it within two seconds. Limits that are not named no longer
bind. Days and months are UTC, and count accepted events from the time of the first quota. A sender over a limit gets 429
tenant_quota_exceeded with Retry-After.

  --per-second <n>   events of any verdict
  --per-day <n>      accepted events
  --per-month <n>    accepted events
`,
  options: {
    tenant: { type: 'string' },
    'per-second': { type: 'string' },
    'per-day': { type: 'string' },
    'per-month': { type: 'string' },
  },
  async run(values, _, context) {
    const tenantId = requiredId('--tenant', values.tenant);
    const limit = (option: 'per-second' | 'per-day' | 'per-month', name: keyof QuotaLimits): QuotaLimits => {
      const text = values[option];
      return text === undefined ? {} : { [name]: numberOption(`--${option}`, text, LIMIT) };
    };
    const limits = {
      ...limit('per-second', 'eventsPerSecond'),
      ...limit('per-day', 'eventsPerDay'),
      ...limit('per-month', 'eventsPerMonth'),
    };
    if (Object.keys(limits).length === 0)
      throw new UsageError('give --per-second, --per-day or --per-month; "spor quota clear" removes all');
    await requireTenants(context, [tenantId]);
    await setTo(context, tenantId, limits);
    context.out(values.json ? `${JSON.stringify({ tenantId, ...limits })}\n` : `${tenantId}: ${textOf(limits)}\n`);
    return EXIT.done;
  },
});

const clear = command({
  usage: `Usage: spor quota clear --tenant <id> [--json]

Removes all limits of a tenant. The quotas of its keys stay.
`,
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const tenantId = requiredId('--tenant', tenant);
    await requireTenants(context, [tenantId]);
    await setTo(context, tenantId, {});
    context.out(json ? `${JSON.stringify({ tenantId })}\n` : `${tenantId}: ${textOf({})}\n`);
    return EXIT.done;
  },
});

const show = command({
  usage: 'Usage: spor quota show [--tenant <id>] [--json]\n\nShows the limits and how much of them is used.\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const wanted = tenant === undefined ? undefined : requiredId('--tenant', tenant);
    if (wanted !== undefined) await requireTenants(context, [wanted]);
    const quotas = await withStream(context, async (connection, { replicas }) => {
      const records = await (await openSecretStore<QuotaRecord>(connection, QUOTAS_BUCKET, replicas)).list();
      const shares = await (await openSecretStore<ReceiverCounts>(connection, SHARES_BUCKET, replicas)).list();
      const counts = shares.map(({ record }) => record);
      return records
        .filter(({ hash }) => wanted === undefined || hash === wanted)
        .map(({ hash, record }) => quotaAnswer(hash, record, counts, context.now()));
    });
    if (json) context.out(`${JSON.stringify({ quotas })}\n`);
    else if (quotas.length === 0) context.out('There are no quotas: see "spor quota set --help".\n');
    else context.out(formatTable(['tenant', 'limits', 'used', 'notice'], quotas.map(cells)));
    return EXIT.done;
  },
});

async function setTo(context: Context, tenantId: string, limits: QuotaLimits): Promise<void> {
  const change = { action: 'quota.set', tenantId, after: limits };
  await changeStream(context, change, async (connection, { replicas }, note) =>
    note({ before: (await setQuota(connection, { tenantId, limits, replicas, nowMs: context.now() })) ?? null }),
  );
}

function cells({ tenantId, use, near, ...limits }: QuotaAnswer): string[] {
  const used = use.map(({ per, used: count, limit }) => `${Math.floor((100 * count) / limit)} % of the ${per}`);
  return [tenantId, textOf(limits), used.join(', '), near ? '80 % or more' : ''];
}

function textOf({ eventsPerSecond, eventsPerDay, eventsPerMonth }: QuotaLimits): string {
  const parts = [
    ...(eventsPerSecond === undefined ? [] : [`${eventsPerSecond} a second`]),
    ...(eventsPerDay === undefined ? [] : [`${eventsPerDay} a day`]),
    ...(eventsPerMonth === undefined ? [] : [`${eventsPerMonth} a month`]),
  ];
  return parts.length === 0 ? 'no limits' : `${parts.join(', ')} at most`;
}

export const quotaCommand = group(
  `Usage: spor quota set|clear|show

  set    limit the events of a tenant over all receivers
  clear  remove all limits of a tenant
  show   show the limits and their use
`,
  { set, clear, show },
);
