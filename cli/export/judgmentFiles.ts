import { csvLine } from '../../query/formats/formats.ts';

/** A row of the report `judgments`. */
export interface Judgment {
  phrase: string;
  product_id: string;
  /** 0 to 3. */
  grade: number;
}

/**
 * The body of `PUT _plugins/_search_relevance/judgments`, as OpenSearch's Search Relevance Workbench imports it.
 *
 * https://docs.opensearch.org/latest/search-plugins/search-relevance/judgments/
 */
export function opensearchJudgments(judgments: readonly Judgment[], name: string): string {
  const judgmentRatings = [...byPhrase(judgments)].map(([query, own]) => ({
    query,
    ratings: own.map(({ product_id: docId, grade }) => ({ docId, rating: grade.toFixed(3) })),
  }));
  const description = 'By Spor, from impressions and clicks, corrected for position';
  return `${JSON.stringify({ name, description, type: 'IMPORT_JUDGMENT', judgmentRatings }, null, 2)}\n`;
}

/** The CSV file that Quepid imports as ratings: query, docid, rating. */
export function quepidRatings(judgments: readonly Judgment[]): string {
  const lines = judgments.map(({ phrase, product_id, grade }) => csvLine([phrase, product_id, grade]));
  return [csvLine(['query', 'docid', 'rating']), ...lines].join('');
}

/**
 * A ratings file of the Rated Ranking Evaluator: a group of queries for each phrase, with the gain of each product.
 *
 * The template `only_q.json` is the one that its archetypes have. Products with grade 0 are not relevant, so they are
 * not named. https://github.com/SeaseLtd/rated-ranking-evaluator/wiki
 */
export function rreRatings(judgments: readonly Judgment[], index: string): string {
  const relevant = judgments.filter(({ grade }) => grade > 0);
  const groups = [...byPhrase(relevant)].map(([phrase, own]) => ({
    name: phrase,
    description: phrase,
    queries: [{ template: 'only_q.json', placeholders: { $query: phrase } }],
    relevant_documents: Object.fromEntries(own.map(({ product_id, grade }) => [product_id, { gain: grade }])),
  }));
  const topics = [{ description: 'Phrases of visitors', query_groups: groups }];
  return `${JSON.stringify({ index, id_field: 'id', topics }, null, 2)}\n`;
}

function byPhrase(judgments: readonly Judgment[]): Map<string, Judgment[]> {
  return Map.groupBy(judgments, ({ phrase }) => phrase);
}
