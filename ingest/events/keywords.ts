import { _, Ajv, type CodeKeywordDefinition, type KeywordErrorDefinition } from 'ajv';
import { dateTimeMs } from '../../schemas/dateTime.ts';
import { codePoints } from '../../schemas/normalise/text.ts';

/** Not the nil UUID nor the max UUID (RFC 9562 §5.9, §5.10), which libraries give to every event alike. */
const UUID = /^(?!([0f])(?:\1|-)+$)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * Create Ajv with exact decimals, cheap lengths, and date-times of the lake.
 * @param allErrors false: stop at the first fault, which is faster
 */
export function createAjv(allErrors: boolean): Ajv {
  const ajv = new Ajv({ allErrors, strict: true, strictRequired: false });
  ajv.addKeyword({ keyword: 'x-server-only', schemaType: 'boolean' });
  ajv.addKeyword({ keyword: 'x-cut', schemaType: 'boolean' });
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
 * `multipleOf` 1, 0.1 … 0.0001 as a limit of decimal places.
 * A number passes if it is the double nearest to such a decimal, because the stored text is then exact. The remainder of a
 * float division would reject 0.07.
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

/** `maxLength` in code points, which are never more than UTF-16 units. */
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

/** `minLength` in code points, which are at least half of the UTF-16 units. */
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
