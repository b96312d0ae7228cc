import { openSecretStore } from '../../runtime/secretStore.ts';
import { keyId, newSecret, secretHash, TOKENS_BUCKET, type TokenRecord } from '../../schemas/keys.ts';
import { command, EXIT, group } from './command.ts';
import { parseDuration } from './duration.ts';
import { requiredId, revokeSecret, stateOf } from './secrets.ts';
import { withStream } from './stream.ts';
import { formatTable } from './table.ts';

const create = command({
  usage: `Usage: spor tokens create --tenant <id> [options]

Creates a token that may query one tenant's data at the query server, and prints it, once: only its SHA-256 is kept.

  --segment <id>         readable segment; may be repeated (default all of the tenant)
  --label <text>         what it is for
  --expires <duration>   such as 90d (default never)
  --json
`,
  options: {
    tenant: { type: 'string' },
    segment: { type: 'string', multiple: true },
    label: { type: 'string' },
    expires: { type: 'string' },
  },
  async run(values, _, context) {
    const nowMs = context.now();
    const expires = values.expires === undefined ? undefined : nowMs + parseDuration('--expires', values.expires);
    const record: TokenRecord = {
      tenantId: requiredId('--tenant', values.tenant),
      segmentIds: (values.segment ?? []).map((segment) => requiredId('--segment', segment)),
      label: values.label ?? '',
      createdAt: new Date(nowMs).toISOString(),
      ...(expires === undefined ? {} : { expiresAt: new Date(expires).toISOString() }),
    };
    const token = newSecret('rt');
    const hash = secretHash(token);
    await withStream(context, async (connection, { replicas }) => {
      await (await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, replicas)).create(hash, record);
    });
    const scope =
      record.segmentIds.length > 0 ? `segments ${record.segmentIds.join(', ')} of ${record.tenantId}` : record.tenantId;
    if (values.json) context.out(`${JSON.stringify({ token, id: keyId(hash), ...record })}\n`);
    else {
      context.out(`${token}
`);
      context.err(`Id ${keyId(hash)}: reads ${scope}. The token is shown this once; keep it now.
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
          a.record.tenantId.localeCompare(b.record.tenantId) || a.record.createdAt.localeCompare(b.record.createdAt),
      )
      .map(({ hash, record }) => ({ id: keyId(hash), state: stateOf(record, context.now()), ...record }));
    if (json) context.out(`${JSON.stringify({ tokens })}\n`);
    else if (tokens.length === 0)
      context.out('There are no tokens yet: "spor tokens create --help" says how to make one.\n');
    else {
      const rows = tokens.map((token) => [
        token.id,
        token.tenantId,
        token.segmentIds.join(', ') || '(all)',
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
    const { id, record, before } = await withStream(context, (connection, { replicas }) =>
      revokeSecret<TokenRecord>(connection, {
        bucket: TOKENS_BUCKET,
        replicas,
        named,
        what: 'token',
        nowMs: context.now(),
      }),
    );
    if (json) context.out(`${JSON.stringify({ id, ...record })}\n`);
    else
      context.out(
        `Token ${id} of ${record.tenantId} ${before ? 'was revoked before, at' : 'is revoked since'} ${record.revokedAt}.\n`,
      );
    return EXIT.done;
  },
});

export const tokens = group(
  `Usage: spor tokens create|list|revoke [options]

  create  create a read token
  list    list tokens
  revoke  withdraw a token at once
`,
  { create, list, revoke },
);
