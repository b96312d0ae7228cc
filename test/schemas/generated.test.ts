import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { EVENT_ERRORS, REQUEST_ERRORS } from '../../schemas/errors.ts';
import { openApiDocument } from '../../schemas/openapi.ts';
import { createRegistry } from '../../schemas/registry.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const version = (JSON.parse(read('package.json')) as { version: string }).version;

describe('the OpenAPI document', () => {
  const document = openApiDocument(createRegistry(), version);

  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(document);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('is the one that is served', () => {
    expect(JSON.parse(read('schemas/generated/openapi.json'))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('names every error code', () => {
    const text = JSON.stringify(document);
    const elsewhere = ['not_found', 'method_not_allowed'];
    const codes = [...Object.keys(REQUEST_ERRORS), ...Object.keys(EVENT_ERRORS)];
    const unnamed = codes.filter((code) => !elsewhere.includes(code) && !text.includes(`\`${code}\``));
    expect(unnamed).toEqual([]);
  });
});
