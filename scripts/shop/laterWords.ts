import type { Random } from './random.ts';

/** An order as a visitor placed it. */
export interface PlacedOrder {
  orderId: string;
  currency: string;
  total: number;
  lines: readonly { productId: string; variantId?: string; quantity: number; unitPrice: number }[];
}

/** What the shop's backend says of an order later. */
export interface LaterWord {
  type: 'OrderCancelled' | 'OrderCorrected' | 'OrderRefunded';
  /** Time after the order. */
  afterMs: number;
  fields: Record<string, unknown>;
}

type Said = Omit<LaterWord, 'afterMs'>;

const MEAN_MS = 20 * 60_000;
const GIFT_WRAP = 2;

/** What becomes of orders, with the share of each. The others stay as they are. */
const FATES: readonly { share: number; words: (order: PlacedOrder) => readonly Said[] }[] = [
  { share: 0.06, words: (order) => [refund({ lines: [oneOf(order)] })] },
  { share: 0.02, words: ({ total, currency }) => [refund({ amount: Math.min(5, total), currency })] },
  { share: 0.02, words: () => [refund({})] },
  { share: 0.03, words: () => [{ type: 'OrderCancelled', fields: { reason: 'out of stock' } }] },
  { share: 0.04, words: () => [corrected({ status: 'On hold' }), corrected({ status: 'Paid' })] },
  { share: 0.02, words: () => [corrected({ status: 'On hold' })] },
  { share: 0.02, words: ({ total }) => [corrected({ total: Math.round((total + GIFT_WRAP) * 100) / 100 })] },
  { share: 0.01, words: () => [corrected({ test: true })] },
];

/**
 * Later words about one order, in order of time. Pure.
 * @param pace factor on the times after the order
 */
export function laterWords(order: PlacedOrder, random: Random, pace: number): LaterWord[] {
  let target = random.next();
  const fate = FATES.find(({ share }) => (target -= share) < 0);
  let afterMs = 0;
  return (fate?.words(order) ?? []).map((word) => {
    afterMs += 1_000 + Math.round(random.exponential(MEAN_MS) * pace);
    return { ...word, afterMs, fields: { orderId: order.orderId, ...word.fields } };
  });
}

/** One piece of the first line. */
function oneOf({ lines: [first] }: PlacedOrder): Record<string, unknown> {
  const { productId, variantId } = first!;
  return { productId, ...(variantId === undefined ? {} : { variantId }), quantity: 1 };
}

function refund(fields: Record<string, unknown>): Said {
  return { type: 'OrderRefunded', fields };
}

function corrected(fields: Record<string, unknown>): Said {
  return { type: 'OrderCorrected', fields };
}
