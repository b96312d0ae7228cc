import { ApiError } from '../api.ts';
import { fill, h, newId, type DomChild } from '../dom.ts';
import type { Page } from '../page.ts';

/** Asks for confirmation and revokes a key or token; resolves to whether it did. */
export function confirmRevoke(
  page: Page,
  { what, id, name, own }: { what: 'key' | 'token'; id: string; name: string; own: boolean },
): Promise<boolean> {
  const consequence =
    what === 'key'
      ? 'Requests with this key are rejected within two seconds. Stored events stay.'
      : own
        ? 'You are signed in with this token. You will be signed out.'
        : 'Requests with this token are rejected within two seconds.';
  return new Promise((resolve) => {
    const fault = h('p', { class: 'form-fault', role: 'alert' });
    const close = (done: boolean): void => {
      dialog.close();
      resolve(done);
    };
    const revoke = h('button', { type: 'button', class: 'danger' }, 'Revoke');
    revoke.addEventListener('click', () => {
      revoke.disabled = true;
      page.api.post(`/api/${what}s/${id}/revoke`, {}).then(
        () => close(true),
        (error: unknown) => {
          revoke.disabled = false;
          fill(fault, error instanceof ApiError ? error.message : String(error));
        },
      );
    });
    const keep = h('button', { type: 'button', onclick: () => close(false) }, 'Keep it');
    const dialog = openDialog(`Revoke ${what} ${name}?`, [
      h('p', {}, `${consequence} This cannot be undone.`),
      fault,
      h('div', { class: 'actions' }, revoke, keep),
    ]);
    dialog.addEventListener('cancel', () => resolve(false));
  });
}

/** A dialog over the page, removed on close; the browser keeps the focus in it. */
export function openDialog(title: string, content: DomChild[]): HTMLDialogElement {
  const id = newId('dialog');
  const dialog = h('dialog', { 'aria-labelledby': id }, h('div', {}, h('h2', { id }, title), ...content));
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
