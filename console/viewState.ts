import { dayIn } from './zone.ts';

/** The state of the page, held in its address for sharing. */
export interface ViewState {
  view: ViewName;
  /** Tenant that an operator chose; a tenant's token has its own. */
  tenant?: string | undefined;
  segment?: string | undefined;
  /** Number of last days, today included; absent if dates are given. */
  days?: number | undefined;
  /** First and last day of the shop, both included. */
  from?: string | undefined;
  to?: string | undefined;
  /** Live events and quarantine: key id, error code, outcome. */
  key?: string | undefined;
  code?: string | undefined;
  outcome?: string | undefined;
  /** Search: the phrase whose searches are shown. */
  phrase?: string | undefined;
  /** Experiments: the one shown. */
  experiment?: string | undefined;
}

export const VIEW_NAMES = [
  'overview',
  'live',
  'search',
  'products',
  'revenue',
  'experiments',
  'quarantine',
  'access',
] as const;
export type ViewName = (typeof VIEW_NAMES)[number];

const DEFAULT_DAYS = 28;
const DAY_MS = 86_400_000;
const ID = /^[a-z0-9][a-z0-9_-]{0,62}$/;

/** The state of an address; invalid parts are ignored. */
export function readState(search: string): ViewState {
  const query = new URLSearchParams(search);
  const text = (name: string, pattern: RegExp): string | undefined => {
    const value = query.get(name);
    return value !== null && pattern.test(value) ? value : undefined;
  };
  const from = day(query.get('from'));
  const to = day(query.get('to'));
  const dates = from !== undefined && to !== undefined && from <= to;
  const days = Number(query.get('days'));
  return {
    view: VIEW_NAMES.find((name) => name === query.get('view')) ?? 'overview',
    tenant: text('tenant', ID),
    segment: text('segment', ID),
    ...(dates ? { from, to } : { days: Number.isInteger(days) && days >= 1 && days <= 731 ? days : DEFAULT_DAYS }),
    key: text('key', /^[0-9a-f]{16}$/),
    code: text('code', /^[a-z_]{1,64}$/),
    outcome: text('outcome', /^(accepted|rejected)$/),
    phrase: text('phrase', /^[^]{1,2000}$/),
    experiment: text('experiment', /^[^]{1,2000}$/),
  };
}

/** The shortest address of a state. */
export function addressOf(state: ViewState): string {
  const { view, days, ...rest } = state;
  const query = new URLSearchParams();
  if (view !== 'overview') query.set('view', view);
  if (days !== undefined && days !== DEFAULT_DAYS) query.set('days', String(days));
  for (const [name, value] of Object.entries(rest)) if (value !== undefined) query.set(name, value);
  const text = query.toString();
  return text === '' ? './' : `?${text}`;
}

/** First and last day of a state in a time zone, both included. */
export function daysOfRange(
  { from, to, days = DEFAULT_DAYS }: ViewState,
  zone: string,
  nowMs: number,
): { from: string; to: string } {
  if (from !== undefined && to !== undefined) return { from, to };
  const today = dayIn(zone, nowMs);
  return { from: utcDay(Date.parse(today) - (days - 1) * DAY_MS), to: today };
}

/** UTC day such as `2026-11-24`. */
export function utcDay(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

/** The day after. */
export function nextDay(date: string): string {
  return utcDay(Date.parse(date) + DAY_MS);
}

function day(text: string | null): string | undefined {
  if (text === null || !/^\d{4}-\d\d-\d\d$/.test(text)) return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) || utcDay(ms) !== text ? undefined : text;
}
