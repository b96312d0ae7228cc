import type { DuckDBConnection } from '@duckdb/node-api';
import { createEventTable, type StoredEvent } from './eventTable.ts';

/** Hand-made events: fields as a sender writes them, plus what the server adds. */
export interface HandMade extends Record<string, unknown> {
  type: keyof typeof DEFAULTS;
  /** `10:00` on 2026-11-02, or a whole timestamp. */
  at: string;
  server?: Partial<StoredEvent>;
}

/** The period that holds the day of hand-made events and the next. */
export const PERIOD = { from: '2026-11-02', to: '2026-11-04' };

const DEFAULTS = {
  Search: { phrase: 'shoes', resultsCount: 10 },
  ProductClicked: { productId: 'P1' },
  ProductViewed: { productId: 'P1' },
  ProductsShown: { products: [{ productId: 'P1', position: 1 }] },
  ProductAddedToCart: { productId: 'P1', quantity: 1 },
  ProductRemovedFromCart: { productId: 'P1', quantity: 1 },
  CheckoutStarted: {},
  OrderCreated: {
    orderId: 'O1',
    currency: 'DKK',
    total: 100,
    lines: [{ productId: 'P1', quantity: 1, unitPrice: 100 }],
  },
  OrderCorrected: { orderId: 'O1' },
  OrderCancelled: { orderId: 'O1' },
  OrderRefunded: { orderId: 'O1' },
};

/** Replaces what is stored by these events: one visitor in one visit, where an event does not say otherwise. */
export async function storeDay(connection: DuckDBConnection, events: readonly HandMade[]): Promise<void> {
  await createEventTable(connection, events.map(storedEvent));
}

function storedEvent({ type, at, server, ...fields }: HandMade, index: number): StoredEvent {
  const event = {
    eventId: `00000000-0000-7000-8000-${index.toString().padStart(12, '0')}`,
    type,
    timestamp: at.includes('T') ? at : `2026-11-02T${at}:00Z`,
    sessionId: 's1',
    anonymousId: 'a1',
    ...DEFAULTS[type],
    ...fields,
  };
  return { json: JSON.stringify(event), segmentId: 'web', ...server };
}
