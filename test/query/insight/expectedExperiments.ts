import { grouped } from './chains.ts';
import { wilson } from './expectedProduct.ts';
import { inPeriod, outcomes, sum, type Asked } from './expectedSearch.ts';
import { FROM, TO, type Fact } from './ledger.ts';
import type { Row } from './rows.ts';
import { DAY_MS } from '../../../runtime/units.ts';

const CAP_PERCENT = 90;
const EFFECT = 0.1;
const CONTROL = 'control';

/** Parameters that these calculations take for given. */
export const EXPERIMENT_PARAMETERS = { cap_percent: CAP_PERCENT, effect: EFFECT };

/** A visitor of an experiment in the period, by variant. */
interface Met {
  experiment: string;
  visitor: string;
  variants: Map<string, { firstMs: number; lastMs: number }>;
}

function visitorsMet(asked: Asked): Met[] {
  const met = new Map<string, Met>();
  for (const fact of asked.chains.facts.filter(inPeriod(asked))) {
    for (const { id, variant } of fact.sent.experiments ?? []) {
      const visitor = asked.chains.visitorOf(fact);
      const one = met.get(`${id} ${visitor}`) ?? { experiment: id, visitor, variants: new Map() };
      met.set(`${id} ${visitor}`, one);
      const times = one.variants.get(variant) ?? { firstMs: fact.atMs, lastMs: fact.atMs };
      one.variants.set(variant, { firstMs: times.firstMs, lastMs: fact.atMs });
    }
  }
  return [...met.values()];
}

function daysOf(met: readonly Met[]): number {
  const times = met.flatMap(({ variants }) => [...variants.values()]);
  const first = Math.min(...times.map(({ firstMs }) => firstMs));
  return (Math.max(...times.map(({ lastMs }) => lastMs)) - first) / DAY_MS;
}

export function expectedExperiments(asked: Asked): Row[] {
  return [...grouped(visitorsMet(asked), ({ experiment }) => experiment)].flatMap(([experiment, met]) => {
    const variants = [...new Set(met.flatMap((one) => [...one.variants.keys()]))];
    const alone = (variant: string): Met[] => met.filter((one) => one.variants.size === 1 && one.variants.has(variant));
    const all = sum(variants.map((variant) => alone(variant).length));
    const planned = all / variants.length;
    const p = chiSquareP(
      sum(variants.map((variant) => (alone(variant).length - planned) ** 2 / planned)),
      variants.length - 1,
    );
    return variants.map((variant) => {
      const times = met.flatMap((one) => one.variants.get(variant) ?? []);
      return {
        experiment,
        variant,
        control: CONTROL,
        visitors: alone(variant).length,
        mixed_visitors: met.filter((one) => one.variants.size > 1 && one.variants.has(variant)).length,
        share: alone(variant).length / all,
        planned_share: 1 / variants.length,
        sample_ratio_p: p,
        sample_ratio_off: p < 0.001,
        first_seen: new Date(Math.min(...times.map(({ firstMs }) => firstMs))).toISOString(),
        last_seen: new Date(Math.max(...times.map(({ lastMs }) => lastMs))).toISOString(),
        days: daysOf(met),
      };
    });
  });
}

/** What a visitor adds above and below the line of a measure. */
interface Part {
  amount: number;
  capped: number;
  below: number;
}

interface Side {
  parts: Part[];
  visitors: number;
  base: number;
  amount: number;
  compared: number | null;
  /** Variance of the compared value. */
  variance: number | null;
}

export function expectedExperimentMetrics(asked: Asked): Row[] {
  return [...grouped(visitorsMet(asked), ({ experiment }) => experiment)].flatMap(([experiment, met]) => {
    const days = daysOf(met);
    const alone = met.filter(({ variants }) => variants.size === 1);
    const variants = [...new Set(alone.flatMap((one) => [...one.variants.keys()]))];
    const acts = actsOf(alone, asked);
    return (['conversion', 'search_click_rate', 'revenue_per_visitor', 'average_order'] as const).flatMap((metric) => {
      const { partOf, cap } = acts[metric];
      const side = (variant: string): Side => {
        const own = alone.filter((one) => one.variants.has(variant));
        return sideOf(own.map(({ visitor }) => partOf(visitor)));
      };
      const base = side(CONTROL);
      return variants.map((variant) => ({
        experiment,
        variant,
        control: CONTROL,
        metric,
        currency: cap === null ? null : 'DKK',
        ...rowOf(side(variant), cap),
        ...(variant === CONTROL ? NO_DIFFERENCE : difference(metric, side(variant), base, days)),
      }));
    });
  });
}

const NO_DIFFERENCE = {
  difference: null,
  difference_low: null,
  difference_high: null,
  change: null,
  certain: null,
  smallest_effect: null,
  days_left: null,
};

function rowOf({ visitors, base, amount, compared }: Side, cap: number | null): Row {
  return { visitors, base, amount, value: base === 0 ? null : amount / base, cap, compared_value: compared };
}

