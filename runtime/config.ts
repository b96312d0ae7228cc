import { readFileSync } from 'node:fs';

/** A setting: an environment variable with its form and default. */
export interface Setting<T> {
  name: string;
  help: string;
  fallback: T | undefined;
  parse: (text: string) => T | undefined;
  expected: string;
  /** The value is in no message, and may be in the file that `<name>_FILE` names. */
  secret?: boolean;
}

/** All faults of a configuration, each with the expected value. */
export class ConfigError extends Error {
  readonly faults: string[];

  constructor(faults: string[]) {
    super(`configuration: ${faults.join('; ')}`);
    this.name = 'ConfigError';
    this.faults = faults;
  }
}

type Settings = Record<string, Setting<unknown>>;
type Values<S extends Settings> = { [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/**
 * Read settings from the environment; an empty variable counts as absent.
 * @throws ConfigError listing every missing or malformed variable
 */
export function readConfig<S extends Settings>(settings: S, env: Record<string, string | undefined>): Values<S> {
  const faults: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries(settings)) {
    const given = setting.secret ? secretText(setting.name, env) : { text: env[setting.name]?.trim() };
    if ('fault' in given) {
      faults.push(given.fault);
      continue;
    }
    const { text } = given;
    if (text === undefined || text === '') {
      if (setting.fallback === undefined)
        faults.push(`${setting.name} is not set; expected ${setting.expected} (${setting.help})`);
      values[key] = setting.fallback;
      continue;
    }
    const value = setting.parse(text);
    const shown = setting.secret ? setting.name : `${setting.name}=${text}`;
    if (value === undefined) faults.push(`${shown} is not ${setting.expected} (${setting.help})`);
    values[key] = value;
  }
  if (faults.length > 0) throw new ConfigError(faults);
  return values as Values<S>;
}

/** Text of a secret, from its variable or from the file that `<name>_FILE` names. */
function secretText(
  name: string,
  env: Record<string, string | undefined>,
): { text: string | undefined } | { fault: string } {
  const text = env[name]?.trim();
  const file = env[`${name}_FILE`]?.trim();
  if (!file) return { text };
  if (text) return { fault: `${name} and ${name}_FILE are both set: set one of them` };
  try {
    const content = readFileSync(file, 'utf8').trim();
    return content === '' ? { fault: `${name}_FILE=${file} is empty: write the secret into it` } : { text: content };
  } catch (error) {
    return { fault: `${name}_FILE=${file} ${fileFault((error as NodeJS.ErrnoException).code)}` };
  }
}

function fileFault(code: string | undefined): string {
  if (code === 'ENOENT') return 'does not exist: create the file, or correct the path';
  if (code === 'EACCES') return 'may not be read by this user: change its owner or its mode';
  if (code === 'EISDIR') return 'is a folder: name the file with the secret';
  return `cannot be read (${code})`;
}

/** A text that no message shows, empty by default. It may be in a file. */
export function secret(name: string, help: string): Setting<string> {
  return { ...text(name, help, ''), secret: true };
}

/** A text. Required without a fallback, optional with an empty one. */
export function text(name: string, help: string, fallback?: string): Setting<string> {
  return { name, help, fallback, parse: (value) => value, expected: 'a text' };
}

/** A whole number from `min` to `max`. */
export function whole(
  name: string,
  help: string,
  fallback: number | undefined,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): Setting<number> {
  const parse = (value: string): number | undefined => {
    const number = /^\d+$/.test(value) ? Number(value) : NaN;
    return number >= min && number <= max ? number : undefined;
  };
  const upper = max === Number.MAX_SAFE_INTEGER ? ' or more' : ` to ${max}`;
  return { name, help, fallback, parse, expected: `a whole number, ${min}${upper}` };
}

/** One of a few words. */
export function oneOf<const T extends string>(
  name: string,
  help: string,
  words: readonly T[],
  fallback: T,
): Setting<T> {
  const parse = (value: string): T | undefined => words.find((word) => word === value);
  return { name, help, fallback, parse, expected: `one of ${words.join(', ')}` };
}

/** `true` or `false`. */
export function flag(name: string, help: string, fallback: boolean): Setting<boolean> {
  const parse = (value: string): boolean | undefined =>
    value === 'true' ? true : value === 'false' ? false : undefined;
  return { name, help, fallback, parse, expected: 'true or false' };
}

/** A size in DuckDB's form, such as `512MiB`. */
export function memorySize(name: string, help: string, fallback: string): Setting<string> {
  const parse = (value: string): string | undefined => (/^\d+(\.\d+)?[KMGT]i?B$/.test(value) ? value : undefined);
  return { name, help, fallback, parse, expected: 'a size such as 512MiB or 4GB' };
}
