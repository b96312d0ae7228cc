import { openSecretStore } from '../stream/secretStore.ts';
import { asOrigin, keyId, newSecret, secretHash, stateOf, type KeyRecord } from '../schemas/keys.ts';
import { reservedReason } from '../schemas/subjects.ts';
import { KEYS_BUCKET } from '../stream/buckets.ts';
import { expiryPresent } from './clocks.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, group, UsageError, type Context } from './command.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { numberOption } from './number.ts';
import { findSecret, requiredId, revokeSecret } from './secrets.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const CREATE_USAGE = `Usage: spor keys create --tenant <id> --segment <id> [options]

Creates an instrumentation key and prints it once. Only its SHA-256 is stored. Receivers know it within two seconds.

  --kind browser|server   a server key is rejected from browsers (default browser)
  --origin <url>          a page's origin that may send, such as https://shop.example; may be repeated (default any);
                          an app's is such as capacitor://localhost, a file's is null
  --label <text>          its purpose
  --quota <n>             most events a second to one receiver
  --expires <duration>    such as 90d (default never)
  --json
`;

const create = command({
  usage: CREATE_USAGE,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string' },
    kind: { type: 'string' },
    origin: { type: 'string', multiple: true },
    label: { type: 'string', verbatim: true },
    quota: { type: 'string' },
    expires: { type: 'string' },
  },
  async run(values, _, context) {
    const lifeMs = values.expires === undefined ? undefined : parseDuration('--expires', values.expires);
    const wanted: Omit<KeyRecord, 'createdAt'> = {
      tenantId: newId('--tenant', values.tenant),
      segmentId: newId('--segment', values.segment),
      kind: kindOf(values.kind ?? 'browser'),
      origins: (values.origin ?? []).map(originOf),
      label: values.label ?? '',
      ...(values.quota === undefined
        ? {}
        : { quotaEventsPerSecond: numberOption('--quota', values.quota, { min: 1, max: 1e9 }) }),
    };
    const { tenantId, segmentId } = wanted;
    const change = { action: 'key.create', tenantId, segmentId };
    const { key, record } = await changeStream(context, change, async (connection, { replicas }, note) => {
      const secret = newSecret('ik');
      const store = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas);
      const host = context.now();
      const nowMs = lifeMs === undefined ? host : await expiryPresent(connection, KEYS_BUCKET, host);
      const made: KeyRecord = {
        ...wanted,
        createdAt: new Date(nowMs).toISOString(),
        ...(lifeMs === undefined ? {} : { expiresAt: new Date(nowMs + lifeMs).toISOString() }),
      };
      note({ about: `key ${keyId(secretHash(secret))}`, after: made });
      await store.create(secretHash(secret), made);
      return { key: secret, record: made };
    });
    printNew(context, key, record, values.json);
    return EXIT.done;
  },
});

const list = command({
  usage: 'Usage: spor keys list [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const wanted = tenant === undefined ? undefined : requiredId('--tenant', tenant);
    const all = await withStream(context, async (connection, { replicas }) =>
      (await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas)).list(),
    );
    const keys = all
      .filter(({ record }) => wanted === undefined || record.tenantId === wanted)
      .sort(
        (a, b) =>
          a.record.tenantId.localeCompare(b.record.tenantId) || a.record.createdAt.localeCompare(b.record.createdAt),
      )
      .map(({ hash, record }) => ({ id: keyId(hash), state: stateOf(record, context.now()), ...record }));
    if (wanted !== undefined && keys.length === 0) {
      context.out(json ? '{"keys":[]}\n' : `There are no keys of ${wanted} yet.\n`);
      await requireTenants(context, [wanted]);
    } else if (json) context.out(`${JSON.stringify({ keys })}\n`);
    else if (keys.length === 0) context.out('There are no keys yet: see "spor keys create --help".\n');
    else {
      const rows = keys.map((key) => [
        key.id,
        key.tenantId,
        key.segmentId,
        key.kind,
        key.state,
        key.expiresAt,
        key.createdAt,
        key.label,
      ]);
      context.out(formatTable(['id', 'tenant', 'segment', 'kind', 'state', 'expires', 'created', 'label'], rows));
    }
    return EXIT.done;
  },
});

const revoke = command({
  usage: `Usage: spor keys revoke <id|key> [--json]

