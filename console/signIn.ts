import { h, newId } from './dom.ts';

/** The page that asks for a token. */
export function signInPage(
  signIn: (token: string) => Promise<void>,
  { reason, provider }: { reason?: string | undefined; provider: boolean },
): HTMLElement {
  const fault = newId('fault');
  const input = h('input', {
    type: 'password',
    name: 'token',
    required: true,
    autocomplete: 'off',
    spellcheck: 'false',
    'aria-describedby': fault,
    'aria-invalid': reason === undefined ? 'false' : 'true',
  });
  const button = h('button', { class: 'primary', type: 'submit' }, 'Sign in');
  const submit = (event: Event): void => {
    event.preventDefault();
    const token = input.value.trim();
    if (token === '') return input.focus();
    button.disabled = true;
    void signIn(token).finally(() => (button.disabled = false));
  };
  queueMicrotask(() => input.focus());
  return h(
    'main',
    { class: 'sign-in' },
    h('div', { class: 'brand' }, h('img', { src: 'icon.svg', alt: '' }), 'Spor'),
    h(
      'form',
      { onsubmit: submit },
      h('h1', {}, 'Sign in'),
      provider ? h('p', {}, h('a', { class: 'button', href: loginAddress() }, 'Sign in with your organisation')) : '',
      h('label', {}, 'Token', input),
      h('p', { id: fault, class: 'form-fault', role: 'alert' }, reason),
      button,
      h(
        'div',
        { class: 'note' },
        h(
          'p',
          {},
          'A read token shows one tenant. An operator token shows all tenants and their keys. Create one with',
        ),
        h('p', {}, h('code', {}, 'npx spor tokens create --tenant my-shop')),
        h('p', {}, 'or ', h('code', {}, 'npx spor tokens create --operator')),
        h('p', {}, 'The token stays in this tab and is sent only to this server.'),
      ),
    ),
  );
}

/** Address that sends the browser to the provider, and back to the view that it shows now. */
function loginAddress(): string {
  return `/auth/login?${new URLSearchParams({ to: location.pathname + location.search }).toString()}`;
}
