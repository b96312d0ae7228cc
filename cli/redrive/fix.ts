import { applyPatch, type Patch } from 'rfc6902';
import { UsageError } from '../command.ts';
import { parseExact } from '../../schemas/normalise/exactNumber.ts';
import type { QuarantinedRow } from './rows.ts';

/** A change of events: a JSON Patch (RFC 6902) or SQL expression. */
export type Fix = { patch: Patch } | { expression: string };

/** A fixed event or body, or the reason why there is none. */
export type Fixed = { value: unknown } | { fault: string };

const OPERATIONS: Record<string, 'value' | 'from' | undefined> = {
  add: 'value',
  replace: 'value',
  test: 'value',
  remove: undefined,
  move: 'from',
  copy: 'from',
};

/**
 * Parse a fix of the command line. `[` or `{` begins a JSON Patch; other text is SQL.
 * @throws UsageError for an invalid patch
 */
export function parseFix(text: string): Fix {
  const trimmed = text.trim();
  if (trimmed === '') throw new UsageError('--fix is empty');
  if (!/^[[{]/.test(trimmed)) return { expression: trimmed };
  let patch: unknown;
  try {
    patch = JSON.parse(trimmed);
  } catch (error) {
    throw new UsageError(`--fix is meant as a JSON Patch and is not JSON: ${(error as Error).message}`);
  }
  if (!Array.isArray(patch) || patch.length === 0) {
    throw new UsageError('--fix: a JSON Patch (RFC 6902) is a list, such as [{"op":"remove","path":"/field"}]');
  }
  for (const [index, operation] of patch.entries()) {
    const fault = operationFault(operation);
    if (fault) throw new UsageError(`--fix: operation ${index} ${fault}`);
  }
  return { patch: patch as Patch };
}

function operationFault(operation: unknown): string | undefined {
  if (typeof operation !== 'object' || operation === null) return 'is not an object';
  const { op, path, ...rest } = operation as Record<string, unknown>;
  if (typeof op !== 'string' || !Object.hasOwn(OPERATIONS, op))
    return `has "op": ${JSON.stringify(op)}; use one of ${Object.keys(OPERATIONS).join(', ')}`;
  if (!isPointer(path)) return 'has no "path" that is a JSON pointer, such as /lines/0/quantity';
  const needed = OPERATIONS[op];
  if (needed !== undefined && !(needed in rest)) return `("${op}") has no "${needed}"`;
  return needed === 'from' && !isPointer(rest.from) ? 'has no "from" that is a JSON pointer' : undefined;
}

function isPointer(text: unknown): boolean {
  return typeof text === 'string' && (text === '' || text.startsWith('/'));
}

/** Apply a fix to a row's event or body. The result is deterministic. */
export function applyFix({ raw, fixed }: QuarantinedRow, fix: Fix | undefined): Fixed {
  if (fix && 'expression' in fix) {
    return fixed === null ? { fault: 'the SQL fails on it or returns null' } : parse(fixed, 'the result of the SQL');
  }
  const parsed = parse(raw, 'the raw text');
  if (!fix || 'fault' in parsed) return parsed;
  // In a list, so that a patch may replace the whole document (path "").
  const document = { value: parsed.value };
  const whole = fix.patch.map((operation) => ({
    ...operation,
    path: `/value${operation.path}`,
    ...('from' in operation ? { from: `/value${operation.from}` } : {}),
  }));
  const failed = applyPatch(document, structuredClone(whole)).findIndex((error) => error !== null);
  return failed < 0 ? document : { fault: `the patch does not apply: operation ${failed}, ${patchText(fix, failed)}` };
}

function patchText({ patch }: { patch: Patch }, index: number): string {
  return JSON.stringify(patch[index]).slice(0, 200);
}

function parse(text: string, what: string): Fixed {
  try {
    return { value: parseExact(text) };
  } catch (error) {
    return { fault: `${what} is not JSON: ${(error as Error).message.slice(0, 200)}` };
  }
}
