import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NATS_SETTINGS, type NatsSettings } from '../../stream/credentials.ts';
import { IdentityFolder } from '../../stream/identities/folder.ts';

/** The identities of a stack, in its folder. */
export function stackIdentities(dir: string): IdentityFolder {
  return new IdentityFolder(join(dir, 'access'));
}

/** Variables with which a process has an identity of the stack. */
export function identityEnv(dir: string, name: string): Record<string, string> {
  return { NATS_NKEY_FILE: stackIdentities(dir).seedFile(name) };
}

/** The connection of a stack's operator, for tools. */
export function operatorSettings(dir: string, natsUrl: string): Promise<NatsSettings> {
  return identitySettings(dir, 'operator', natsUrl);
}

/** The connection of an identity of a stack. */
export async function identitySettings(dir: string, name: string, natsUrl: string): Promise<NatsSettings> {
  return { natsUrl, natsNkey: (await readFile(stackIdentities(dir).seedFile(name), 'utf8')).trim() };
}

/** The environment without the caller's own connection to other stream servers. */
export function withoutConnection<T>(env: Record<string, T>): Record<string, T> {
  const names = Object.values(NATS_SETTINGS).flatMap(({ name }) => [name, `${name}_FILE`]);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}
