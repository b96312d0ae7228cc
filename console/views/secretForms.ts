import { ApiError } from '../api.ts';
import { fill, h, newId } from '../dom.ts';
import type { Page } from '../page.ts';
import { copyable } from '../panel.ts';
import { choice } from '../toolbar.ts';
import { openDialog } from './revoke.ts';

/** The form that creates an instrumentation key. */
export function keyForm(page: Page, changed: () => void): HTMLElement {
  const segments = newId('segments');
  const segment = h('input', { name: 'segmentId', required: true, list: segments, value: page.state.segment ?? '' });
  const label = h('input', { name: 'label', maxlength: 200 });
  const origins = h('input', { name: 'origins', placeholder: 'https://shop.example' });
  const quota = h('input', { name: 'quota', type: 'number', min: 1, step: 1 });
  const days = expiryInput();
  const kinds: [string, string][] = [
    ['browser', 'Browser (public)'],
    ['server', 'Server (rejected from browsers)'],
  ];
  let kind = 'browser';
  return secretForm({
    title: 'New key',
    fields: [
      h('label', {}, 'Segment', segment),
      h('datalist', { id: segments }, ...page.segmentIds.map((id) => h('option', { value: id }))),
      h('label', {}, 'Label: the purpose of the key', label),
      choice('Kind', kinds, kind, (chosen) => (kind = chosen)),
      h('label', {}, 'Origins that may send, separated by blanks; empty: any', origins),
      h('label', {}, 'Limit of events a second per receiver; empty: none', quota),
      days.label,
    ],
    button: 'Create key',
    create: async () => {
      const { key } = await page.api.post<{ key: string }>('/api/keys', {
        segmentId: segment.value.trim(),
        label: label.value,
        kind,
        origins: origins.value.split(/[\s,]+/).filter(Boolean),
        ...(quota.value === '' ? {} : { quotaEventsPerSecond: Number(quota.value) }),
        ...days.value(),
      });
      return key;
    },
    changed,
  });
}

/** The form that creates a read token. */
export function tokenForm(page: Page, changed: () => void): HTMLElement {
  const label = h('input', { name: 'label', maxlength: 200 });
  const segments = h('input', { name: 'segmentIds' });
  const days = expiryInput();
  return secretForm({
    title: 'New read token',
    fields: [
      h('label', {}, 'Label: the reader', label),
      h('label', {}, 'Segments, separated by blanks; empty: all of the tenant', segments),
      days.label,
    ],
    button: 'Create token',
    create: async () => {
      const { token } = await page.api.post<{ token: string }>('/api/tokens', {
        label: label.value,
        segmentIds: segments.value.split(/[\s,]+/).filter(Boolean),
        ...days.value(),
      });
      return token;
    },
    changed,
  });
}

function secretForm(options: {
  title: string;
  fields: HTMLElement[];
  button: string;
  /** Returns the secret. */
  create: () => Promise<string>;
  changed: () => void;
}): HTMLElement {
  const { title, fields, button, create, changed } = options;
  const heading = newId('form');
  const fault = h('p', { class: 'form-fault', role: 'alert' });
  const submit = h('button', { class: 'primary', type: 'submit' }, button);
  const onsubmit = (event: Event): void => {
    event.preventDefault();
    fill(fault);
    submit.disabled = true;
    create()
      .then(
        (secret) => showSecret(secret, changed),
        (error: unknown) => fill(fault, error instanceof ApiError ? error.message : String(error)),
      )
      .finally(() => (submit.disabled = false));
  };
  return h(
    'section',
    { class: 'panel', 'aria-labelledby': heading },
    h('h2', { id: heading }, title),
    h('form', { class: 'card', onsubmit }, ...fields, fault, h('div', {}, submit)),
  );
}

function showSecret(secret: string, closed: () => void): void {
  const close = h('button', { type: 'button', class: 'primary', onclick: () => dialog.close() }, 'I have saved it');
  const dialog = openDialog('Save it now', [
    h('p', {}, 'It is shown only this once, because only its hash is stored.'),
    copyable(secret, secret.startsWith('ik_') ? 'key' : 'token'),
    h('div', {}, close),
  ]);
  dialog.addEventListener('close', closed);
}

function expiryInput(): { label: HTMLElement; value: () => { expiresAt?: string } } {
  const input = h('input', { name: 'days', type: 'number', min: 1, max: 3650, step: 1 });
  return {
    label: h('label', {}, 'Expires in days; empty: never', input),
    value: () =>
      input.value === '' ? {} : { expiresAt: new Date(Date.now() + Number(input.value) * 86_400_000).toISOString() },
  };
}
