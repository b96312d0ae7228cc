import type { EventErrorCode } from '../../schemas/errors.ts';

/** A fault that schemas cannot express, with its JSON pointer. */
export interface ContentFault {
  code: EventErrorCode;
  path: string;
}

/**
 * Find the first unstorable part of a parsed JSON value.
 * Unstorable are infinite numbers, texts and names with U+0000 or half a surrogate pair, and nesting beyond `maxDepth`.
 * An object or list as the value itself has depth 1. Recursion ends at `maxDepth`, so that no nesting overflows the stack.
 */
export function contentFault(value: unknown, maxDepth: number, path = ''): ContentFault | undefined {
  if (typeof value === 'string') return storable(value) ? undefined : { code: 'text_invalid', path };
  if (typeof value === 'number') return Number.isFinite(value) ? undefined : { code: 'number_invalid', path };
  if (typeof value !== 'object' || value === null) return undefined;
  if (maxDepth === 0) return { code: 'nesting_too_deep', path };
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = contentFault(value[i], maxDepth - 1, '');
      if (fault) return { code: fault.code, path: `${path}/${i}${fault.path}` };
    }
    return undefined;
  }
  for (const [name, child] of Object.entries(value)) {
    if (!storable(name)) return { code: 'text_invalid', path };
    const fault = contentFault(child, maxDepth - 1, '');
    if (fault) return { code: fault.code, path: `${path}/${pointerToken(name)}${fault.path}` };
  }
  return undefined;
}

/** Escape a name for a JSON pointer (RFC 6901 §3). */
export function pointerToken(name: string): string {
  return name.includes('~') || name.includes('/') ? name.replaceAll('~', '~0').replaceAll('/', '~1') : name;
}

function storable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}
