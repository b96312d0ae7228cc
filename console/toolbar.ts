import { h } from './dom.ts';
import type { Page } from './page.ts';
import { daysOfRange } from './viewState.ts';

const PERIODS: [string, string][] = [
  ['1', 'Today'],
  ['7', 'Last 7 days'],
  ['28', 'Last 28 days'],
  ['90', 'Last 90 days'],
  ['365', 'Last 365 days'],
];
const DATED = new Set(['search', 'products', 'revenue', 'experiments', 'quarantine']);
const SEGMENTED = new Set(['overview', 'live', 'search', 'products', 'revenue', 'experiments', 'quarantine']);

/** The controls above a view: tenant, segment and period. */
export function toolbar(page: Page): HTMLElement[] {
  const { session, state, tenantId, segmentIds, zone, go } = page;
  const parts: HTMLElement[] = [];
  if (session.role !== 'reader') {
    const tenants = session.tenants.map((tenant): [string, string] => [tenant.tenantId, tenant.tenantId]);
    parts.push(choice('Tenant', tenants, tenantId, (tenant) => go({ tenant, segment: undefined, key: undefined })));
  }
  if (SEGMENTED.has(state.view)) {
    const all: [string, string] = ['', 'All segments'];
    const segments = segmentIds.map((id): [string, string] => [id, id]);
    parts.push(choice('Segment', [all, ...segments], state.segment ?? '', (id) => go({ segment: id || undefined })));
  }
  if (DATED.has(state.view)) parts.push(...period(page));
  const what = DATED.has(state.view) ? 'Days and times' : 'Times';
  parts.push(h('p', { class: 'note' }, `${what} are in ${zone}.`));
  return parts;
}

function period({ state, zone, go }: Page): HTMLElement[] {
  const { from, to } = daysOfRange(state, zone, Date.now());
  const known = PERIODS.some(([days]) => days === String(state.days));
  const own: [string, string] = ['', state.days === undefined || known ? 'Between …' : `Last ${state.days} days`];
  const chosen = known ? String(state.days) : '';
  const first = dateInput('From', from, to);
  const last = dateInput('To', to);
  const onDates = (): void => {
    const [begin, end] = [first.input.value, last.input.value];
    if (begin === '' || end === '') return;
    go({ days: undefined, from: begin < end ? begin : end, to: begin < end ? end : begin });
  };
  first.input.addEventListener('change', onDates);
  last.input.addEventListener('change', onDates);
  const select = choice('Period', [...PERIODS, own], chosen, (days) => {
    if (days === '') go({ days: undefined, from, to });
    else go({ days: Number(days), from: undefined, to: undefined });
  });
  return chosen === '' ? [select, first.label, last.label] : [select];
}

function dateInput(name: string, value: string, max?: string): { label: HTMLElement; input: HTMLInputElement } {
  const input = h('input', { type: 'date', value, max });
  return { label: h('label', {}, name, input), input };
}

/** A labelled control with options. */
export function choice(
  name: string,
  options: readonly [value: string, text: string][],
  chosen: string,
  onChange: (value: string) => void,
): HTMLElement {
  const select = h(
    'select',
    { onchange: () => onChange(select.value) },
    ...options.map(([value, text]) => h('option', { value, selected: value === chosen }, text)),
  );
  return h('label', {}, name, select);
}
