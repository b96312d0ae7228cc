import { describe, expect, it } from 'vitest';
import { eventComponents } from '../../schemas/openapi/eventComponents.ts';
import { flatEvent } from '../../schemas/openapi/flatEvent.ts';
import { createRegistry, loadSchemaFiles, type JsonSchema } from '../../schemas/registry.ts';

const placed: JsonSchema = {
  title: 'Placed',
  type: 'object',
  required: ['eventId', 'lines'],
  properties: {
    eventId: { type: 'string', format: 'uuid' },
    note: { type: 'string', maxLength: 10, pattern: '^a' },
    lines: {
      type: 'array',
      minItems: 1,
      items: {
        type: 'object',
        required: ['id', 'price'],
        properties: { id: { type: 'string' }, price: { type: 'number' } },
      },
    },
  },
};
const returned: JsonSchema = {
  title: 'Returned',
  type: 'object',
  required: ['eventId', 'reason'],
  properties: {
    eventId: { type: 'string', format: 'uuid' },
    reason: { type: 'string' },
    note: { type: 'string', maxLength: 20 },
    lines: { type: 'array', items: { type: 'object', required: ['id'], properties: { id: { type: 'string' } } } },
  },
};

describe('the flat event', () => {
  it('allows what any type allows, and requires what all require', () => {
    const flat = flatEvent([placed, returned]);
    expect(flat.required).toEqual(['eventId']);
    expect(flat.properties!.note).toEqual({ type: 'string', maxLength: 20 });
    expect(flat.properties!.lines).toEqual({
      type: 'array',
      items: {
        type: 'object',
        required: ['id'],
        properties: { id: { type: 'string' }, price: { type: 'number' } },
      },
    });
    expect(flat.description).toContain('Placed needs lines. Returned needs reason.');
  });

  it('follows a new type whose lines differ, and keeps the names of the others', () => {
    const files = loadSchemaFiles();
    const order = files.get('OrderCreated.v1.json')!;
    const { lines } = order.properties!;
    const item = { ...lines!.items!, required: ['productId'] };
    files.set('ParcelReturned.v1.json', {
      ...order,
      title: 'ParcelReturned',
      required: ['lines'],
      properties: { type: { const: 'ParcelReturned' }, lines: { ...lines!, items: item } },
    });
    const schemas = eventComponents(createRegistry(files));
    expect(Object.keys(schemas)).toEqual(
      expect.arrayContaining(['OrderLine', 'ParcelReturnedLine', 'ParcelReturned', 'Event']),
    );
    const { properties } = schemas.Event as { properties: Record<string, { items: unknown }> };
    expect(properties.lines!.items).toEqual({ $ref: '#/components/schemas/EventLine' });
  });
});
