import { randomBytes } from 'node:crypto';
import { OTHER_ROLES, rightsOf, SERVICE_ROLES, type Role } from '../../stream/identities/rights.ts';
import { usersConfig } from '../../stream/identities/usersConfig.ts';

const ROLES: readonly Role[] = [...SERVICE_ROLES, ...OTHER_ROLES];
/** As many shards as any test has. */
const SHARDS = 8;

/** Users of a test server, one for each role. */
export interface TestUsers {
  password: string;
  /** Block of nats-server's configuration. */
  config: string;
}

/** Users with the rights of their roles; the user downstream belongs to `demo-shop`. */
export function testUsers(): TestUsers {
  const password = randomBytes(12).toString('hex');
  const users = ROLES.map((role) => ({
    proof: { user: role, password },
    rights: rightsOf(role, { shards: SHARDS, inboxPrefix: `_INBOX.${role}`, tenantId: 'demo-shop' }),
  }));
  return { password, config: usersConfig(users) };
}

/** The URL of a test server with the login of another role. */
export function asRole(url: string, role: Role): string {
  return url.replace(/\/\/[a-z]+:/, `//${role}:`);
}
