import { count, countOf, money, numberOf, percent, plain, points } from '../format.ts';

/** A row of a report, by column name. */
type ExperimentRow = Readonly<Record<string, unknown>>;

/** Names of the measures, in the order of the report `experiment_metrics`. */
export const MEASURES: Readonly<Record<string, string>> = {
  conversion: 'Visitors who order',
  search_click_rate: 'Searches with a click',
  revenue_per_visitor: 'Revenue per visitor',
  average_order: 'Average order',
};

/** The effect whose days are told, as a part of the control's value. */
export const EFFECT = 0.05;

/** A value of a measure: a share or an amount. */
export function measureText(value: unknown, { currency }: ExperimentRow): string {
  return currency === null ? percent(value) : money(value, plain(currency));
}

/** The interval of a difference: `0.1 points to 0.9 points more`. */
export function rangeText(row: ExperimentRow): string {
  const [low, high] = [numberOf(row.difference_low), numberOf(row.difference_high)];
  if (low === undefined || high === undefined) return '–';
  const size = (value: number): string => sizeText(value, row);
  if (low > 0) return `${size(low)} to ${size(high)} more`;
  if (high < 0) return `${size(high)} to ${size(low)} less`;
  return `${size(low)} less to ${size(high)} more`;
}

/** A difference without its sign. */
export function sizeText(value: unknown, { currency }: ExperimentRow): string {
  const number = numberOf(value);
  if (number === undefined) return '–';
  return currency === null ? points(number) : money(Math.abs(number), plain(currency));
}

/** What a variant's row says, for somebody who decides about it. */
export function verdict(row: ExperimentRow): string {
  const { variant, control, difference, difference_low, certain, days_left } = row;
  if (numberOf(difference) === undefined) return `${plain(variant)}: nothing to compare yet.`;
  const both = `${measureText(row.compared_value, row)} against ${measureText(baseOf(row), row)} of ${plain(control)}`;
  if (numberOf(difference_low) === undefined)
    return `${plain(variant)}: ${both}. Too few visitors to compare: 10 are needed on each side.`;
  if (certain === true) {
    const more = numberOf(difference)! > 0 ? 'more' : 'less';
    return `${plain(variant)} has ${more}: ${both}. The true difference is ${rangeText(row)}, in 19 of 20 such cases.`;
  }
  return `${plain(variant)}: no difference is proven, ${both}. The true one may be ${rangeText(row)}.${waiting(days_left)}`;
}

function waiting(daysLeft: unknown): string {
  const days = numberOf(daysLeft);
  if (days === undefined) return '';
  const effect = percent(EFFECT);
  return days === 0
    ? ` A change by ${effect} would show by now.`
    : ` A change by ${effect} shows in about ${countOf(days, 'day')}.`;
}

/** The control's compared value. */
function baseOf({ compared_value, difference }: ExperimentRow): number {
  return numberOf(compared_value)! - numberOf(difference)!;
}

/** Whether the visitors of an experiment are shared out as planned. */
export function splitText(rows: readonly ExperimentRow[]): { text: string; off: boolean } {
  const visitors = rows.map((row) => `${plain(row.variant)} ${count(row.visitors)}`).join(', ');
  const [first] = rows;
  if (first?.sample_ratio_off === true)
    return {
      off: true,
      text: `Do not trust this comparison. Visitors are not shared out equally: ${visitors}. Chance does this less than once in a thousand times, so something loses visitors of a variant.`,
    };
  const mixed = rows.reduce((most, row) => Math.max(most, numberOf(row.mixed_visitors) ?? 0), 0);
  const left = mixed === 0 ? '' : ` ${countOf(mixed, 'visitor')} saw two variants and are left out.`;
  return { off: false, text: `Visitors: ${visitors}.${left}` };
}
