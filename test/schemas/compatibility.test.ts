import { describe, expect, it } from 'vitest';
import { agreedSchemas, incompatibilities, SchemaConflictError } from '../../schemas/compatibility.ts';
import { createRegistry, loadSchemaFiles, type JsonSchema } from '../../schemas/registry.ts';

const FILES = loadSchemaFiles();
const USED = createRegistry(FILES).all;

/** The files of all versions. */
const SEARCHES = [...FILES.keys()].filter((name) => name.startsWith('Search.'));

type Search = JsonSchema & { properties: Record<string, JsonSchema> };

/** The faults of the schema files with one more, or others. */
function faultsOf(change: Record<string, (search: Search) => void>, without: string[] = []): string[] {
  const files = new Map([...FILES].filter(([name]) => !without.includes(name)));
  for (const [name, edit] of Object.entries(change)) {
    const search = structuredClone(FILES.get('Search.v2.json')) as Search;
    edit(search);
    files.set(name, search);
  }
  return incompatibilities(USED, createRegistry(files));
}

const countAsText = ({ properties }: Search): void => void (properties.resultsCount = { type: 'string' });

describe('event schemas that follow those in use', () => {
  it('may add optional fields, versions and types', () => {
    expect(faultsOf({})).toEqual([]);
    expect(faultsOf({ 'Search.v3.json': ({ properties }) => (properties.device = { type: 'string' }) })).toEqual([]);
    expect(faultsOf({ 'Wish.v1.json': ({ properties }) => (properties.type = { const: 'Wish' }) })).toEqual([]);
    expect(agreedSchemas(undefined, createRegistry(FILES))).toEqual(USED);
  });

  const broken: [string, string[]][] = [
    [
      'field phrase was removed (Search v2 in use, Search v3 here)',
      faultsOf({
        'Search.v3.json': ({ properties, required }) => {
          delete properties.phrase;
          required!.splice(required!.indexOf('phrase'), 1);
        },
      }),
    ],
    [
      'field page is required now (Search v2 in use, Search v3 here)',
      faultsOf({ 'Search.v3.json': ({ required }) => required!.push('page') }),
    ],
    [
      'field resultsCount is integer in use and string here (Search v2 in use, Search v2 here)',
      faultsOf({ 'Search.v1.json': countAsText, 'Search.v2.json': countAsText }),
    ],
    [
      'column results_count of the lake would change its type',
      faultsOf({ 'Search.v1.json': countAsText, 'Search.v2.json': countAsText }),
    ],
    ['Search v1 is in use and not here, where Search v2 is the latest', faultsOf({}, ['Search.v1.json'])],
    ['Search v1 is in use and not here', faultsOf({}, SEARCHES)],
    ['column phrase of the lake would be gone', faultsOf({}, SEARCHES)],
  ];
  it.each(broken)('must not break: %s', (fault, found) => {
    expect(found).toContain(fault);
  });

  it('of a later version, which this one cannot join into columns, are a fault that can be accepted', () => {
    const search = structuredClone(FILES.get('Search.v1.json')) as Search;
    search.properties.resultsCount = { type: 'string' };
    search.properties.type = { const: 'Later' };
    const used = [...USED, { type: 'Later', version: 1, schema: search }] as typeof USED;
    expect(incompatibilities(used, createRegistry(FILES))).toContainEqual(expect.stringContaining('results_count'));
  });

  it('say all that is wrong at once, and what to do', () => {
    const files = new Map([...FILES].filter(([name]) => !SEARCHES.includes(name)));
    expect(() => agreedSchemas(USED, createRegistry(files))).toThrow(SchemaConflictError);
    expect(() => agreedSchemas(USED, createRegistry(files))).toThrow(/Search v1 is in use.*column phrase.*accept/s);
  });
});
