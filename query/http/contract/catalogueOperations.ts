import { BODY_CODES, TABLE_CODES } from './codes.ts';
import { tokenOperation } from './operation.ts';

/** `PUT /api/catalogue` */
export const PUT_CATALOGUE = tokenOperation('key', ['PUT', '/api/catalogue'], {
  id: 'putCatalogue',
  summary: "Import products of the key's segment, in part or whole",
  description:
    'Needs a server key, which names tenant and segment. All products are stored or none. If some are bad, the answer has the code catalogue_lines_bad and a CatalogueReport as "report".',
  query: {
    mode: {
      type: 'string',
      enum: ['part', 'whole'],
      description: 'whole: products that are not listed are removed. Absent: part.',
    },
    dryRun: { type: 'boolean', description: 'Only say what would change.' },
    skipBad: { type: 'boolean', description: 'Store the good products although others are bad.' },
  },
  body: {
    schema: 'ProductList',
    example: {
      products: [
        {
          productId: 'SKU-7',
          name: 'Winter boots',
          category: ['Shoes', 'Boots'],
          price: 499.5,
          currency: 'DKK',
          stock: 3,
        },
      ],
    },
    also: { 'application/x-ndjson': { schema: { type: 'string', description: 'A Product a line.' } } },
  },
  answer: {
    summary: 'What changed.',
    schema: 'CatalogueReport',
    example: {
      tenantId: 'demo-shop',
      segmentId: 'web',
      mode: 'part',
      dryRun: false,
      lines: 1,
      added: 1,
      changed: 0,
      removed: 0,
      unchanged: 0,
      bad: 0,
      faults: [],
      validFrom: '2026-11-23T10:00:00.000Z',
      version: 0,
    },
  },
  codes: [...BODY_CODES, ...TABLE_CODES, 'catalogue_lines_bad', 'catalogue_empty'],
});
