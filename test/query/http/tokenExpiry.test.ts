import { expect, test } from 'vitest';
import { authenticate } from '../../../query/http/authorize.ts';
import { DAY_MS } from '../../../runtime/units.ts';
import type { TokenRecord } from '../../../schemas/keys.ts';
import type { SecretWatch } from '../../../stream/secretStore.ts';

test('a read token expires by no single clock', () => {
  const now = Date.parse('2026-11-30T12:00:00Z');
  const years = 3_650 * DAY_MS;
  const expiresAt = new Date(now + DAY_MS).toISOString();
  const record: TokenRecord = {
    label: 'test',
    createdAt: '2026-11-01T00:00:00Z',
    expiresAt,
    tenantId: 'shop',
    segmentIds: [],
  };
  const tokens = { get: () => record } as Pick<SecretWatch<TokenRecord>, 'get'> as SecretWatch<TokenRecord>;
  const outcome = (...times: [number] | [number, number]): string => {
    try {
      return authenticate(tokens, 'Bearer rt_0', times).role;
    } catch (error) {
      return (error as { code: string }).code;
    }
  };
  expect([outcome(now), outcome(now + years)]).toEqual(['reader', 'token_expired']);
  expect([outcome(now + years, now), outcome(now, now + years)]).toEqual(['clocks_differ', 'clocks_differ']);
  expect([outcome(now - years, now), outcome(now + years, now + 2 * years)]).toEqual(['reader', 'token_expired']);
});
