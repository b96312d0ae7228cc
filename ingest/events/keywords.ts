import { _, Ajv, type CodeKeywordDefinition, type KeywordErrorDefinition } from 'ajv';
import { dateTimeMs } from '../../schemas/dateTime.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Ajv with our meaning of the keywords whose common reading would lose exactness or time: decimals are compared as
 * decimals, lengths are counted only where they can matter, date-times are what the lake can hold. It stops at the first
 * fault of an event: a hostile event must not buy a long list of them.
 */
export function createAjv(): Ajv {
  const ajv = new Ajv({ allErrors: false, strict: true, strictRequired: false });
  ajv.addFormat('uuid', UUID);
  ajv.addFormat('date-time', (text: string) => !Number.isNaN(dateTimeMs(text)));
  for (const keyword of [DECIMALS, MAX_LENGTH, MIN_LENGTH]) {
    ajv.removeKeyword(keyword.keyword as string);
    ajv.addKeyword(keyword);
  }
  return ajv;
}

const limit: KeywordErrorDefinition['params'] = ({ schemaCode }) => _`{limit: ${schemaCode}}`;

/**
 * `multipleOf` 1, 0.1 … 0.0001: the number is exactly the double nearest to a decimal of that many places, so that its
 * shortest text, which is what is stored, has no more places. The usual remainder of a float division would refuse 0.07.
 */
const DECIMALS: CodeKeywordDefinition = {
  keyword: 'multipleOf',
  type: 'number',
  schemaType: 'number',
  error: { message: 'must be a decimal of so many places', params: limit },
  code(context) {
    const scale = 1 / (context.schema as number);
    if (!Number.isInteger(scale)) throw new Error(`multipleOf ${String(context.schema)} is not 1, 0.1, 0.01, …`);
    const { data } = context;
    context.fail(_`Math.round(${data} * ${scale}) / ${scale} !== ${data}`);
  },
};

/** Code points are never more than UTF-16 units, so that most texts need no counting (JSON Schema 2020-12 validation §6.3). */
const MAX_LENGTH: CodeKeywordDefinition = {
  keyword: 'maxLength',
  type: 'string',
  schemaType: 'number',
  error: { message: 'is too long', params: limit },
  code(context) {
    const { data, schemaCode } = context;
    const count = context.gen.scopeValue('func', { ref: codePoints, code: _`codePoints` });
    context.fail(_`${data}.length > ${schemaCode} && ${count}(${data}) > ${schemaCode}`);
  },
};

/** Half the UTF-16 units, rounded up, are never more than the code points. */
const MIN_LENGTH: CodeKeywordDefinition = {
  keyword: 'minLength',
  type: 'string',
  schemaType: 'number',
  error: { message: 'is too short', params: limit },
  code(context) {
    const { data, schemaCode } = context;
    const count = context.gen.scopeValue('func', { ref: codePoints, code: _`codePoints` });
    context.fail(_`${data}.length < 2 * ${schemaCode} && ${count}(${data}) < ${schemaCode}`);
  },
};

/** Length as JSON Schema counts it. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _point of text) count++;
  return count;
}
