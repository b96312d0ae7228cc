import { schemaRef, type OpenApi } from '../../../schemas/openapi/openApi.ts';

interface Needed {
  schema: OpenApi;
  optional?: never;
}
interface Optional {
  schema: OpenApi;
  optional: true;
}

/** A schema for each field of a type; the optional ones are marked. The compiler compares both. */
export type FieldsOf<T> = { [Name in keyof T]-?: undefined extends T[Name] ? Optional : Needed };

/** The schema of an object with the fields of a TypeScript type. */
export function objectOf<T>(description: string, fields: FieldsOf<T>): OpenApi {
  const entries = Object.entries<Needed | Optional>(fields);
  const required = entries.filter(([, field]) => field.optional === undefined).map(([name]) => name);
  return {
    type: 'object',
    description,
    ...(required.length > 0 ? { required } : {}),
    properties: Object.fromEntries(entries.map(([name, { schema }]) => [name, schema])),
  };
}

/** Marks a field that may be absent. */
export function optional({ schema }: Needed): Optional {
  return { schema, optional: true };
}

/** Marks a field that may be null. */
export function nullable({ schema }: Needed): Needed {
  return { schema: { ...schema, type: [schema.type, 'null'] } };
}

export function textField(description: string): Needed {
  return { schema: { type: 'string', description } };
}

/** One of some texts. */
export function choiceField(values: readonly string[], description: string): Needed {
  return { schema: { type: 'string', enum: values, description } };
}

/** A time in ISO 8601. */
export function timeField(description: string): Needed {
  return { schema: { type: 'string', format: 'date-time', description } };
}

/** A whole number that fits a double exactly. */
export function wholeField(description: string): Needed {
  return { schema: { type: 'integer', format: 'int64', description } };
}

export function flagField(description: string): Needed {
  return { schema: { type: 'boolean', description } };
}

export function decimalField(description: string): Needed {
  return { schema: { type: 'number', format: 'double', description } };
}

/** An object with a named schema. */
export function refField(name: string): Needed {
  return { schema: schemaRef(name) };
}

export function listField(name: string, description: string): Needed {
  return { schema: { type: 'array', description, items: schemaRef(name) } };
}

export function textsField(description: string): Needed {
  return { schema: { type: 'array', description, items: { type: 'string' } } };
}

/** An object of values by names that nobody knows in advance. */
export function valuesField(values: Needed, description: string): Needed {
  return { schema: { type: 'object', description, additionalProperties: values.schema } };
}