Receivers answer 401 to the key within two seconds. Stored events stay. Revoking again changes nothing.
`,
  options: {},
  positionals: ['id'],
  async run({ json }, [named = ''], context) {
    const { id, record, before } = await changeStream(
      context,
      { action: 'key.revoke' },
      (connection, { replicas }, note) =>
        revokeSecret<KeyRecord>(
          connection,
          { bucket: KEYS_BUCKET, replicas, named, what: 'key', nowMs: context.now() },
          note,
        ),
    );
    if (json) context.out(`${JSON.stringify({ id, ...record })}\n`);
    else
      context.out(
        `Key ${id} of ${record.tenantId}/${record.segmentId} ${before ? 'was revoked before, at' : 'is revoked since'} ${record.revokedAt}.\n`,
      );
    return EXIT.done;
  },
});

const rotate = command({
  usage: `Usage: spor keys rotate <id|key> [--overlap <duration>] [--json]

Creates a key with the same rights. The old one expires after the overlap (default 24h), so that pages and servers can
change over one by one.
`,
  options: { overlap: { type: 'string' } },
  positionals: ['id'],
  async run({ overlap, json }, [named = ''], context) {
    const overlapMs = parseDuration('--overlap', overlap ?? '24h', { zero: true });
    const rotated = await changeStream(context, { action: 'key.rotate' }, async (connection, { replicas }, note) => {
      const store = await openSecretStore<KeyRecord>(connection, KEYS_BUCKET, replicas);
      const nowMs = await expiryPresent(connection, KEYS_BUCKET, context.now());
      const expiresAt = new Date(nowMs + overlapMs).toISOString();
      const old = await findSecret(store, named, 'key');
      const state = stateOf(old.record, nowMs);
      if (state === 'revoked' || state === 'expired') {
        throw new Error(`key ${keyId(old.hash)} is ${state}: create a new one with "spor keys create"`);
      }
      // The new key is stored first, so that a failure leaves a surplus key instead of none.
      const { expiresAt: _old, ...rights } = old.record;
      const next: KeyRecord = { ...rights, createdAt: new Date(nowMs).toISOString() };
      const secret = newSecret('ik');
      const { tenantId, segmentId } = old.record;
      const about = `key ${keyId(old.hash)} to ${keyId(secretHash(secret))}`;
      note({ tenantId, segmentId, about, before: old.record, after: next });
      await store.create(secretHash(secret), next);
      const sooner =
        old.record.expiresAt !== undefined && old.record.expiresAt < expiresAt ? old.record.expiresAt : expiresAt;
      await store.update(old.hash, (current) => ({ ...current, expiresAt: sooner }));
      const leftMs = Date.parse(sooner) - nowMs;
      return { key: secret, record: next, oldId: keyId(old.hash), leftMs, oldExpiresAt: sooner };
    });
    const { key, record, oldId, leftMs, oldExpiresAt } = rotated;
    if (json)
      context.out(
        `${JSON.stringify({ key, id: keyId(secretHash(key)), ...record, replaces: { id: oldId, expiresAt: oldExpiresAt } })}\n`,
      );
    else {
      printNew(context, key, record);
      context.err(`The old key ${oldId} works until ${oldExpiresAt} (${formatDuration(leftMs)}).\n`);
    }
    return EXIT.done;
  },
});

export const keysCommand = group(
  `Usage: spor keys create|list|revoke|rotate [options]

  create  create an instrumentation key
  list    list keys
  revoke  end a key at once
  rotate  replace a key; both work during the overlap
`,
  { create, list, revoke, rotate },
);

/** Print the key alone to standard output, for `KEY=$(spor keys create …)`. */
function printNew({ out, err }: Context, key: string, record: KeyRecord, json?: boolean): void {
  const id = keyId(secretHash(key));
  if (json)
    return out(`${JSON.stringify({ key, id, ...record })}
`);
  const facts = [`${record.kind} key of ${record.tenantId}/${record.segmentId}`];
  if (record.origins.length > 0) facts.push(`for ${record.origins.join(', ')}`);
  if (record.expiresAt) facts.push(`until ${record.expiresAt}`);
  out(`${key}
`);
  err(`Id ${id}: ${facts.join(', ')}. The key is shown only once; save it now.
`);
}

/** An id for a new key. Keys that exist go on working. */
function newId(option: string, value: string | undefined): string {
  const id = requiredId(option, value);
  const reason = reservedReason(id);
  if (reason === undefined) return id;
  throw new UsageError(`${option} ${id} ${reason}: choose another id`);
}

function kindOf(text: string): KeyRecord['kind'] {
  if (text === 'browser' || text === 'server') return text;
  throw new UsageError(`--kind ${text} is neither browser nor server`);
}

function originOf(text: string): string {
  const origin = asOrigin(text);
  if (origin !== undefined) return origin;
  throw new UsageError(
    `--origin ${text} is not an origin: write it like https://shop.example, without a path or a wildcard`,
  );
}
