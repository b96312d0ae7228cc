import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text, whole } from '../runtime/config.ts';
import { NATS_SETTINGS } from '../stream/credentials.ts';

/** Settings of commands that connect to the stream. */
export const STREAM_SETTINGS = {
  ...NATS_SETTINGS,
  shards: whole('SPOR_SHARDS', 'number of shards at the creation of the streams', 4, 1, 1024),
  replicas: whole('NATS_REPLICAS', 'copies of streams and buckets', 1, 1, 5),
};

/** Settings of commands on identities. */
export const ACCESS_SETTINGS = {
  accessDir: text('ACCESS_DIR', 'folder of the identities', ''),
};

/** Settings file of `npm run up`, in the working folder or one above. */
export const UP_ENV_FILE = join('.spor', 'up', 'env');

export interface Environment {
  values: Record<string, string | undefined>;
  /** Source of the settings, for messages. */
  origin: string;
}

/**
 * Read the environment, or the settings file of `npm run up`.
 * The file counts only if the environment has neither NATS_URL nor LAKE_URL. So a command never mixes the lake of one
 * installation with the stream of another.
 */
export function readEnvironment({ env, cwd }: { env: Record<string, string | undefined>; cwd: string }): Environment {
  const file = env.NATS_URL || env.LAKE_URL ? undefined : findUp(cwd);
  if (file === undefined) return { values: env, origin: 'the environment' };
  const given = definedOnly(env);
  const inFile = Object.entries(parseEnvFile(readFileSync(file, 'utf8'))).filter(
    ([name]) => !(otherForm(name) in given),
  );
  return { values: { ...Object.fromEntries(inFile), ...given }, origin: file };
}

/** Parse `NAME=value` lines and `#` comments. Values have no quotes and no expansion. */
export function parseEnvFile(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => line.trim());
  const settings = lines.filter((line) => line !== '' && !line.startsWith('#') && line.includes('='));
  return Object.fromEntries(
    settings.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
  );
}

/** Other name of a secret: its value or its file, of which one is set. */
function otherForm(name: string): string {
  return name.endsWith('_FILE') ? name.slice(0, -'_FILE'.length) : `${name}_FILE`;
}

function findUp(from: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const file = join(folder, UP_ENV_FILE);
    if (existsSync(file)) return file;
    if (folder === dirname(folder)) return undefined;
  }
}

function definedOnly(env: Record<string, string | undefined>): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
}
