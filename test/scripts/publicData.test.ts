import { expect, it } from 'vitest';
import { Judge } from '../../ingest/events/judge.ts';
import { createRegistry } from '../../schemas/registry.ts';
import { readInvoices } from '../../scripts/publicData/invoices.ts';
import { readUbi } from '../../scripts/publicData/ubi.ts';

const judge = new Judge(createRegistry());

function faultsOf(events: readonly Record<string, unknown>[]): string[] {
  const receivedAtMs = Date.parse('2026-11-23T10:00:00Z');
  return judge.judge({ events, receivedAtMs, skewMs: 0, keyKind: 'server' }).rejected.map(({ message }) => message);
}

/** Lines with the fields of public logs, and values of their kinds. */
const AT = Date.parse('2026-11-23T09:00:00Z');
const ABOUT = { query_id: 'q-1', client_id: 'c-1', timestamp: AT, application: 'sample' };
const attributes = (object: object, position?: object): object => ({
  event_attributes: { object, session_id: 's-1', dwell_time: 1.5, ...(position ? { position } : {}) },
});
const product = { object_id: 'B077', object_id_field: 'asin', description: 'Laptop "sleeve" 15.6' };
const filter = {
  object_id: 'OBJECT-1',
  object_id_field: 'filter_data',
  description: 'brand',
  object_detail: { filter: 'X' },
};
const LINES: [string, object | undefined, object][] = [
  ['query', { type: 'Search', phrase: 'ps4', resultsCount: null }, { user_query: 'ps4', query_attributes: {} }],
  ['search', { type: 'Search', phrase: 'go' }, { message: 'go', session_id: 's', user_id: '', event_attributes: null }],
  [
    'on_search',
    { type: 'Search', phrase: 'bag', resultsCount: 0 },
    { message: 'bag', event_attributes: { result_count: 0, session_id: 's' } },
  ],
  [
    'view_search_results',
    { type: 'Search', phrase: 'knn', resultsCount: 44 },
    { message: 'a note', ...attributes({ search_term: 'knn', results_num: 44 }) },
  ],
  [
    'product_sort',
    { type: 'Search', phrase: 'ps4', sort: 'Sorting on price' },
    { message: 'Sorting on price', event_attributes: { data: { object_id: 'none' } } },
  ],
  [
    'brand_filter',
    { type: 'Search', phrase: 'ps4', filters: [{ field: 'brand', values: ['X'] }] },
    { ...attributes(filter), message: 'Filtering' },
  ],
  ['type_filter', { type: 'Search', phrase: 'ps4' }, attributes(filter)],
  [
    'impression',
    { type: 'ProductsShown', products: [{ productId: 'B077', position: 0 }] },
    { ...attributes(product, { ordinal: 0 }), session_id: 's', timestamp: new Date(AT).toISOString() },
  ],
  ['click', { type: 'ProductClicked', productId: 'B077', position: 3 }, attributes(product, { ordinal: 3 })],
  ['item_click', { type: 'ProductClicked', position: null }, attributes({ ...product, id: 7991549050277126 })],
  ['add_to_cart', { type: 'ProductAddedToCart', productId: 'B077', quantity: 1 }, attributes(product)],
  [
    'purchase',
    { type: 'OrderCreated', orderId: 'T-1', total: 22695 },
    attributes({ ...product, transaction_id: 'T-1', object_detail: { price: 22695 } }),
  ],
  ['global_click', undefined, attributes({ object_id: 'O', object_id_field: 'click_location' })],
  ['product_hover', undefined, attributes(product)],
  ['page_exit', undefined, attributes(product)],
];

it('each kind of line of a search log becomes its event, and is taken as it is', () => {
  const text = LINES.map(([kind, , line]) => {
    const action = kind === 'query' ? {} : { action_name: kind };
    return `{"index":{"_index":"ubi"}}\n${JSON.stringify({ ...ABOUT, ...action, ...line })}\n`;
  });
  const read = readUbi(text.join(''));
  expect(read.map(({ kind }) => kind)).toEqual(LINES.map(([kind]) => kind));
  expect(read.map(({ event }) => event ?? {})).toMatchObject(
    LINES.map(([, event]) => (event ? { ...event, anonymousId: 'c-1' } : {})),
  );
  const without = read.filter(({ event }) => event === undefined).map(({ kind }) => kind);
  expect(without).toEqual(['global_click', 'product_hover', 'page_exit']);
  expect(faultsOf(read.flatMap(({ event }) => (event ? [event] : [])))).toEqual([]);
});

const HEADER = 'InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country';

it('each kind of invoice becomes an order or a refund, and is taken as it is', () => {
  const rows = [
    '536365,85123A,"SET 3 ""RETRO"" TEA,COFFEE",6,2026-11-20 08:26:00,2.55,17850.0,United Kingdom',
    '536365,POST,POSTAGE,1,2026-11-20 08:26:00,18.0,17850.0,United Kingdom',
    'C536379,D,Discount,-1,2026-11-20 09:41:00,27.5,14527.0,United Kingdom',
    '536414,22139,,56,2026-11-20 11:52:00,0.0,,United Kingdom',
    '536589,21777,damaged,-10,2026-11-20 16:50:00,0.0,,United Kingdom',
    'A563185,B,Adjust bad debt,1,2026-11-20 14:50:00,-11062.06,,United Kingdom',
    '536544,PADS,PADS TO MATCH ALL CUSHIONS,1,2026-11-20 14:50:00,0.001,,United Kingdom',
  ];
  const { events, netUnits } = readInvoices([HEADER, ...rows, ''].join('\r\n'));
  expect(events).toMatchObject([
    { type: 'OrderCreated', orderId: '536365', total: 33.3, lines: [{ name: 'SET 3 "RETRO" TEA,COFFEE' }, {}] },
    { type: 'OrderRefunded', orderId: 'C536379', amount: 27.5, lines: [{ quantity: 1, amount: 27.5 }] },
    { type: 'OrderCreated', total: 0 },
    { type: 'OrderCreated', lines: [{ quantity: -10 }] },
    { type: 'OrderCreated', total: -11_062.06 },
    { type: 'OrderCreated', total: 0.001 },
  ]);
  expect(netUnits).toBe(333_000n - 275_000n - 110_620_600n + 10n);
  expect(faultsOf(events)).toEqual([]);
  expect(() => readInvoices('InvoiceNo,Quantity\n')).toThrow('StockCode');
});
