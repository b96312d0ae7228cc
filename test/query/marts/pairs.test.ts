import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { openDuckdb } from '../../../lake/duckdb/duckdb.ts';
import { listMarts } from '../../../query/marts/mart.ts';
import { REGISTRY } from '../../support/lakeFixture.ts';

const PRODUCTS = 30_000;
const BASKETS = 26_000;

const dir = await mkdtemp(join(tmpdir(), 'spor-test-pairs-'));
afterAll(() => rm(dir, { recursive: true, force: true }));

test('pairs of 30,000 products fit into a gibibyte', async () => {
  const { sql } = listMarts(REGISTRY).find(({ name }) => name === 'product_pairs')!;
  const engine = openDuckdb({ memory: '1GiB', threads: 1, spillDir: join(dir, 'spill') });
  const session = engine.session();
  try {
    // A day as pairs_daily holds it: 5 visits with each product, 3 with each and the next, and all visits.
    const file = join(dir, 'pairs_daily.parquet');
    await session.run(`COPY (
        SELECT 'click' AS kind, 'P' || i AS product_a, NULL::VARCHAR AS product_b, 5::BIGINT AS baskets
        FROM range(${PRODUCTS}) AS all_products(i)
        UNION ALL
        SELECT 'click', 'P' || i, 'P' || (i + 1), 3 FROM range(${PRODUCTS - 1}) AS neighbours(i)
        UNION ALL
        SELECT 'click', NULL, NULL, ${BASKETS}
      ) TO '${file}' (FORMAT parquet)`);
    await session.run(`CREATE TEMP VIEW pairs_daily AS SELECT * FROM read_parquet(['${file}'])`);
    const [found] = await session.run(
      `SELECT count(*)::INTEGER AS pairs, min(lift) AS least, max(lift) AS most, min(confidence_a_to_b) AS confidence
      FROM (${sql})`,
    );
    const lift = (3 * BASKETS) / (5 * 5);
    expect(found).toEqual({ pairs: PRODUCTS - 1, least: lift, most: lift, confidence: 3 / 5 });
  } finally {
    await session.close();
    await engine.close();
  }
});
