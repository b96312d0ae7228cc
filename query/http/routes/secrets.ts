import type { Logger } from '../../../runtime/log.ts';
import type { KeyRecord, SecretRecord, TokenRecord } from '../../../schemas/keys.ts';
import { isId } from '../../../schemas/subjects.ts';
import { keyRecord, tokenRecord } from '../../access/records.ts';
import type { Secrets } from '../../access/secrets.ts';
import { LakeError } from '../../../lake/errors.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { recorded, type ChangeLog } from '../../../schemas/change.ts';
import { nameOf, requireIntegrator, requireOperator, unknownTenant, type Identity } from '../authorize.ts';
import { readJsonObject } from '../jsonBody.ts';
import {
  CREATE_KEY,
  CREATE_TOKEN,
  LIST_KEYS,
  LIST_TOKENS,
  REVOKE_KEY,
  REVOKE_TOKEN,
} from '../contract/accessOperations.ts';
import type { Operation } from '../contract/operation.ts';
import { jsonReply, type ReaderCall, type Route, type TokenCall } from '../route.ts';

/** Keys and tokens; undefined until they are loaded. */
export interface SecretsOf {
  keys: () => Secrets<KeyRecord> | undefined;
  tokens: () => Secrets<TokenRecord> | undefined;
}

/**
 * `GET|POST /api/keys`, `POST /api/keys/:id/revoke`, and the same for `/api/tokens`.
 *
 * Any token lists the keys of its tenant; all else needs an operator. Operator tokens can be listed and revoked here,
 * but only the command line creates them.
 *
 * Another site cannot call these addresses for a visitor. The token is a header, which needs a preflight that is never
 * answered.
 */
export function secretRoutes(
  secrets: SecretsOf,
  options: {
    log: Logger;
    isKnownTenant: (tenantId: string) => Promise<boolean>;
    /** Undefined: changes are only logged. */
    changes: () => ChangeLog | undefined;
  },
): Route[] {
  const { log, isKnownTenant: isKnown, changes } = options;
  const audit = (action: string, identity: Identity, about: Record<string, unknown>): void =>
    log.info({ audit: true, action, by: identity.tokenId, ...about }, 'access changed');
  const keys = (): Secrets<KeyRecord> => known(secrets.keys());
  const tokens = (): Secrets<TokenRecord> => known(secrets.tokens());

  return [
    {
      ...LIST_KEYS,
      handle({ reader: { tenantId, segmentIds } }: ReaderCall) {
        const readable = keys()
          .list(Date.now())
          .filter((key) => key.tenantId === tenantId)
          .filter((key) => segmentIds.length === 0 || segmentIds.includes(key.segmentId));
        return jsonReply({ keys: readable });
      },
    },
    {
      ...CREATE_KEY,
      createsTenant: true,
      async handle(call: ReaderCall) {
        const { identity, reader } = call;
        const { tenantId } = reader;
        const record = keyRecord(tenantId, await readJsonObject(call), Date.now());
        const { segmentId } = record;
        requireIntegrator(identity, { tenantId, segmentId });
        const change = { action: 'key.create', by: nameOf(identity), tenantId, segmentId, after: record };
        const { secret, created } = await recorded(changes(), change, async (note) => {
          const made = await keys().create('ik', record);
          note({ about: `key ${made.created.id}` });
          return made;
        });
        audit('key created', identity, { keyId: created.id, tenantId, segmentId: record.segmentId });
        return jsonReply({ key: secret, ...created }, 201);
      },
    },
    revokeRoute(REVOKE_KEY, { what: 'key', secrets: keys, changes }, (identity, { id, tenantId }) =>
      audit('key revoked', identity, { keyId: id, tenantId }),
    ),
    {
      ...LIST_TOKENS,
      async handle({ query }: TokenCall) {
        const tenant = query.get('tenant');
        if (tenant !== null && !isId(tenant)) throw new LakeError('tenant_missing', `There is no tenant "${tenant}".`);
        if (tenant !== null && !(await isKnown(tenant))) throw unknownTenant(tenant);
        const listed = tokens()
          .list(Date.now())
          .filter(({ role }) => role !== 'person')
          .filter(({ role, tenantId }) => tenant === null || role === 'operator' || tenantId === tenant);
        return jsonReply({ tokens: listed });
      },
    },
    {
      ...CREATE_TOKEN,
      createsTenant: true,
      async handle(call: ReaderCall) {
        const { identity, reader } = call;
        const { tenantId } = reader;
        requireOperator(identity);
        const record = tokenRecord(tenantId, await readJsonObject(call), Date.now());
        const change = { action: 'token.create', by: nameOf(identity), tenantId, after: record };
        const { secret, created } = await recorded(changes(), change, async (note) => {
          const made = await tokens().create('rt', record);
          note({ about: `token ${made.created.id}` });
          return made;
        });
        audit('token created', identity, { tokenId: created.id, tenantId, segmentIds: record.segmentIds });
        return jsonReply({ token: secret, ...created }, 201);
      },
    },
    revokeRoute(REVOKE_TOKEN, { what: 'token', secrets: tokens, changes }, (identity, { id, tenantId }) =>
      audit('token revoked', identity, { tokenId: id, tenantId }),
    ),
  ];
}

function revokeRoute<T extends SecretRecord & { tenantId?: string | undefined; segmentId?: string }>(
  operation: Operation<'operator' | 'token'>,
  {
    what,
    secrets,
    changes,
  }: { what: 'key' | 'token'; secrets: () => Secrets<T>; changes: () => ChangeLog | undefined },
  audit: (identity: Identity, revoked: { id: string; tenantId?: string | undefined }) => void,
): Route {
  return {
    ...operation,
    async handle({ params, identity }: TokenCall) {
      const before = secrets()
        .list(Date.now())
        .find(({ id }) => id === params.id);
      const { tenantId, segmentId } = before ?? {};
      if (what === 'key') requireIntegrator(identity, { tenantId, segmentId });
      const of = { ...(tenantId === undefined ? {} : { tenantId }), ...(segmentId === undefined ? {} : { segmentId }) };
      const about = `${what} ${params.id!.slice(0, 80).toWellFormed()}`;
      const change = { action: `${what}.revoke`, by: nameOf(identity), ...of, about, before };
      const revoked = await recorded(changes(), change, async (note) => {
        const after = await secrets().revoke(params.id!, Date.now());
        note({ after });
        return after;
      });
      audit(identity, revoked);
      return jsonReply(revoked);
    },
  };
}

function known<T>(secrets: T | undefined): T {
  if (secrets === undefined)
    throw new LakeError('tokens_unavailable', LAKE_ERRORS.tokens_unavailable.help, { retryAfterSeconds: 1 });
  return secrets;
}
