import { readdirSync, readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { queryDocument } from '../../../query/http/contract/document.ts';
import { OPERATIONS } from '../../../query/http/contract/operations.ts';
import { LAKE_ERRORS } from '../../../schemas/queryErrors.ts';
import { documentNodes, oddWords, type DocumentNode } from '../../support/documentNodes.ts';

const read = (name: string): string => readFileSync(new URL(`../../../${name}`, import.meta.url), 'utf8');
const { version } = JSON.parse(read('package.json')) as { version: string };

/** Codes of commands, which no route answers. */
const COMMANDS_ONLY = ['catalogue_unreadable', 'restore_impossible'];

describe('the OpenAPI document of the query server', () => {
  const document = queryDocument(OPERATIONS, version);
  const { schemas } = document.components as { schemas: Record<string, DocumentNode> };

  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(document);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('is the one that is served', () => {
    expect(JSON.parse(read('schemas/generated/queryOpenapi.json'))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('names every error code, each at an operation', () => {
    expect(schemas.FailureCode!.enum).toEqual(Object.keys(LAKE_ERRORS));
    const text = JSON.stringify(document.paths);
    const unnamed = Object.keys(LAKE_ERRORS).filter((code) => !text.includes(`\`${code}\``));
    expect(unnamed.filter((code) => !COMMANDS_ONLY.includes(code))).toEqual([]);
  });

  it('has every route but the pages of the console', () => {
    const folder = new URL('../../../query/http/routes/', import.meta.url);
    const own = readdirSync(folder).filter((file) =>
      /\bpath: '|method: '/.test(readFileSync(new URL(file, folder), 'utf8')),
    );
    expect(own).toEqual(['console.ts']);
  });

  it('uses only words that all generators understand', () => {
    expect(oddWords(document)).toEqual([]);
    const numbers = [...documentNodes(document)].filter(([, { type }]) => type === 'number' || type === 'integer');
    expect(numbers.filter(([, { format }]) => format === undefined)).toEqual([]);
  });

  it('refers only to what it has, and uses all of it', () => {
    const text = JSON.stringify(document);
    const used = new Set([...text.matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name!));
    expect([...used].sort()).toEqual(Object.keys(schemas).sort());
  });
});
