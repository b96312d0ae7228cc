import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { ConfigError } from '../runtime/config.ts';
import { shownText } from '../runtime/plainText.ts';
import { plainTextFault } from './plainText.ts';

/** Exit codes; 69 is EX_UNAVAILABLE of sysexits.h. */
export const EXIT = { done: 0, failed: 1, usage: 2, unavailable: 69 } as const;

/** A fault of the command line: exit code 2. */
export class UsageError extends Error {
  override name = 'UsageError';
}

/** A server that does not answer: exit code 69. */
export class UnavailableError extends Error {
  override name = 'UnavailableError';
}

/** Exit code of a failure. */
function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError || error instanceof ConfigError) return EXIT.usage;
  return error instanceof UnavailableError ? EXIT.unavailable : EXIT.failed;
}

/** Run a command as this process. */
export async function runAsProcess(name: string, command: Command): Promise<void> {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.done); // the reader has closed the pipe: `spor … | head`
  });
  const context: Context = {
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    input: () => text(process.stdin),
    out: (data) => process.stdout.write(data),
    terminal: process.stdout.isTTY,
    err: (text) => process.stderr.write(text),
  };
  const code = await runCommand(name, command, process.argv.slice(2), context);
  await Promise.all([flushed(process.stdout), flushed(process.stderr)]);
  // A server that accepts a connection and says nothing would hold the process: the client keeps that socket.
  process.exit(code);
}

/** Waits until what was written is with the system. */
function flushed(stream: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => stream.write('', () => resolve()));
}

/** Run a command to its exit code. An error becomes one message. */
export async function runCommand(name: string, { run }: Command, args: string[], given: Context): Promise<number> {
  const context = shown(given);
  try {
    return await run(args, context);
  } catch (error) {
    context.err(`${name}: ${error instanceof Error ? error.message : String(error)}\n`);
    return exitCodeOf(error);
  }
}

/** The context whose texts show control characters, which visitors may have sent. Bytes stay as they are. */
function shown(context: Context): Context {
  return {
    ...context,
    out: (data) => context.out(typeof data === 'string' ? shownText(data) : data),
    err: (text) => context.err(shownText(text)),
  };
}

/** Environment and streams of a command. */
export interface Context {
  env: Record<string, string | undefined>;
  cwd: string;
  now: () => number;
  /** All of standard input. */
  input: () => Promise<string>;
  /** Writes a text for people, or the exact bytes of an answer. */
  out: (data: string | Uint8Array) => void;
  /** Standard output is a terminal, not a file or a pipe. */
  terminal: boolean;
  err: (text: string) => void;
}

export interface Command {
  /** @returns the exit code. @throws UsageError, UnavailableError, or Error for a failure */
  run: (args: string[], context: Context) => Promise<number>;
}

interface Option {
  type: 'string' | 'boolean';
  multiple?: boolean;
  short?: string;
  /** Free text: may be empty, and hold blanks and line ends. */
  verbatim?: boolean;
}

type Options = Record<string, Option>;

/** Values of the given options. */
type Values<O extends Options> = {
  [K in keyof O]?: O[K]['type'] extends 'boolean' ? boolean : O[K] extends { multiple: true } ? string[] : string;
};

const COMMON = { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;

/** A command with options and positional arguments, `--help` and `--json`. */
export function command<const O extends Options>(spec: {
  usage: string;
  options: O;
  /** Names of the positional arguments; one that ends in `?` is optional. */
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

/** A command of commands, such as `spor keys create`. */
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

/** Docs and SQL write names with underscores, so `--min_together` is `--min-together`. */
function hyphened(options: Options, arg: string): string {
  const [, name = '', rest = ''] = /^--([^=]*)(.*)$/s.exec(arg) ?? [];
  const other = name.replaceAll('_', '-');
  return other !== name && !(name in options) && other in options ? `--${other}${rest}` : arg;
}

function parseTokens(options: Options, given: string[]) {
  const args = given.map((arg) => hyphened(options, arg));
  return parseArgs({ args, options, allowPositionals: true, strict: true, tokens: true });
}
