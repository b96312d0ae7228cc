import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, it } from 'vitest';
import { Judge } from '../../ingest/events/judge.ts';
import { EVENT_ERRORS, REQUEST_ERRORS } from '../../schemas/errors.ts';
import { EXAMPLE_TIME, eventExamples } from '../../schemas/openapi/examples.ts';
import { receiverDocument } from '../../schemas/openapi/receiver.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { documentNodes, oddWords, type DocumentNode } from '../support/documentNodes.ts';

const read = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const version = (JSON.parse(read('package.json')) as { version: string }).version;
const registry = createRegistry();

describe('the OpenAPI document of the receiver', () => {
  const document = receiverDocument(registry, version);
  const schemas = (document.components as { schemas: Record<string, DocumentNode> }).schemas;

  it('is valid OpenAPI 3.1', async () => {
    const result = await new Validator().validate(document);
    expect(result.errors).toBeUndefined();
    expect(result.valid).toBe(true);
  });

  it('is the one that is served', () => {
    expect(JSON.parse(read('schemas/generated/openapi.json'))).toEqual(JSON.parse(JSON.stringify(document)));
  });

  it('names every error code', () => {
    expect(schemas.FailureCode!.enum).toEqual(Object.keys(REQUEST_ERRORS));
    expect(schemas.VerdictCode!.enum).toEqual(Object.keys(EVENT_ERRORS));
    const text = JSON.stringify(document.paths);
    expect(Object.keys(REQUEST_ERRORS).filter((code) => !text.includes(`\`${code}\``))).toEqual([]);
  });

  it('has every field of every type, with double for each number', () => {
    for (const { type, schema } of registry.latest.values()) {
      const fields = Object.keys(schema.properties);
      expect(Object.keys(schemas[type]!.properties as DocumentNode)).toEqual(fields);
      expect(Object.keys(schemas.Event!.properties as DocumentNode)).toEqual(expect.arrayContaining(fields));
    }
    const numbers = [...documentNodes(schemas)].filter(([, { type }]) => type === 'number');
    expect(numbers.length).toBeGreaterThan(5);
    expect(numbers.filter(([, { format }]) => format !== 'double')).toEqual([]);
  });

  it('uses only words that all generators understand', () => {
    expect(oddWords(document)).toEqual([]);
  });

  it('names every nested object', () => {
    const inline = [...documentNodes(schemas)].filter(
      ([path, { type }]) => type === 'object' && path.split('/').length > 2,
    );
    expect(inline.map(([path]) => path)).toEqual([]);
    expect(Object.keys(schemas)).toEqual(expect.arrayContaining(['OrderLine', 'SearchFilter', 'EventContext']));
  });

  it('says of every operation how it is secured', () => {
    const operations = Object.values(document.paths as DocumentNode).flatMap(
      (path) => Object.values(path as DocumentNode) as DocumentNode[],
    );
    expect(operations.filter((operation) => !Array.isArray(operation.security))).toEqual([]);
  });

  it('has an example of each type, which the receiver accepts', () => {
    const examples = Object.values(eventExamples(registry));
    expect(examples.map(({ type }) => type)).toEqual([...registry.latest.keys()]);
    const receivedAtMs = Date.parse(EXAMPLE_TIME);
    const { rejected } = new Judge(registry).judge({ events: examples, receivedAtMs, skewMs: 0, keyKind: 'server' });
    expect(rejected).toEqual([]);
  });
});
