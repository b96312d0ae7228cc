import { openSecretStore } from '../stream/secretStore.ts';
import { keyId, newSecret, secretHash, stateOf, type TokenRecord } from '../schemas/keys.ts';
import { TOKENS_BUCKET } from '../stream/buckets.ts';
import { expiryPresent } from './clocks.ts';
import { changeStream } from './changing.ts';
import { command, EXIT, group, UsageError } from './command.ts';
import { parseDuration } from './duration.ts';
import { requiredId, revokeSecret } from './secrets.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';
import { requireTenants } from './tenant.ts';

const create = command({
  usage: `Usage: spor tokens create --tenant <id> [options]
       spor tokens create --operator [options]

Creates a token for queries of one tenant's data, and prints it once. Only its SHA-256 is stored. An operator token reads
every tenant and manages keys and read tokens, in the console and over HTTP.

  --operator             an operator token

  --segment <id>         readable segment; may be repeated (default all of the tenant)
  --label <text>         its purpose
  --expires <duration>   such as 90d (default never)
  --json
`,
  options: {
    operator: { type: 'boolean' },
    tenant: { type: 'string' },
    segment: { type: 'string', multiple: true },
    label: { type: 'string', verbatim: true },
    expires: { type: 'string' },
  },
  async run(values, _, context) {
    const lifeMs = values.expires === undefined ? undefined : parseDuration('--expires', values.expires);
    if (values.operator && (values.tenant !== undefined || values.segment !== undefined))
      throw new UsageError('--operator reads every tenant: omit --tenant and --segment');
    const rights = values.operator
      ? { role: 'operator' as const }
      : {
          tenantId: requiredId('--tenant', values.tenant),
          segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
        };
    const token = newSecret(values.operator ? 'ot' : 'rt');
    const hash = secretHash(token);
    const tenant = values.operator ? {} : { tenantId: values.tenant! };
    const change = { action: 'token.create', ...tenant, about: `token ${keyId(hash)}` };
    const record = await changeStream(context, change, async (connection, { replicas }, note) => {
      const store = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas);
      const host = context.now();
      const nowMs = lifeMs === undefined ? host : await expiryPresent(connection, TOKENS_BUCKET, host);
      const made: TokenRecord = {
        ...rights,
        label: values.label ?? '',
        createdAt: new Date(nowMs).toISOString(),
        ...(lifeMs === undefined ? {} : { expiresAt: new Date(nowMs + lifeMs).toISOString() }),
      };
      note({ after: made });
      await store.create(hash, made);
      return made;
    });
    if (values.json) context.out(`${JSON.stringify({ token, id: keyId(hash), ...record })}\n`);
    else {
      context.out(`${token}
`);
      context.err(`Id ${keyId(hash)}: ${mayDo(record)}. The token is shown only once; save it now.
`);
    }
    return EXIT.done;
  },
});

const list = command({
  usage: 'Usage: spor tokens list [--tenant <id>] [--json]\n',
  options: { tenant: { type: 'string' } },
  async run({ tenant, json }, _, context) {
    const wanted = tenant === undefined ? undefined : requiredId('--tenant', tenant);
    const all = await withStream(context, async (connection, { replicas }) =>
      (await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas)).list(),
    );
    const tokens = all
      .filter(({ record }) => wanted === undefined || record.tenantId === wanted)
      .sort(
        (a, b) =>
          tenantOf(a.record).localeCompare(tenantOf(b.record)) || a.record.createdAt.localeCompare(b.record.createdAt),
      )
      .map(({ hash, record }) => ({ id: keyId(hash), state: stateOf(record, context.now()), ...record }));
    if (wanted !== undefined && tokens.length === 0) {
      context.out(json ? '{"tokens":[]}\n' : `There are no tokens of ${wanted} yet.\n`);
      await requireTenants(context, [wanted]);
    } else if (json) context.out(`${JSON.stringify({ tokens })}\n`);
    else if (tokens.length === 0) context.out('There are no tokens yet: see "spor tokens create --help".\n');
    else {
      const rows = tokens.map((token) => [
        token.id,
        tenantOf(token),
        token.segmentIds?.join(', ') || '(all)',
        token.state,
        token.expiresAt,
        token.createdAt,
        token.label,
      ]);
      context.out(formatTable(['id', 'tenant', 'segments', 'state', 'expires', 'created', 'label'], rows));
    }
    return EXIT.done;
  },
});

const revoke = command({
  usage: 'Usage: spor tokens revoke <id|token> [--json]\n\nRevoking again changes nothing.\n',
  options: {},
  positionals: ['id'],
  async run({ json }, [named = ''], context) {
    const { id, record, before } = await changeStream(
      context,
      { action: 'token.revoke' },
      (connection, { replicas }, note) =>
        revokeSecret<TokenRecord>(
          connection,
          { bucket: TOKENS_BUCKET, replicas, named, what: 'token', nowMs: context.now() },
          note,
        ),
    );
    if (json) context.out(`${JSON.stringify({ id, ...record })}\n`);
    else
      context.out(
        `Token ${id} of ${tenantOf(record)} ${before ? 'was revoked before, at' : 'is revoked since'} ${record.revokedAt}.\n`,
      );
    return EXIT.done;
  },
});

export const tokensCommand = group(
  `Usage: spor tokens create|list|revoke [options]

  create  create a read token
  list    list tokens
  revoke  end a token at once
`,
  { create, list, revoke },
);

/** Text of the tenant column. */
function tenantOf(record: TokenRecord): string {
  if (record.role === 'person') return record.operator ? '(operator)' : '(person)';
  return record.role === 'operator' ? '(operator)' : record.tenantId;
}

function mayDo(record: TokenRecord): string {
  if (record.role === 'operator') return 'reads every tenant, manages keys and read tokens';
  if (record.role === 'person') return 'is the session of a person';
  const { segmentIds, tenantId } = record;
  return `reads ${segmentIds.length > 0 ? `segments ${segmentIds.join(', ')} of ` : ''}${tenantId}`;
}
