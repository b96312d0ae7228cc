import {
  CATALOGUE_FAULTS,
  PRODUCT_FIELDS,
  type CatalogueFault,
  type CatalogueReport,
  type FieldKind,
} from '../../../schemas/catalogue.ts';
import type { OpenApi } from '../../../schemas/openapi/openApi.ts';
import {
  choiceField,
  flagField,
  listField,
  objectOf,
  optional,
  textField,
  timeField,
  wholeField,
} from './schemaWords.ts';

const KINDS: Record<FieldKind, OpenApi> = {
  id: { type: 'string', maxLength: 200 },
  text: { type: ['string', 'null'] },
  path: { type: ['array', 'null'], items: { type: 'string', maxLength: 200 }, maxItems: 10 },
  money: { type: ['number', 'null'], format: 'double', minimum: 0 },
  quantity: { type: ['number', 'null'], format: 'double' },
  currency: { type: ['string', 'null'], pattern: '^[A-Za-z]{3}$' },
  object: { type: ['object', 'null'], additionalProperties: true },
  flag: { type: ['boolean', 'null'] },
};

/** Schemas of the catalogue. */
export const CATALOGUE_SCHEMAS: Readonly<Record<string, OpenApi>> = {
  ProductList: {
    type: 'object',
    description: 'Products of a segment.',
    required: ['products'],
    properties: {
      products: { type: 'array', description: 'The products.', items: { $ref: '#/components/schemas/Product' } },
    },
    additionalProperties: false,
  },
  Product: {
    type: 'object',
    description: 'A product. A part keeps the fields that it does not give, and null clears one.',
    required: ['productId'],
    properties: Object.fromEntries(
      Object.entries(PRODUCT_FIELDS).map(([name, { kind, help }]) => [name, { ...KINDS[kind], description: help }]),
    ),
    additionalProperties: false,
  },
  CatalogueReport: objectOf<CatalogueReport>('Result of an import.', {
    tenantId: textField('The tenant.'),
    segmentId: textField('The segment.'),
    mode: choiceField(['part', 'whole'], 'whole: products that are not listed were removed.'),
    dryRun: flagField('Whether nothing was to be stored.'),
    lines: wholeField('Number of products read.'),
    added: wholeField('New products.'),
    changed: wholeField('Changed products.'),
    removed: wholeField('Removed products.'),
    unchanged: wholeField('Products that are as they were.'),
    bad: wholeField('Products that were not taken.'),
    faults: listField('CatalogueFault', 'The first 100 of them.'),
    validFrom: optional(timeField('Time from which the versions are valid; absent: nothing was stored.')),
    version: optional(wholeField("Version of the catalogue's table; absent: nothing was stored.")),
  }),
  CatalogueFault: objectOf<CatalogueFault>('Why a product was not taken.', {
    line: wholeField('Its line, or its place in the list, from 1.'),
    code: choiceField(Object.keys(CATALOGUE_FAULTS), 'The kind of fault; docs/catalogue.md explains each.'),
    message: textField('The fault.'),
    field: optional(textField('The field at fault.')),
  }),
};
