import { ConfigError } from '../../runtime/config.ts';
import { denialOf } from '../denials.ts';
import { inboxPrefixOf } from '../inbox.ts';
import type { NatsConnection } from '../nats.ts';
import { coversSubject } from './covers.ts';
import { rightsOf, type Role } from './rights.ts';

interface Permission {
  allow?: string[];
  deny?: string[];
}

interface Permissions {
  publish?: Permission;
  subscribe?: Permission;
}

/** Rights beyond those of the role, as a server without locks grants them. */
export interface Granted {
  mayPublish: (subject: string) => boolean;
}

/** What the server knows of a connection's user (nats-server 2.10, system services). */
const USER_INFO = '$SYS.REQ.USER.INFO';
const ANSWER_MS = 5_000;
/** Subjects in one message; the rest are counted. */
const SHOWN = 4;

/**
 * Checks at start that the connection's identity has the rights of its role.
 *
 * A server without locks grants all.
 * @throws ConfigError naming the missing subjects
 */
export async function checkRights(connection: NatsConnection, role: Role, shards: number): Promise<Granted> {
  const { user, permissions } = await grantedTo(connection);
  const needed = rightsOf(role, { shards, inboxPrefix: inboxPrefixOf(connection), oldest: true });
  const missing = [
    ...missingSubjects(needed.publish, permissions.publish).map((subject) => `publish to ${subject}`),
    ...missingSubjects(needed.subscribe, permissions.subscribe).map((subject) => `subscribe to ${subject}`),
  ];
  if (missing.length === 0) {
    return { mayPublish: (subject) => missingSubjects([subject], permissions.publish).length === 0 };
  }
  const more = missing.length > SHOWN ? ` and ${missing.length - SHOWN} more subjects` : '';
  throw new ConfigError([
    `the identity ${user} may not ${missing.slice(0, SHOWN).join(', ')}${more}, as the role ${role} must: ` +
      `use that role's identity, or write the rights again with "spor access init" and reload nats-server`,
  ]);
}

/** Needed subjects that a permission does not grant. */
export function missingSubjects(needed: readonly string[], permission: Permission | undefined): string[] {
  const { allow, deny = [] } = permission ?? {};
  const granted = (subject: string): boolean => allow?.some((pattern) => coversSubject(pattern, subject)) ?? true;
  const denied = (subject: string): boolean => deny.some((pattern) => coversSubject(pattern, subject));
  return needed.filter((subject) => !granted(subject) || denied(subject));
}

async function grantedTo(connection: NatsConnection): Promise<{ user: string; permissions: Permissions }> {
  try {
    const answer = await connection.request(USER_INFO, undefined, { timeout: ANSWER_MS });
    const { data } = answer.json<{ data: { user: string; permissions?: Permissions } }>();
    return { user: data.user, permissions: data.permissions ?? {} };
  } catch (error) {
    if (!denialOf(error)) throw error;
    return { user: 'in use', permissions: { publish: { allow: [] } } };
  }
}
