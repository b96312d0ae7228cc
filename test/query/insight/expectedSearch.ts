import { grouped, type Chains, type Line } from './chains.ts';
import { backByLine } from './laterWords.ts';
import { decimal, FROM, TO, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';

/** What the search reports must say, calculated from chains. The period is FROM to TO, the segment any or one. */
export interface Asked {
  chains: Chains;
  segment?: string;
}

export function inPeriod({ segment }: Asked): (fact: Pick<Fact, 'day' | 'segment'>) => boolean {
  return (fact) => fact.day >= FROM && fact.day < TO && (segment === undefined || fact.segment === segment);
}

export interface Outcome {
  search: Fact;
  clicks: Fact[];
  inferred: number;
  carts: number;
  lines: Line[];
  next: string | undefined;
}

/** Searches begun in the period with what they led to. */
export function outcomes(asked: Asked): Outcome[] {
  const { chains } = asked;
  const ledBy = <T extends Fact | Line>(items: readonly T[]): Map<string, T[]> =>
    grouped(
      items.filter((item) => chains.led.get(item)!.searchKey !== undefined),
      (item) => chains.led.get(item)!.searchKey!,
    );
  const clicks = ledBy(chains.clicks);
  const carts = ledBy(chains.carts);
  const lines = ledBy(chains.lines);
  const visits = grouped(chains.searches, ({ sessionId }) => sessionId);
  return chains.searches.filter(inPeriod(asked)).map((search) => {
    const key = search.sent.searchId!;
    const visit = visits.get(search.sessionId)!;
    const next = visit[visit.indexOf(search) + 1];
    const soon = next && next.atMs - search.atMs <= 5 * 60_000 && next.sent.phrase !== search.sent.phrase;
    const own = clicks.get(key) ?? [];
    return {
      search,
      clicks: own,
      inferred: own.filter((click) => chains.led.get(click)!.method === 'inferred').length,
      carts: carts.get(key)?.length ?? 0,
      lines: lines.get(key) ?? [],
      next: soon ? next.sent.phrase : undefined,
    };
  });
}

export function expectedOverview(asked: Asked): Row[] {
  return [metrics(outcomes(asked), asked)];
}

export function expectedDaily(asked: Asked): Row[] {
  const days = grouped(outcomes(asked), ({ search }) => search.day);
  return [...days].map(([date, day]) => ({ date, ...metrics(day, asked) }));
}

export function expectedPhrases(asked: Asked): Row[] {
  return [...byPhrase(outcomes(asked))].map(([phrase, group]) => ({
    phrase,
    average_results: mean(group.map(({ search }) => search.sent.resultsCount!)),
    ...metrics(group, asked),
  }));
}

export function expectedRevenue(asked: Asked): Row[] {
  return [...byPhrase(outcomes(asked))].flatMap(([phrase, group]) => {
    const lines = group.flatMap((outcome) => outcome.lines);
    if (lines.length === 0) return [];
    const revenue = sum(lines.map(({ total }) => total));
    const inferred = lines.filter((line) => asked.chains.led.get(line)!.method === 'inferred');
    const refunded = refundedOf(lines, asked);
    return [
      {
        phrase,
        currency: 'DKK',
        prices_include_tax: null,
        searches: group.length,
        orders: new Set(lines.map(({ order }) => order.sent.orderId)).size,
        order_lines: lines.length,
        quantity: decimal(sum(lines.map(({ quantity }) => quantity)) * 1e4),
        revenue: decimal(revenue),
        refunded: decimal(refunded),
        net_revenue: decimal(revenue - refunded),
        revenue_per_search: revenue / 1e4 / group.length,
        inferred_share: sum(inferred.map(({ total }) => total)) / revenue,
      },
    ];
  });
}

/** What was sold of each product after a search for each phrase. */
export function expectedPhraseSales(asked: Asked): Row[] {
  return [...byPhrase(outcomes(asked))].flatMap(([phrase, group]) => {
    const lines = group.flatMap((outcome) => outcome.lines);
    return [...grouped(lines, ({ productId }) => productId)].map(([product, own]) => {
      const revenue = sum(own.map(({ total }) => total));
      const refunded = refundedOf(own, asked);
      return {
        phrase,
        product_id: product,
        currency: 'DKK',
        prices_include_tax: null,
        orders: new Set(own.map(({ order }) => order.sent.orderId)).size,
        quantity: decimal(sum(own.map(({ quantity }) => quantity)) * 1e4),
        revenue: decimal(revenue),
        refunded: decimal(refunded),
        net_revenue: decimal(revenue - refunded),
      };
    });
  });
}

/** What was given back of lines, at any time. */
export function refundedOf(lines: readonly Line[], { chains }: Asked): number {
  const back = backByLine(chains.back);
  return sum(lines.map(({ order, number }) => back.get(`${order.eventId} ${number}`) ?? 0));
}

export function expectedPositions(asked: Asked): Row[] {
  const all = outcomes(asked);
  const positions = all.flatMap(({ clicks }) => clicks.map((click) => click.sent.position!));
  const shown = all.flatMap(({ search, clicks }) => {
    const clicked = new Set(clicks.map((click) => click.sent.productId));
    return search.sent.resultIds!.map((productId, index) => ({ position: index + 1, clicked: clicked.has(productId) }));
  });
  const every = [...new Set([...positions, ...shown.map(({ position }) => position)])];
  return every.map((position) => {
    const places = shown.filter((one) => one.position === position);
    const clicks = positions.filter((one) => one === position).length;
    const clicked = places.filter((one) => one.clicked).length;
    return {
      position,
      clicks,
      share: clicks / positions.length,
      cumulative_share: positions.filter((one) => one <= position).length / positions.length,
      shown: places.length,
      clicked,
      click_rate: clicked / places.length,
    };
  });
}

export function expectedZeroResults(asked: Asked): Row[] {
  return [...byPhrase(outcomes(asked))].flatMap(([phrase, group]) => {
    const zero = group.filter(({ search }) => search.sent.resultsCount === 0);
    if (zero.length === 0) return [];
    return [
      {
        phrase,
        zero_results: zero.length,
        searches: group.length,
        zero_result_rate: zero.length / group.length,
        visitors: new Set(zero.map(({ search }) => asked.chains.visitorOf(search))).size,
        refined: zero.filter(({ next }) => next !== undefined).length / zero.length,
        last_searched_at: new Date(Math.max(...zero.map(({ search }) => search.atMs))).toISOString(),
      },
    ];
  });
}

export function expectedNoClicks(asked: Asked): Row[] {
  const found = outcomes(asked).filter(({ search }) => search.sent.resultsCount! > 0);
  return [...byPhrase(found)].flatMap(([phrase, group]) => {
    if (group.some(({ clicks, carts }) => clicks.length + carts > 0)) return [];
    return [
      {
        phrase,
        searches: group.length,
        average_results: mean(group.map(({ search }) => search.sent.resultsCount!)),
        refined: group.filter(({ next }) => next !== undefined).length / group.length,
        last_searched_at: new Date(Math.max(...group.map(({ search }) => search.atMs))).toISOString(),
      },
    ];
  });
}

export function expectedRefinements(asked: Asked): Row[] {
  return [...byPhrase(outcomes(asked))].flatMap(([phrase, group]) => {
    const refined = grouped(
      group.filter(({ next }) => next !== undefined),
      ({ next }) => next!,
    );
    return [...refined].map(([next, pairs]) => ({
      phrase,
      next_phrase: next,
      refinements: pairs.length,
      share: pairs.length / group.length,
      after_zero_results: pairs.filter(({ search }) => search.sent.resultsCount === 0).length,
      without_click: pairs.filter(({ clicks }) => clicks.length === 0).length,
    }));
  });
}

export function expectedFilters(asked: Asked): Row[] {
  const all = outcomes(asked);
  const findable = new Set(
    all
      .filter(({ search }) => !search.sent.filters && search.sent.resultsCount! > 0)
      .map(({ search }) => search.sent.phrase),
  );
  const uses = all.flatMap((outcome) =>
    (outcome.search.sent.filters ?? []).flatMap(({ field, values }) =>
      values.map((value) => ({ outcome, field, value })),
    ),
  );
  return [...grouped(uses, ({ field, value }) => `${field}\n${value}`).values()].map((group) => {
    const zero = group.filter(({ outcome }) => outcome.search.sent.resultsCount === 0);
    return {
      field: group[0]!.field,
      value: group[0]!.value,
      searches: group.length,
      share: group.length / all.length,
      zero_results: zero.length,
      zero_result_rate: zero.length / group.length,
      filtered_to_zero: zero.filter(({ outcome }) => findable.has(outcome.search.sent.phrase)).length,
      ctr: group.filter(({ outcome }) => outcome.clicks.length > 0).length / group.length,
    };
  });
}

/** The two days against the two before. */
export function expectedRising(asked: Asked): Row[] {
  const days = Date.parse(TO) - Date.parse(FROM);
  const now = asked.chains.searches.filter(inPeriod(asked));
  const before = asked.chains.searches.filter(
    ({ atMs, segment }) =>
      atMs >= Date.parse(FROM) - days && atMs < Date.parse(FROM) && (asked.segment ?? segment) === segment,
  );
  const count = (facts: Fact[]): Map<string, number> =>
    new Map([...grouped(facts, ({ sent }) => sent.phrase!)].map(([phrase, group]) => [phrase, group.length]));
  const counted = count(now);
  const countedBefore = count(before);
  return [...counted].flatMap(([phrase, searches]) => {
    const old = countedBefore.get(phrase) ?? 0;
    const rise = searches / now.length - old / before.length;
    if (rise <= 0 || searches <= old) return [];
    const pooled = (searches + old) / (now.length + before.length);
    return [
      {
        phrase,
        searches,
        searches_before: old,
        change: searches - old,
        growth: old === 0 ? null : searches / old - 1,
        z: rise / Math.sqrt(pooled * (1 - pooled) * (1 / now.length + 1 / before.length)),
      },
    ];
  });
}

function metrics(group: readonly Outcome[], { chains }: Asked): Row {
  const share = (holds: (outcome: Outcome) => boolean, of: readonly Outcome[] = group): number | null =>
    of.length === 0 ? null : of.filter(holds).length / of.length;
  const clicks = group.flatMap((outcome) => outcome.clicks);
  const best = ({ clicks: own }: Outcome): number => Math.min(Infinity, ...own.map(({ sent }) => sent.position!));
  const reciprocals = group
    .filter(({ clicks: own }) => own.length > 0)
    .map((outcome) => 1 / firstPosition(outcome.clicks));
  return {
    searches: group.length,
    visitors: new Set(group.map(({ search }) => chains.visitorOf(search))).size,
    zero_results: group.filter(({ search }) => search.sent.resultsCount === 0).length,
    zero_result_rate: share(({ search }) => search.sent.resultsCount === 0),
    clicks: clicks.length,
    clicked_searches: reciprocals.length,
    ctr: share((outcome) => outcome.clicks.length > 0),
    ctr_at_1: share((outcome) => best(outcome) <= 1),
    ctr_at_3: share((outcome) => best(outcome) <= 3),
    ctr_at_10: share((outcome) => best(outcome) <= 10),
    mrr: group.length === 0 ? null : sum(reciprocals) / group.length,
    mrr_clicked: reciprocals.length === 0 ? null : mean(reciprocals),
    average_click_position:
      reciprocals.length === 0 ? null : mean(reciprocals.map((reciprocal) => Math.round(1 / reciprocal))),
    abandonment_rate: share(
      (outcome) => outcome.clicks.length + outcome.carts === 0,
      group.filter(({ search }) => search.sent.resultsCount! > 0),
    ),
    refinement_rate: share(({ next }) => next !== undefined),
    cart_rate: share(({ carts }) => carts > 0),
    purchase_rate: share(({ lines }) => lines.length > 0),
    inferred_click_share: clicks.length === 0 ? null : sum(group.map(({ inferred }) => inferred)) / clicks.length,
  };
}

function firstPosition(clicks: readonly Fact[]): number {
  const first = [...clicks].sort((a, b) => a.atMs - b.atMs || a.sent.position! - b.sent.position!)[0]!;
  return first.sent.position!;
}

function byPhrase(all: readonly Outcome[]): Map<string, Outcome[]> {
  return grouped(all, ({ search }) => search.sent.phrase!);
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

export function mean(values: readonly number[]): number {
  return sum(values) / values.length;
}
