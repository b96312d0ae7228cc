import { expect, test } from 'vitest';
import { createFairBound } from '../../runtime/fairBound.ts';

test('one tenant with many tokens, and many tenants, shut nobody out', () => {
  const bound = createFairBound({ perToken: 4, perTenant: 16, total: 32 });
  const take = (tenantId: string, tokenId: string) => bound.take({ tenantId, tokenId });
  let taken = 0;
  for (let token = 0; token < 8; token++) for (let view = 0; view < 6; view++) if (take('many', `t${token}`)) taken++;
  expect(taken).toBe(20); // 16, and the first of each other token
  expect(take('many', 'quiet')).toBeDefined();
  for (let tenant = 0; tenant < 40; tenant++) expect(take(`tenant-${tenant}`, 'only')).toBeDefined();
  expect(take('tenant-1', 'only')).toBeUndefined();
});

test('what has ended makes room, once', () => {
  const bound = createFairBound({ perToken: 1, perTenant: 1, total: 1 });
  const end = bound.take({ tenantId: 'a', tokenId: 'x' })!;
  expect(bound.take({ tenantId: 'a', tokenId: 'x' })).toBeUndefined();
  end();
  end();
  expect(bound.count).toBe(0);
  expect(bound.take({ tenantId: 'a', tokenId: 'x' })).toBeDefined();
});
