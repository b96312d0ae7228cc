/** A JSON number whose digits a double cannot hold, as `JSON.rawJSON` makes it. */
export interface RawNumber {
  readonly rawJSON: string;
}

// https://tc39.es/proposal-json-parse-with-source/
const exactJson = JSON as unknown as {
  rawJSON(text: string): RawNumber;
  isRawJSON(value: unknown): boolean;
};

/** A number, of a JSON text, with more digits or a greater exponent than some doubles hold. */
const LONG_NUMBER = /[:,[\s]-?(?:[\d.]{16}|\d[\d.]*[eE][+-]?\d{3})/;

/** Test for text that may hold a number which a double would change. Quick, and right if it says no. */
export function mayHoldLongNumber(json: string): boolean {
  return LONG_NUMBER.test(json);
}

/**
 * Parse JSON; numbers that a double would change become RawNumber.
 * `JSON.stringify` writes a RawNumber with the digits of its source. This parser is several times slower than JSON.parse.
 */
export function parseExact(json: string): unknown {
  const revive = (_key: string, value: unknown, context?: { source?: string }): unknown =>
    typeof value === 'number' && !isExact(value, context!.source!) ? exactJson.rawJSON(context!.source!) : value;
  return JSON.parse(json, revive);
}

export function isRawNumber(value: unknown): value is RawNumber {
  return exactJson.isRawJSON(value);
}

/** Test for a whole number without an exponent, which every reader of the lake keeps as text. */
export function isWholeText({ rawJSON }: RawNumber): boolean {
  return /^-?\d+$/.test(rawJSON);
}

/** Test that a double's shortest text has the value of its source. */
function isExact(value: number, source: string): boolean {
  return (
    Number.isFinite(value) && (source.length < 16 && value !== 0 ? true : decimal(String(value)) === decimal(source))
  );
}

/** Sign, digits without zeros at the ends, and exponent of a JSON number: equal for equal numbers. */
function decimal(source: string): string {
  const [, sign, whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(source) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const short = digits.replace(/0+$/, '');
  if (short === '') return '0';
  return `${sign}${short}e${Number(exponent) - fraction.length + digits.length - short.length}`;
}
