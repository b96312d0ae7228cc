import { randomUUID } from 'node:crypto';

type Fields = Record<string, unknown>;

/** A line of a search log: its kind, and the event that Spor has for it. */
export interface UbiEvent {
  /** `query`, or the line's `action_name`. */
  kind: string;
  /** Absent: Spor has no such event. */
  event?: Fields;
}

/** Objects that are no products: filters, places on a page and sort orders. */
const NO_PRODUCT = new Set(['filter_data', 'click_location', 'sort_event']);

/**
 * Turn a search log of User Behavior Insights 1.3 into events, line by line. Pure.
 *
 * The log is newline-delimited JSON in OpenSearch's bulk form. Values stay as the log has them: positions from 0,
 * empty user ids, numbers as ids. A filter and a sort order show the results of a search again, so they are searches
 * with its id and phrase.
 */
export function readUbi(text: string): UbiEvent[] {
  const lines = text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as Fields)
    .filter((line) => !('index' in line && Object.keys(line).length === 1));
  const phrases = new Map<unknown, string>();
  for (const line of lines) {
    const phrase = phraseOf(line);
    if (phrase !== undefined && !phrases.has(line.query_id)) phrases.set(line.query_id, phrase);
  }
  return lines.map((line) => {
    const kind = kindOf(line);
    const own = EVENTS[kind]?.(line, phrases.get(line.query_id) ?? '');
    return own === undefined ? { kind } : { kind, event: { ...common(line), ...own } };
  });
}

function kindOf({ action_name: action }: Fields): string {
  return typeof action === 'string' ? action : 'query';
}

/** Own fields of the event by the kind of line; undefined for a line without a product. */
const EVENTS: Record<string, (line: Fields, phrase: string) => Fields | undefined> = {
  query: (line) => ({ ...search(line, line.user_query), resultIds: line.query_response_hit_ids }),
  search: (line, phrase) => search(line, phraseOf(line) ?? phrase),
  on_search: (line, phrase) => search(line, phraseOf(line) ?? phrase),
  view_search_results: (line, phrase) => search(line, phraseOf(line) ?? phrase),
  product_sort: (line, phrase) => ({ ...search(line, phrase), sort: line.message }),
  brand_filter: filtered,
  type_filter: filtered,
  impression: (line) => {
    const product = productOf(line);
    return product && { type: 'ProductsShown', searchId: line.query_id, products: [product] };
  },
  click: clicked,
  item_click: clicked,
  add_to_cart: (line) => {
    const product = productOf(line);
    return (
      product && { type: 'ProductAddedToCart', searchId: line.query_id, productId: product.productId, quantity: 1 }
    );
  },
  purchase: (line) => {
    const object = objectOf(line);
    const { price } = fieldsOf(object.object_detail);
    const bought = { productId: object.object_id, quantity: 1, unitPrice: price, searchId: line.query_id };
    // The log has no currency; XXX is ISO 4217's word for that.
    return { type: 'OrderCreated', orderId: object.transaction_id, currency: 'XXX', total: price, lines: [bought] };
  },
};

function search(line: Fields, phrase: unknown): Fields {
  const { result_count: count } = fieldsOf(line.event_attributes);
  const resultsCount = objectOf(line).results_num ?? count ?? null;
  return { type: 'Search', searchId: line.query_id, phrase, resultsCount };
}

function filtered(line: Fields, phrase: string): Fields {
  const { description, object_detail: detail } = objectOf(line);
  return { ...search(line, phrase), filters: [{ field: description, values: [fieldsOf(detail).filter] }] };
}

function clicked(line: Fields): Fields | undefined {
  const product = productOf(line);
  return product && { type: 'ProductClicked', searchId: line.query_id, ...product };
}

function productOf(line: Fields): { productId: unknown; position: unknown } | undefined {
  const { object_id: productId, object_id_field: field } = objectOf(line);
  const { ordinal } = fieldsOf(fieldsOf(line.event_attributes).position);
  return productId === undefined || NO_PRODUCT.has(String(field))
    ? undefined
    : { productId, position: ordinal ?? null };
}

/** The phrase that a line says itself. Messages of other lines are notes of the application. */
function phraseOf(line: Fields): string | undefined {
  const said = ['search', 'on_search'].includes(kindOf(line)) ? line.message : undefined;
  const phrase = line.user_query ?? objectOf(line).search_term ?? said;
  return typeof phrase === 'string' ? phrase : undefined;
}

function common({ timestamp, session_id: session, client_id: client, user_id: user, ...line }: Fields): Fields {
  return {
    eventId: randomUUID(),
    timestamp: new Date(timestamp as string | number).toISOString(),
    sessionId: session ?? fieldsOf(line.event_attributes).session_id ?? null,
    anonymousId: client,
    userId: user ?? null,
    properties: { application: line.application },
  };
}

function objectOf(line: Fields): Fields {
  return fieldsOf(fieldsOf(line.event_attributes).object);
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
