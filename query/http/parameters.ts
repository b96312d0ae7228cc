import { LakeError } from '../../lake/errors.ts';

const MAX_SHOWN = 80;

/**
 * Rejects unknown or repeated query parameters: a misspelled one would have no effect.
 * @throws LakeError parameter_invalid, or the given code
 */
export function checkParameters(
  query: URLSearchParams,
  known: readonly string[],
  code: 'parameter_invalid' | 'changes_parameter' = 'parameter_invalid',
): void {
  for (const name of query.keys()) {
    const shown = JSON.stringify(name.slice(0, MAX_SHOWN).toWellFormed());
    if (!known.includes(name))
      throw new LakeError(code, `${shown} is not a parameter of this address: ${known.join(', ') || 'it takes none'}.`);
    if (query.getAll(name).length > 1) throw new LakeError(code, `${shown} is given twice. Give it once.`);
  }
}

/**
 * A whole number from 1.
 * @throws LakeError parameter_invalid
 */
export function wholeParameter(
  query: URLSearchParams,
  name: string,
  { otherwise, most }: { otherwise: number; most: number },
): number {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (/^[1-9]\d{0,9}$/.test(text) && Number(text) <= most) return Number(text);
  throw new LakeError('parameter_invalid', `"${name}" must be a whole number from 1 to ${most}.`);
}
