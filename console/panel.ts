import { ApiError } from './api.ts';
import type { FigureChange } from './figureChange.ts';
import { fill, h, newId, type DomChild } from './dom.ts';
import { percent, points } from './format.ts';

export interface PanelOptions {
  title: string;
  /** One sentence about the numbers. */
  note?: string | undefined;
  /** Fetches and builds the content; runs again on retry. */
  load: () => Promise<DomChild>;
  signal: AbortSignal;
  /** Time between two fetches of the content. */
  everyMs?: number | undefined;
}

/** A titled part of a view that fetches its content and shows failures. */
export function panel({ title, note, load, signal, everyMs }: PanelOptions): HTMLElement {
  const heading = newId('panel');
  const body = h('div', { class: 'panel-body' }, h('p', { class: 'quiet' }, 'Loading …'));
  const section = h(
    'section',
    { class: 'panel', 'aria-labelledby': heading, 'aria-busy': 'true' },
    h('h2', { id: heading }, title),
    note === undefined ? null : h('p', { class: 'note' }, note),
    body,
  );
  let timer: ReturnType<typeof setTimeout> | undefined;
  const run = async (): Promise<void> => {
    try {
      const content = await load();
      if (signal.aborted) return;
      // A refresh keeps open tables open for their readers.
      const open = new Set([...body.querySelectorAll('details[open]')].map((details) => details.className));
      fill(body, content);
      for (const details of body.querySelectorAll('details')) if (open.has(details.className)) details.open = true;
    } catch (error) {
      if (signal.aborted) return;
      fill(
        body,
        failure(error, () => void run()),
      );
    }
    section.setAttribute('aria-busy', 'false');
    if (everyMs !== undefined) timer = setTimeout(() => void run(), everyMs);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  void run();
  return section;
}

/** A notice of no data, with advice. */
export function empty(title: string, ...advice: DomChild[]): HTMLElement {
  return h('div', { class: 'empty' }, h('p', { class: 'empty-title' }, title), h('div', {}, ...advice));
}

/** An error with the server's message, and a button to retry. */
export function failure(error: unknown, retry?: () => void): HTMLElement {
  const known = error instanceof ApiError;
  const message = known ? error.message : `The page failed: ${error instanceof Error ? error.message : String(error)}`;
  return h(
    'div',
    { class: 'failure', role: 'alert' },
    h('p', {}, message),
    known ? h('p', { class: 'quiet' }, 'Code ', h('code', {}, error.code)) : null,
    retry ? h('button', { type: 'button', onclick: retry }, 'Try again') : null,
  );
}

/** A large number with its name, and its change since the period before. */
export function figure(name: string, value: DomChild, detail?: DomChild, change?: FigureChange): HTMLElement {
  return h(
    'div',
    { class: 'figure' },
    h('dt', {}, name),
    h(
      'dd',
      {},
      h('span', { class: 'figure-value' }, value),
      change ? h('span', { class: 'figure-detail' }, changeText(change)) : null,
      detail ? h('span', { class: 'figure-detail' }, detail) : null,
    ),
  );
}

/** A change in words, with an arrow for the eye. */
function changeText({ by, unit, sure }: FigureChange): DomChild {
  if (by === 0) return 'as before';
  const size = unit === 'percent' ? percent(Math.abs(by)) : points(by);
  const arrow = h('span', { 'aria-hidden': 'true' }, by > 0 ? '▲ ' : '▼ ');
  return [arrow, `${size} ${by > 0 ? 'more' : 'less'}`, sure === false ? ', may be chance' : ''];
}

/**
 * Text with a button that copies it.
 * @param of what it belongs to, where a view shows several
 */
export function copyable(text: string, what: string, of?: string): HTMLElement {
  const said = h('span', { class: 'quiet', role: 'status' });
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      fill(said, 'Copied');
    } catch {
      fill(said, 'Copying failed. Select the text instead.');
    }
  };
  return h(
    'div',
    { class: 'copyable' },
    h(
      'pre',
      { tabindex: 0, 'aria-label': of === undefined ? what : `${what} of ${of}`, role: 'region' },
      h('code', {}, text),
    ),
    h(
      'div',
      { class: 'copyable-actions' },
      h('button', { type: 'button', onclick: () => void copy() }, `Copy ${what}`),
      said,
    ),
  );
}
