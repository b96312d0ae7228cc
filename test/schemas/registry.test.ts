import { describe, expect, it } from 'vitest';
import { eventColumns, lineFields, QUARANTINE_COLUMNS, snakeCase } from '../../schemas/columns.ts';
import { deltaField, duckdbType, type ColumnType } from '../../schemas/columnType.ts';
import { incompatibilities } from '../../schemas/compatibility.ts';
import { createRegistry, loadSchemaFiles, type JsonSchema } from '../../schemas/registry.ts';

const registry = createRegistry();

/** The real files and one more, as an operator would add it. */
function withFile(name: string, schema: JsonSchema): Map<string, JsonSchema> {
  return new Map([...loadSchemaFiles(), [name, schema]]);
}

describe('registry', () => {
  it('has the event types', () => {
    expect([...registry.latest.keys()].sort()).toEqual([
      'CheckoutStarted',
      'OrderCancelled',
      'OrderCorrected',
      'OrderCreated',
      'OrderRefunded',
      'ProductAddedToCart',
      'ProductClicked',
      'ProductRemovedFromCart',
      'ProductViewed',
      'ProductsShown',
      'Search',
    ]);
  });

  it('makes schemas that stand alone and refuse unknown fields', () => {
    for (const { schema } of registry.all) {
      expect(JSON.stringify(schema)).not.toMatch(/\$ref|allOf/);
      expect(schema.additionalProperties).toBe(false);
      expect(schema.required).toEqual(expect.arrayContaining(['eventId', 'type', 'timestamp']));
    }
  });

  it('takes a new event type from a new file alone', () => {
    const extended = createRegistry(
      withFile('Wishlisted.v1.json', {
        allOf: [{ $ref: 'common.v1.json' }],
        required: ['wishlistId'],
        properties: { type: { const: 'Wishlisted' }, wishlistId: { type: 'string', maxLength: 200 } },
      }),
    );
    expect(extended.latest.get('Wishlisted')?.version).toBe(1);
    expect(eventColumns(extended).map((column) => column.name)).toContain('wishlist_id');
    expect(lineFields(extended).map((field) => field.name)).toContain('wishlistId');
  });

  it('validates with the newest version and keeps the older ones', () => {
    const v3 = { ...loadSchemaFiles().get('Search.v2.json')! };
    v3.properties = { ...v3.properties, tab: { type: 'string', maxLength: 50 } };
    const extended = createRegistry(withFile('Search.v3.json', v3));
    expect(extended.latest.get('Search')?.version).toBe(3);
    expect(extended.all.filter((event) => event.type === 'Search')).toHaveLength(3);
    expect(eventColumns(extended).filter((column) => column.name === 'tab')).toHaveLength(1);
  });

  it('names the file of a reference that leads nowhere', () => {
    const broken = withFile('Broken.v1.json', { properties: { x: { $ref: 'common.v1.json#/$defs/nothing' } } });
    expect(() => createRegistry(broken)).toThrow(
      'Broken.v1.json: "$ref": "common.v1.json#/$defs/nothing" leads nowhere',
    );
  });

  it('refuses a field that redefines a common one, and two types that disagree on a column', () => {
    const clash = withFile('Clash.v1.json', {
      allOf: [{ $ref: 'common.v1.json' }],
      properties: { userId: { type: 'integer' } },
    });
    expect(() => createRegistry(clash)).toThrow('Clash.v1.json: field userId is already a common field');
    const disagree = withFile('Odd.v1.json', {
      allOf: [{ $ref: 'common.v1.json' }],
      properties: { productId: { type: 'integer', maximum: 10 } },
    });
    expect(() => eventColumns(createRegistry(disagree))).toThrow(/column product_id is .* rename the field/);
    const line = { type: 'object', properties: { quantity: { type: 'string' } } } as const;
    const odd = withFile('Odd.v1.json', {
      allOf: [{ $ref: 'common.v1.json' }],
      properties: { lines: { type: 'array', items: line } },
    });
    expect(() => eventColumns(createRegistry(odd))).toThrow(/column lines is .* rename the field/);
  });
});

describe('lists of objects', () => {
  const ofFirst = ['product_id', 'variant_id', 'quantity', 'unit_price', 'discount', 'search_id'];
  const lines = [...ofFirst, 'recommendation_id', 'list_id', 'inferred', 'name', 'kind', 'properties', 'amount'];

  it('share a column with the fields of all versions and types, those of the first version first', () => {
    const { type } = eventColumns(registry).find(({ name }) => name === 'lines')!;
    expect(fieldNames(type)).toEqual(lines);
    const before = {
      ...registry,
      all: registry.all.filter(({ type: of, version }) => of === 'OrderCreated' && version === 1),
    };
    expect(fieldNames(eventColumns(before).find(({ name }) => name === 'lines')!.type)).toEqual(ofFirst);
    expect(incompatibilities(before.all, registry)).toEqual([]);
  });
});

/** Names of the fields in a list of objects. */
function fieldNames(type: ColumnType): string[] {
  const item = typeof type === 'object' && 'list' in type ? type.list : type;
  return typeof item === 'object' && 'struct' in item ? item.struct.map(({ name }) => name) : [];
}

describe('lake columns', () => {
  const columns = eventColumns(registry);
  const typeOf = (name: string): string => duckdbType(columns.find((column) => column.name === name)!.type);

  it('keep money as decimals, times with their zone, ids as text', () => {
    expect(typeOf('total')).toBe('DECIMAL(18,4)');
    expect(typeOf('event_time')).toBe('TIMESTAMPTZ');
    expect(typeOf('event_id')).toBe('VARCHAR');
    expect(typeOf('properties')).toBe('VARCHAR');
    expect(typeOf('lines')).toContain('"unit_price" DECIMAL(18,4)');
    expect(typeOf('filters')).toBe('STRUCT("field" VARCHAR, "values" VARCHAR[])[]');
  });

  it('are unique, in snake_case and described', () => {
    const names = columns.map((column) => column.name);
    expect(new Set(names).size).toBe(names.length);
    for (const column of [...columns, ...QUARANTINE_COLUMNS]) {
      expect(column.name).toBe(snakeCase(column.name));
      expect(column.description, column.name).not.toBe('');
    }
  });

  it('have Delta types every reader knows', () => {
    const types = new Set(JSON.stringify(columns.map(deltaField)).match(/"type":"[^"]+"/g));
    const known = ['string', 'boolean', 'integer', 'long', 'decimal(18,4)', 'timestamp', 'array', 'struct'];
    expect([...types].filter((type) => !known.includes(type.slice(8, -1)))).toEqual([]);
  });
});
