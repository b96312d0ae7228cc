import { csvLine } from '../../query/formats/formats.ts';
import type { Json } from '../../query/formats/values.ts';

/** Columns of an item interactions dataset, in the order of the file. */
const COLUMNS = ['USER_ID', 'ITEM_ID', 'TIMESTAMP', 'EVENT_TYPE', 'EVENT_VALUE'];

/**
 * Interactions of visitors who agreed to personalization. $FROM and $TO become moments.
 *
 * A click opens the product, so it is a View, as the ECOMMERCE domain names it.
 */
export const PERSONALIZE_INTERACTIONS = `
SELECT visitor_id AS "USER_ID", product_id AS "ITEM_ID", (epoch_us(event_time) // 1000000)::BIGINT AS "TIMESTAMP",
  CASE type WHEN 'ProductClicked' THEN 'View' WHEN 'ProductAddedToCart' THEN 'AddToCart' ELSE 'Purchase' END AS "EVENT_TYPE",
  quantity::DOUBLE AS "EVENT_VALUE"
FROM touches
WHERE event_time >= $FROM AND event_time < $TO
ORDER BY "TIMESTAMP", "USER_ID", "ITEM_ID", "EVENT_TYPE"`;

/**
 * The CSV file that Amazon Personalize imports as item interactions.
 *
 * https://docs.aws.amazon.com/personalize/latest/dg/ECOMMERCE-interactions-dataset.html
 */
export function personalizeInteractions(rows: readonly Record<string, Json>[]): string {
  return [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => row[name] ?? null))]
    .map((cells) => csvLine(cells))
    .join('');
}
