import { parseArgs } from 'node:util';
import { ConfigError } from '../runtime/config.ts';
import { plainTextFault } from './plainText.ts';

/** Exit codes; 69 is EX_UNAVAILABLE of sysexits.h. */
export const EXIT = { done: 0, failed: 1, usage: 2, unavailable: 69 } as const;

/** The command line is wrong: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** A server could not be reached: exit code 69. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
}

/** The exit code that tells a failure. */
function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  return error instanceof UnavailableError ? EXIT.unavailable : EXIT.failed;
}

/** Runs a command as this process: its arguments, its streams, its exit code; what it throws becomes one message. */
export async function runAsProcess(name: string, { run }: Command): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done); // the reader has seen enough: `spor … | head`
  });
  const context: Context = {
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    out: (data) => process.stdout.write(data),
    terminal: process.stdout.isTTY,
    err: (text) => process.stderr.write(text),
  };
  try {
    process.exitCode = await run(process.argv.slice(2), context);
  } catch (error) {
    context.err(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}

/** What a command may touch of the world around it. */
export interface Context {
  env: Record<string, string | undefined>;
  cwd: string;
  now: () => number;
  out: (data: string | Uint8Array) => void;
  /** Whether somebody sees what goes out, rather than a file or another program. */
  terminal: boolean;
  err: (text: string) => void;
}

export interface Command {
  /** @returns the exit code. @throws UsageError, Unavailable, or Error for a failure. */
  run: (args: string[], context: Context) => Promise<number>;
}

interface Option {
  type: 'string' | 'boolean';
  multiple?: boolean;
  short?: string;
  /** Taken as it is: free text, which may be empty, and hold blanks and line ends anywhere. */
  verbatim?: boolean;
}

type Options = Record<string, Option>;

/** The values of options as they were given; what was not given is absent. */
type Values<O extends Options> = {
  [K in keyof O]?: O[K]['type'] extends 'boolean' ? boolean : O[K] extends { multiple: true } ? string[] : string;
};

const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** A command of options and positional arguments; `--help` and `--json` come with each. */
export function command<const O extends Options>(spec: {
  usage: string;
  options: O;
  /** Names of the positional arguments, all required; a last one ending in `?` is optional. */
  positionals?: readonly string[];
  run: (values: Values<O & typeof COMMON>, positionals: string[], context: Context) => Promise<number>;
}): Command {
  return {
    async run(args, context) {
      const parsed = parse({ ...spec.options, ...COMMON }, args);
      if (parsed.values.help) {
        context.out(spec.usage);
        return EXIT.done;
      }
      const names = spec.positionals ?? [];
      const missing = names.filter((name) => !name.endsWith('?'))[parsed.positionals.length];
      if (missing) throw new UsageError(`<${missing}> is missing\n\n${spec.usage}`);
      const surplus = parsed.positionals[names.length];
      if (surplus !== undefined) throw new UsageError(`"${surplus}" is not expected; quote text with blanks`);
      return spec.run(parsed.values as Values<O & typeof COMMON>, parsed.positionals, context);
    },
  };
}

/** A command that only holds others: `spor keys create`. */
export function group(usage: string, commands: Record<string, Command>): Command {
  return {
    async run([name, ...rest], context) {
      if (name === '--help' || name === '-h' || name === 'help') {
        context.out(usage);
        return EXIT.done;
      }
      const chosen = name === undefined ? undefined : commands[name];
      if (!chosen)
        throw new UsageError(
          `${name === undefined ? 'a command is missing' : `there is no command "${name}"`}\n\n${usage}`,
        );
      return chosen.run(rest, context);
    },
  };
}

function parse(options: Options, args: string[]): { values: Record<string, unknown>; positionals: string[] } {
  const parsed = ((): ReturnType<typeof parseTokens> => {
    try {
      return parseTokens(options, args);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  })();
  const seen = new Set<string>();
  for (const token of parsed.tokens) {
    if (token.kind !== 'option') continue;
    const { multiple, verbatim } = options[token.name]!;
    if (seen.has(token.name) && !multiple) throw new UsageError(`--${token.name} is given twice`);
    seen.add(token.name);
    const fault = token.value === undefined || verbatim ? undefined : plainTextFault(`--${token.name}`, token.value);
    if (fault !== undefined) throw new UsageError(fault);
  }
  return parsed;
}

function parseTokens(options: Options, args: string[]) {
  return parseArgs({ args, options, allowPositionals: true, strict: true, tokens: true });
}
