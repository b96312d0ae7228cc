import fc from 'fast-check';
import { randomUUID } from 'node:crypto';

/** What may stand between tokens. */
export const space = fc.constantFrom('', '', '', ' ', '\n', '\r\n', '\t', '  \n ');

/** JSON text of a string, its characters escaped in any of the ways there are. */
const stringText = fc
  .array(
    fc.oneof(
      {
        weight: 8,
        arbitrary: fc.constantFrom('a', 'Z', ' ', 'ø', '鞋', '👟', '\u2028', '\\n', '\\/', '\\u0041', '\\ud83d\\udc5f'),
      },
      {
        weight: 1,
        arbitrary: fc.constantFrom('\\u0000', '\\ud800', '\\udfff', '\\u0001', '\\\\u0000', '\u007f', '\ufeff', '\\"'),
      },
    ),
    { maxLength: 8 },
  )
  .map((parts) => `"${parts.join('')}"`);

/** JSON text of a number, in any of the ways there are, too large ones among them. */
export const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.constantFrom(
    '0',
    '-0',
    '1',
    '-1.50',
    '1e2',
    '1E+2',
    '1e-7',
    '1e21',
    '9007199254740993',
    '123456789012345678901234567890',
    '0.1000000000000000055511151231257827',
  ),
  fc.constantFrom('1e400', '-1e400', '5e-324', '1e-400', '1.7976931348623157e308'),
);

const nameText = fc.oneof(
  fc.constantFrom('"a"', '"A"', '"\\u0061"', '"__proto__"', '"constructor"', '"toJSON"', '""', '"b"', '"1"', '"0"'),
  stringText,
);

export const { value: valueText } = fc.letrec<{ value: string; list: string; object: string }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 10, depthSize: 'medium' },
    fc.constantFrom('true', 'false', 'null'),
    stringText,
    numberText,
    tie('list'),
    tie('object'),
  ),
  list: fc
    .tuple(fc.array(tie('value'), { maxLength: 4 }), space)
    .map(([values, gap]) => `[${gap}${values.join(`${gap},`)}${gap}]`),
  object: fc
    .tuple(fc.array(fc.tuple(nameText, tie('value')), { maxLength: 4 }), space)
    .map(([fields, gap]) => `{${fields.map(([name, value]) => `${gap}${name}${gap}:${value}`).join(',')}${gap}}`),
}));

/** Fields of an event in any order and number: right ones, twice, in other letters, and hostile ones. */
const extraField = fc.oneof(
  { weight: 6, arbitrary: valueText.map((value) => `"properties":{"p":${value}}`) },
  { weight: 2, arbitrary: stringText.map((value) => `"phrase":${value}`) },
  { weight: 2, arbitrary: stringText.map((value) => `"sort":${value}`) },
  { weight: 2, arbitrary: fc.array(stringText, { maxLength: 3 }).map((values) => `"resultIds":[${values.join()}]`) },
  { weight: 1, arbitrary: numberText.map((value) => `"resultsCount":${value}`) },
  { weight: 1, arbitrary: fc.tuple(nameText, valueText).map(([name, value]) => `${name}:${value}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"Phrase":"x"',
      '"__proto__":{"phrase":"x"}',
      '"type":"Nonsense"',
      '"sessionId":"second"',
    ),
  },
);

/** A Search that is mostly right, as JSON text. */
export const eventText = fc
  .tuple(fc.array(extraField, { maxLength: 5 }), space, fc.boolean())
  .map(([extra, gap, first]) => {
    const right = [
      `"eventId":"${randomUUID()}"`,
      '"type":"Search"',
      `"timestamp":"${new Date().toISOString()}"`,
      '"sessionId":"s"',
      '"phrase":"shoes"',
      '"resultsCount":1',
    ];
    return `{${gap}${(first ? [...extra, ...right] : [...right, ...extra]).join(`,${gap}`)}${gap}}`;
  });
