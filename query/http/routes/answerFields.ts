import { LakeError } from '../../../lake/errors.ts';
import { FORMATS, type AnswerFormat } from '../../formats/formats.ts';
import type { AsOf } from '../../engine/resolve.ts';

/** Formats by media type, without parameters of the type. */
const BY_TYPE = new Map(
  Object.entries(FORMATS).map(([format, type]) => [type.split(';')[0]!, format as AnswerFormat] as const),
);

/** Error code of a wrong field, by the place of the fields. */
type WrongField = 'body_invalid' | 'report_parameter';

/**
 * The format that `format` names; undefined if absent.
 * @throws LakeError with the code `wrong`
 */
export function checkFormat(format: unknown, wrong: WrongField): AnswerFormat | undefined {
  const known = Object.keys(FORMATS).find((name) => name === format) as AnswerFormat | undefined;
  if (format !== undefined && known === undefined) {
    throw new LakeError(wrong, `"format" must be one of ${Object.keys(FORMATS).join(', ')}, or absent.`);
  }
  return known;
}

/**
 * The format of an `Accept` header: the first known type by descending `q`.
 *
 * Without a preference the format is JSON.
 * @throws LakeError format_not_acceptable
 */
export function acceptedFormat(header: string | undefined): AnswerFormat {
  const wanted = (header ?? '')
    .split(',')
    .map((part) => {
      const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase());
      const q = parameters.find((parameter) => parameter.startsWith('q='));
      return { type, q: q === undefined ? 1 : Number(q.slice(2)) };
    })
    .filter(({ type, q }) => type !== '' && q > 0)
    .sort((a, b) => b.q - a.q);
  if (wanted.length === 0) return 'json';
  for (const { type } of wanted) {
    const format = type === '*/*' || type === 'application/*' ? 'json' : BY_TYPE.get(type);
    if (format) return format;
  }
  const types = [...BY_TYPE.keys()].join(', ');
  throw new LakeError('format_not_acceptable', `Accept is "${(header ?? '').slice(0, 80)}"; use one of ${types}.`);
}

/**
 * The state to read, from the fields `snapshot` and `version`.
 * @throws LakeError with the code `wrong`
 */
export function checkAsOf(snapshot: unknown, version: unknown, wrong: WrongField): AsOf {
  const known = snapshot === 'live' || snapshot === 'committed' ? snapshot : undefined;
  if (known === undefined && snapshot !== null && snapshot !== undefined)
    throw new LakeError(wrong, '"snapshot" must be "live" or "committed", or absent.');
  if (version === null || version === undefined) return known ? { snapshot: known } : {};
  const number = typeof version === 'string' && /^\d{1,15}$/.test(version) ? Number(version) : version;
  if (!Number.isSafeInteger(number) || (number as number) < 0)
    throw new LakeError(wrong, '"version" must be a whole number from 0.');
  if (known === 'live') throw new LakeError(wrong, '"version" is a committed version: omit "snapshot".');
  return { version: number as number };
}
