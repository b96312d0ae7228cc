import { grouped } from './chains.ts';
import { wilson } from './expectedProduct.ts';
import { mean, outcomes, sum, type Asked, type Outcome } from './expectedSearch.ts';
import type { Row } from './rows.ts';

/** Parameters that these calculations take for given. */
export const JUDGMENT_PARAMETERS = { min_examined: 3, steps: 5 };
const PLACES = 4;
export const QUALITY_PARAMETERS = { ...JUDGMENT_PARAMETERS, k: PLACES };

/** One product on one page of results. */
interface Impression {
  phrase: string;
  productId: string;
  position: number;
  clicked: boolean;
}

interface Judged {
  phrase: string;
  productId: string;
  shown: number;
  clicks: number;
  position: number;
  examined: number;
  low: number;
  high: number;
  grade: number;
}

function impressionsOf({ search, clicks }: Outcome): Impression[] {
  const clicked = new Set(clicks.map(({ sent }) => sent.productId));
  return search.sent.resultIds!.map((productId, index) => ({
    phrase: search.sent.phrase!,
    productId,
    position: index + 1,
    clicked: clicked.has(productId),
  }));
}

/** The position-based model, one impression at a time. */
function judge(asked: Asked): Judged[] {
  const impressions = outcomes(asked).flatMap(impressionsOf);
  const products = grouped(impressions, ({ phrase, productId }) => `${phrase}\n${productId}`);
  const places = grouped(impressions, ({ position }) => String(position));
  let looks = new Map([...places.keys()].map((key) => [key, 0.5]));
  let attracts = new Map([...products.keys()].map((key) => [key, 0.5]));
  const chances = ({ phrase, productId, position }: Impression): [number, number] => [
    looks.get(String(position))!,
    attracts.get(`${phrase}\n${productId}`)!,
  ];
  for (let step = 0; step < JUDGMENT_PARAMETERS.steps; step++) {
    const lookedAt = (one: Impression): number => {
      const [look, attract] = chances(one);
      return one.clicked ? 1 : (look * (1 - attract)) / (1 - look * attract);
    };
    const attracted = (one: Impression): number => {
      const [look, attract] = chances(one);
      return one.clicked ? 1 : (attract * (1 - look)) / (1 - look * attract);
    };
    const newLooks = new Map([...places].map(([key, own]) => [key, mean(own.map(lookedAt))]));
    attracts = new Map([...products].map(([key, own]) => [key, mean(own.map(attracted))]));
    looks = newLooks;
  }
  const most = Math.max(...looks.values());
  const judged = [...products.values()].flatMap((own) => {
    const examined = sum(own.map(({ position }) => looks.get(String(position))! / most));
    if (examined < JUDGMENT_PARAMETERS.min_examined) return [];
    const clicks = own.filter(({ clicked }) => clicked).length;
    const [low, high] = wilson(Math.min(clicks, examined), examined);
    const { phrase, productId } = own[0]!;
    const position = mean(own.map((one) => one.position));
    return [{ phrase, productId, shown: own.length, clicks, position, examined, low, high, grade: 0 }];
  });
  for (const own of grouped(judged, ({ phrase }) => phrase).values()) {
    const best = Math.max(...own.map(({ low }) => low));
    for (const one of own) one.grade = best > 0 ? Math.round((3 * one.low) / best) : 0;
  }
  return judged;
}

export function expectedJudgments(asked: Asked): Row[] {
  return judge(asked).map((one) => ({
    phrase: one.phrase,
    product_id: one.productId,
    shown: one.shown,
    clicks: one.clicks,
    average_position: one.position,
    examined: one.examined,
    attractiveness: Math.min(1, one.clicks / one.examined),
    attractiveness_low: one.low,
    attractiveness_high: one.high,
    grade: one.grade,
  }));
}

export function expectedQuality(asked: Asked): Row[] {
  const grades = new Map(judge(asked).map(({ phrase, productId, grade }) => [`${phrase}\n${productId}`, grade]));
  const gain = (grade: number, place: number): number => (2 ** grade - 1) / Math.log2(1 + place);
  const withResults = outcomes(asked).filter(({ search }) => search.sent.resultIds!.length > 0);
  return [...grouped(withResults, ({ search }) => `${search.day}\n${search.sent.phrase!}`)].map(([key, own]) => {
    const [date, phrase] = key.split('\n') as [string, string];
    const known = [...grades].filter(([of]) => of.startsWith(`${phrase}\n`)).map(([, grade]) => grade);
    const best = known.sort((a, b) => b - a).slice(0, PLACES);
    const ideal = sum(best.map((grade, index) => gain(grade, index + 1)));
    const shown = own.map((outcome) => impressionsOf(outcome).slice(0, PLACES));
    const gradeOf = ({ productId }: Impression): number | undefined => grades.get(`${phrase}\n${productId}`);
    const reciprocal = ({ clicks }: Outcome): number => (clicks.length === 0 ? 0 : 1 / firstPosition(clicks));
    return {
      date,
      phrase,
      searches: own.length,
      ndcg:
        ideal === 0
          ? null
          : mean(shown.map((list) => sum(list.map((one) => gain(gradeOf(one) ?? 0, one.position))) / ideal)),
      judged_share: shown.flat().filter((one) => gradeOf(one) !== undefined).length / shown.flat().length,
      mrr: mean(own.map(reciprocal)),
    };
  });
}

function firstPosition(clicks: Outcome['clicks']): number {
  const byTime = [...clicks].sort((a, b) => a.atMs - b.atMs || a.sent.position! - b.sent.position!);
  return byTime[0]!.sent.position!;
}

export function expectedLostMoney(asked: Asked): Row[] {
  const phrases = grouped(outcomes(asked), ({ search }) => search.sent.phrase!);
  const lost: { phrase: string; reason: string; searches: Outcome[] }[] = [];
  const alike: Outcome[] = [];
  for (const [phrase, own] of phrases) {
    const found = own.filter(({ search }) => search.sent.resultsCount! > 0);
    const unclicked = found.every(({ clicks, carts }) => clicks.length + carts === 0);
    lost.push({ phrase, reason: 'nothing_found', searches: own.filter((one) => !found.includes(one)) });
    if (unclicked) lost.push({ phrase, reason: 'not_clicked', searches: found });
    else alike.push(...found);
  }
  const wordsOf = (phrase: string): number => Math.min(3, phrase.split(' ').length);
  return lost.flatMap(({ phrase, reason, searches }) => {
    const like = alike.filter(({ search }) => wordsOf(search.sent.phrase!) === wordsOf(phrase));
    const revenue = sum(like.flatMap(({ lines }) => lines.map(({ total }) => total))) / 1e4;
    if (searches.length === 0 || revenue === 0) return [];
    return [
      {
        phrase,
        reason,
        currency: 'DKK',
        prices_include_tax: null,
        searches: searches.length,
        visitors: new Set(searches.map(({ search }) => asked.chains.visitorOf(search))).size,
        words: wordsOf(phrase),
        like_searches: like.length,
        like_revenue_per_search: revenue / like.length,
        lost: (searches.length * revenue) / like.length,
      },
    ];
  });
}
