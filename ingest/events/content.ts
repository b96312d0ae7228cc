import type { EventErrorCode } from '../../schemas/errors.ts';
import { isRawNumber, isWholeText } from '../../schemas/normalise/exactNumber.ts';
import { isStorableText } from '../../schemas/normalise/text.ts';
import { pointerToken } from '../../schemas/pointer.ts';

/** A fault that schemas cannot express, with its JSON pointer. */
export interface ContentFault {
  code: EventErrorCode;
  path: string;
}

/**
 * Find the first unstorable part of a parsed JSON value.
 * Unstorable are infinite numbers, decimals with more digits than a double has, and nesting beyond `maxDepth`. So are texts
 * and names with U+0000 or half of a surrogate pair.
 * An object or list as the value itself has depth 1. Recursion ends at `maxDepth`, so that no nesting overflows the stack.
 */
export function contentFault(value: unknown, maxDepth: number, path = ''): ContentFault | undefined {
  if (typeof value === 'string') return isStorableText(value) ? undefined : { code: 'text_invalid', path };
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { code: 'number_invalid', path };
  if (typeof value !== 'object' || value === null) return undefined;
  // DuckDB keeps the digits of whole numbers only.
  if (isRawNumber(value)) return isWholeText(value) ? undefined : { code: 'number_invalid', path };
  if (maxDepth === 0) return { code: 'nesting_too_deep', path };
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = contentFault(value[i], maxDepth - 1, '');
      if (fault) return { code: fault.code, path: `${path}/${i}${fault.path}` };
    }
    return undefined;
  }
  for (const [name, child] of Object.entries(value)) {
    if (!isStorableText(name)) return { code: 'text_invalid', path };
    const fault = contentFault(child, maxDepth - 1, '');
    if (fault) return { code: fault.code, path: `${path}/${pointerToken(name)}${fault.path}` };
  }
  return undefined;
}
