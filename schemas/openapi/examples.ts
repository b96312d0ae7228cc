import type { JsonSchema, Registry } from '../registry.ts';

/** Time of every example, and of its `sentAt`. To send an example, put the present time in place of both. */
export const EXAMPLE_TIME = '2026-11-23T10:00:00Z';

/** Values of fields by name, such as a shop would send. Other fields get a value from their schema. */
const VALUES: Readonly<Record<string, unknown>> = {
  sessionId: 's-1',
  anonymousId: 'a-1',
  userId: 'customer-7',
  locale: 'da-DK',
  channel: 'web',
  referrer: 'https://search.example/?q=shoes',
  currency: 'DKK',
  phrase: 'running shoes',
  resultsCount: 128,
  resultIds: ['SKU-7', 'SKU-9'],
  pageSize: 20,
  sort: 'price',
  field: 'brand',
  values: ['Acme'],
  searchId: 'q-1',
  listId: 'shoes',
  listName: 'Running shoes',
  recommendationId: 'rec-1',
  productId: 'SKU-7',
  variantId: 'SKU-7-42',
  position: 3,
  quantity: 2,
  price: 249.9,
  unitPrice: 249.9,
  orderId: '10042',
  total: 499.8,
  tax: 99.96,
  shipping: 0,
  discount: 0,
  couponCodes: ['WELCOME'],
  pricesIncludeTax: true,
  status: 'paid',
  test: false,
  refundId: 'refund-1',
  amount: 499.8,
  reason: 'did not fit',
  name: 'Running shoe',
  kind: 'product',
  properties: { colour: 'red' },
  id: 'ranking',
  variant: 'b',
};

/** One complete event of each latest type, which the receiver accepts. */
export function eventExamples({ latest }: Registry): Record<string, Record<string, unknown>> {
  const entries = [...latest.values()].map(({ type, schema }, index) => {
    const eventId = `01936e0a-7c1e-7000-8000-${String(index + 1).padStart(12, '0')}`;
    return [type, { ...(objectExample(schema) as Record<string, unknown>), eventId, type }] as const;
  });
  return Object.fromEntries(entries);
}

function objectExample({ properties = {} }: JsonSchema): unknown {
  return Object.fromEntries(Object.entries(properties).map(([name, node]) => [name, example(name, node)]));
}

function example(name: string, node: JsonSchema): unknown {
  if (name in VALUES) return VALUES[name];
  if (node.const !== undefined) return node.const;
  const [first] = (node as { enum?: unknown[] }).enum ?? [];
  if (first !== undefined) return first;
  switch (node.type) {
    case 'object':
      return objectExample(node);
    case 'array':
      return node.items ? [example(name, node.items)] : [];
    case 'boolean':
      return true;
    case 'integer':
    case 'number':
      return Math.max(1, node.minimum ?? 1);
    default:
      return textExample(name, node);
  }
}

function textExample(name: string, { format, maxLength = Infinity }: JsonSchema): string {
  if (format === 'date-time') return EXAMPLE_TIME;
  if (format === 'date') return EXAMPLE_TIME.slice(0, 10);
  if (format === 'uuid') return '01936e0a-7c1e-7000-8000-000000000000';
  if (/url$/i.test(name) || format === 'uri') return 'https://shop.example/products/SKU-7';
  return `${name}-1`.slice(0, maxLength);
}
