import { describe, expect, it } from 'vitest';
import { agreedSchemas, incompatibilities, SchemaConflictError } from '../../schemas/compatibility.ts';
import { createRegistry, loadSchemaFiles, type JsonSchema } from '../../schemas/registry.ts';

const FILES = loadSchemaFiles();
const USED = createRegistry(FILES).all;

type Search = JsonSchema & { properties: Record<string, JsonSchema> };

/** The faults of the schema files with one more, or others. */
function faultsOf(change: Record<string, (search: Search) => void>, without: string[] = []): string[] {
  const files = new Map([...FILES].filter(([name]) => !without.includes(name)));
  for (const [name, edit] of Object.entries(change)) {
    const search = structuredClone(FILES.get('Search.v1.json')) as Search;
    edit(search);
    files.set(name, search);
  }
  return incompatibilities(USED, createRegistry(files));
}

describe('event schemas that follow those in use', () => {
  it('may add optional fields, versions and types', () => {
    expect(faultsOf({})).toEqual([]);
    expect(faultsOf({ 'Search.v2.json': ({ properties }) => (properties.device = { type: 'string' }) })).toEqual([]);
    expect(faultsOf({ 'Wish.v1.json': ({ properties }) => (properties.type = { const: 'Wish' }) })).toEqual([]);
    expect(agreedSchemas(undefined, createRegistry(FILES))).toEqual(USED);
  });

  const broken: [string, string[]][] = [
    [
      'field phrase was removed (Search v1 in use, Search v2 here)',
      faultsOf({
        'Search.v2.json': ({ properties, required }) => {
          delete properties.phrase;
          required!.splice(required!.indexOf('phrase'), 1);
        },
      }),
    ],
    [
      'field page is required now (Search v1 in use, Search v2 here)',
      faultsOf({ 'Search.v2.json': ({ required }) => required!.push('page') }),
    ],
    [
      'field resultsCount is integer in use and string here (Search v1 in use, Search v1 here)',
      faultsOf({ 'Search.v1.json': ({ properties }) => (properties.resultsCount = { type: 'string' }) }),
    ],
    [
      'column results_count of the lake would change its type',
      faultsOf({ 'Search.v1.json': ({ properties }) => (properties.resultsCount = { type: 'string' }) }),
    ],
    [
      'Search v1 is in use and not here, where Search v2 is the latest',
      faultsOf({ 'Search.v2.json': () => {} }, ['Search.v1.json']),
    ],
    ['Search v1 is in use and not here', faultsOf({}, ['Search.v1.json'])],
    ['column phrase of the lake would be gone', faultsOf({}, ['Search.v1.json'])],
  ];
  it.each(broken)('must not break: %s', (fault, found) => {
    expect(found).toContain(fault);
  });

  it('say all that is wrong at once, and what to do', () => {
    const files = new Map([...FILES].filter(([name]) => name !== 'Search.v1.json'));
    expect(() => agreedSchemas(USED, createRegistry(files))).toThrow(SchemaConflictError);
    expect(() => agreedSchemas(USED, createRegistry(files))).toThrow(/Search v1 is in use.*column phrase.*accept/s);
  });
});