/** The parts of each visitor, by measure, with the amount that is capped to. */
function actsOf(alone: readonly Met[], asked: Asked) {
  const since = new Map(alone.map(({ visitor, variants }) => [visitor, [...variants.values()][0]!.firstMs]));
  const { chains } = asked;
  const after = (fact: Fact): boolean => fact.atMs >= (since.get(chains.visitorOf(fact)) ?? Infinity);
  const within = ({ day }: Fact): boolean => day >= FROM && day < TO;
  const orders = grouped(
    chains.orders.filter((order) => within(order) && after(order)),
    chains.visitorOf,
  );
  const searches = grouped(
    outcomes({ chains }).filter(({ search }) => after(search)),
    ({ search }) => chains.visitorOf(search),
  );
  const totals = (visitor: string): number[] => (orders.get(visitor) ?? []).map(({ sent }) => sent.total! / 1e4);
  const orderCap = percentile([...orders.keys()].flatMap(totals));
  const buyerCap = percentile([...orders.keys()].map((visitor) => sum(totals(visitor))));
  return {
    conversion: {
      cap: null,
      partOf: (visitor: string): Part => {
        const bought = orders.has(visitor) ? 1 : 0;
        return { amount: bought, capped: bought, below: 1 };
      },
    },
    search_click_rate: {
      cap: null,
      partOf: (visitor: string): Part => {
        const own = searches.get(visitor) ?? [];
        const clicked = own.filter(({ clicks }) => clicks.length > 0).length;
        return { amount: clicked, capped: clicked, below: own.length };
      },
    },
    revenue_per_visitor: {
      cap: buyerCap,
      partOf: (visitor: string): Part => {
        const spent = sum(totals(visitor));
        return { amount: spent, capped: Math.min(spent, buyerCap), below: 1 };
      },
    },
    average_order: {
      cap: orderCap,
      partOf: (visitor: string): Part => {
        const own = totals(visitor);
        const capped = sum(own.map((total) => Math.min(total, orderCap)));
        return { amount: sum(own), capped, below: own.length };
      },
    },
  };
}

/** Nearest rank. */
function percentile(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.ceil((sorted.length * CAP_PERCENT) / 100) - 1]!;
}

function sideOf(all: readonly Part[]): Side {
  const parts = all.filter(({ below }) => below > 0);
  const base = sum(parts.map(({ below }) => below));
  const amount = sum(parts.map((part) => part.amount));
  const compared = base === 0 ? null : sum(parts.map(({ capped }) => capped)) / base;
  const n = parts.length;
  const squares = sum(parts.map(({ capped, below }) => (capped - compared! * below) ** 2));
  const variance = n > 1 ? squares / (n - 1) / n / (base / n) ** 2 : null;
  return { parts, visitors: n, base, amount, compared, variance };
}

function difference(metric: string, own: Side, base: Side, days: number): Row {
  if (own.compared === null || base.compared === null) return NO_DIFFERENCE;
  const by = own.compared - base.compared;
  const spread = own.variance! + base.variance!;
  const [low, high] = metric === 'conversion' ? newcombe(own, base) : welch(by, own, base);
  const visible = (1.959963984540054 + 0.8416212335729143) * Math.sqrt(spread);
  return {
    difference: by,
    difference_low: low,
    difference_high: high,
    change: by / base.compared,
    certain: low === null || high === null ? null : low > 0 || high < 0,
    smallest_effect: visible,
    days_left: Math.max(0, Math.ceil(days * ((visible / (EFFECT * base.compared)) ** 2 - 1))),
  };
}

function newcombe(own: Side, base: Side): [number, number] {
  const [p, q] = [own.amount / own.visitors, base.amount / base.visitors];
  const [low, high] = wilson(own.amount, own.visitors);
  const [baseLow, baseHigh] = wilson(base.amount, base.visitors);
  return [p - q - Math.hypot(p - low, baseHigh - q), p - q + Math.hypot(high - p, q - baseLow)];
}

function welch(by: number, own: Side, base: Side): [number, number] | [null, null] {
  if (Math.min(own.visitors, base.visitors) < 10) return [null, null];
  const [v, w] = [own.variance!, base.variance!];
  const degrees = (v + w) ** 2 / (v ** 2 / (own.visitors - 1) + w ** 2 / (base.visitors - 1));
  const margin = studentT(degrees) * Math.sqrt(v + w);
  return [by - margin, by + margin];
}

/** Student's t at 97.5 %: with t = √n tan θ its density is cos θ to the power of n - 1. */
function studentT(degrees: number): number {
  const density = (angle: number): number => Math.cos(angle) ** (degrees - 1);
  const half = integral(density, 0, Math.PI / 2);
  let [low, high] = [0, Math.PI / 2];
  for (let step = 0; step < 40; step++) {
    const middle = (low + high) / 2;
    if (integral(density, 0, middle) / half < 0.95) low = middle;
    else high = middle;
  }
  return Math.sqrt(degrees) * Math.tan(low);
}

/** The upper tail of chi-square for one and two degrees of freedom. */
function chiSquareP(statistic: number, degrees: number): number {
  if (degrees === 2) return Math.exp(-statistic / 2);
  const tail = integral((x) => Math.exp((-x * x) / 2), Math.sqrt(statistic), Math.sqrt(statistic) + 12);
  return (2 * tail) / Math.sqrt(2 * Math.PI);
}

/** Simpson's rule. */
function integral(of: (x: number) => number, from: number, to: number): number {
  const steps = 2_000;
  const width = (to - from) / steps;
  let total = of(from) + of(to);
  for (let step = 1; step < steps; step++) total += of(from + step * width) * (step % 2 === 1 ? 4 : 2);
  return (total * width) / 3;
}
