import { BODY_CODES, TABLE_CODES } from './codes.ts';
import { tokenOperation } from './operation.ts';

const KEY = {
  id: '0123456789abcdef',
  state: 'active',
  label: 'web shop',
  createdAt: '2026-11-23T10:00:00.000Z',
  tenantId: 'demo-shop',
  segmentId: 'web',
  kind: 'browser',
  origins: ['https://shop.example'],
};
const TOKEN = {
  id: 'fedcba9876543210',
  state: 'active',
  label: 'reports',
  createdAt: '2026-11-23T10:00:00.000Z',
  tenantId: 'demo-shop',
  segmentIds: [],
};
const OPERATOR_BODY = [...BODY_CODES, 'operator_required'] as const;

/** `GET /api/keys` */
export const LIST_KEYS = tokenOperation('reader', ['GET', '/api/keys'], {
  id: 'listKeys',
  summary: 'List the keys of the tenant',
  answer: { summary: 'The keys, without their secrets.', schema: 'KeyList', example: { keys: [KEY] } },
});

/** `POST /api/keys` */
export const CREATE_KEY = tokenOperation('reader', ['POST', '/api/keys'], {
  id: 'createKey',
  summary: 'Create a key; needs an operator, or an integrator of the segment',
  body: {
    schema: 'NewKey',
    example: { segmentId: 'web', kind: 'browser', origins: ['https://shop.example'], label: 'web shop' },
  },
  answer: {
    status: 201,
    summary: 'The new key. Its secret is in no later answer.',
    schema: 'CreatedKey',
    example: { key: 'ik_…', ...KEY },
  },
  codes: OPERATOR_BODY,
});

/** `POST /api/keys/{id}/revoke` */
export const REVOKE_KEY = tokenOperation('token', ['POST', '/api/keys/:id/revoke'], {
  id: 'revokeKey',
  summary: 'Revoke a key; needs an operator, or an integrator of the segment',
  path: { id: { type: 'string', description: 'Id of the key.' } },
  answer: {
    summary: 'The key.',
    schema: 'Key',
    example: { ...KEY, state: 'revoked', revokedAt: '2026-11-24T10:00:00.000Z' },
  },
  codes: ['secret_unknown', 'operator_required'],
});

/** `GET /api/tokens` */
export const LIST_TOKENS = tokenOperation('operator', ['GET', '/api/tokens'], {
  id: 'listTokens',
  summary: 'List the tokens of a tenant, or all',
  query: { tenant: { type: 'string', description: 'Only this tenant, and operators.' } },
  answer: { summary: 'The tokens, without their secrets.', schema: 'TokenList', example: { tokens: [TOKEN] } },
  codes: ['tenant_missing', 'tenant_unknown'],
});

/** `POST /api/tokens` */
export const CREATE_TOKEN = tokenOperation('reader', ['POST', '/api/tokens'], {
  id: 'createToken',
  summary: 'Create a read token; needs an operator token',
  body: { schema: 'NewToken', example: { segmentIds: [], label: 'reports' } },
  answer: {
    status: 201,
    summary: 'The new token. Its secret is in no later answer.',
    schema: 'CreatedToken',
    example: { token: 'rt_…', ...TOKEN },
  },
  codes: OPERATOR_BODY,
});

/** `POST /api/tokens/{id}/revoke` */
export const REVOKE_TOKEN = tokenOperation('operator', ['POST', '/api/tokens/:id/revoke'], {
  id: 'revokeToken',
  summary: 'Revoke a token',
  path: { id: { type: 'string', description: 'Id of the token.' } },
  answer: {
    summary: 'The token.',
    schema: 'Token',
    example: { ...TOKEN, state: 'revoked', revokedAt: '2026-11-24T10:00:00.000Z' },
  },
  codes: ['secret_unknown'],
});

/** `GET /api/session` */
export const GET_SESSION = tokenOperation('token', ['GET', '/api/session'], {
  id: 'getSession',
  summary: 'Get the holder of the token and the tenants it may read',
  answer: {
    summary: 'The holder.',
    schema: 'Session',
    example: {
      role: 'reader',
      tokenId: 'fedcba9876543210',
      label: 'reports',
      tenants: [{ tenantId: 'demo-shop', segmentIds: ['web'] }],
    },
  },
});

/** `GET /api/live` */
export const WATCH_EVENTS = tokenOperation('reader', ['GET', '/api/live'], {
  id: 'watchEvents',
  summary: "Watch the outcomes of the tenant's events, from now on",
  description:
    'Server-sent events named hello, events, skipped, behind and end, with comments as heartbeats. The answer ends when the token expires or is revoked.',
  query: {
    key: { type: 'string', description: 'Only events of the key with this id.' },
    segment: { type: 'string', description: 'Only events of this segment.' },
  },
  answer: { summary: 'The events, without an end.', also: { 'text/event-stream': false } },
  codes: ['secret_unknown', 'too_many_viewers'],
});

const ZONES = { zone: 'Europe/Copenhagen', segments: { 'web-us': 'America/New_York' } };

/** `GET /api/zones` */
export const GET_ZONES = tokenOperation('reader', ['GET', '/api/zones'], {
  id: 'getZones',
  summary: "Get the time zones of the tenant's shops",
  answer: { summary: 'The zones.', schema: 'ShopZones', example: ZONES },
  codes: TABLE_CODES,
});

/** `PUT /api/zones` */
export const SET_ZONE = tokenOperation('reader', ['PUT', '/api/zones'], {
  id: 'setZone',
  summary: 'Set the time zone of the tenant or of one segment; needs an operator token',
  body: { schema: 'NewZone', example: { segmentId: 'web-us', zone: 'America/New_York' } },
  answer: { summary: 'The zones.', schema: 'ShopZones', example: ZONES },
  codes: [...OPERATOR_BODY, ...TABLE_CODES],
});
