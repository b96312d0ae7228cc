import { ApiError, createApi, type Api } from './api.ts';
import { fill } from './dom.ts';
import { failure } from './panel.ts';
import { createShell } from './shell.ts';
import { signInPage } from './signIn.ts';
import { startTheme } from './theme.ts';

/** Name in sessionStorage, which ends with the tab. */
const TOKEN = 'spor.token';

const app = document.querySelector('#app')!;
let leave: () => void = () => undefined;

/** Whether people can sign in with a provider. */
const methods = fetch('/auth/methods')
  .then(async (answer) => ((await answer.json()) as { provider?: boolean }).provider === true)
  .catch(() => false);

/** Starts with a token, or with the cookie of a person who signed in with a provider. */
async function start(token: string | null, reason?: string): Promise<void> {
  leave();
  if (token === null && (reason !== undefined || !(await methods))) return showSignIn(reason);
  let tenant: string | undefined;
  const api: Api = createApi(
    token,
    () => tenant,
    (refusal) => signOut(token === null && refusal.code === 'token_missing' ? '' : refusal.message),
  );
  try {
    const session = await api.session();
    if (token !== null) sessionStorage.setItem(TOKEN, token);
    const end = (): void => (token === null ? void leaveProvider(api) : signOut());
    const shell = createShell(app, { api, session, onTenant: (chosen) => (tenant = chosen), signOut: end });
    leave = shell.close;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return; // told by then
    fill(
      app,
      failure(error, () => void start(token)),
    );
  }
}

function signOut(reason = ''): void {
  sessionStorage.removeItem(TOKEN);
  void start(null, reason);
}

/** Ends the session of the cookie, and that of the provider if it has an address for that. */
async function leaveProvider(api: Api): Promise<void> {
  const { providerUrl } = await api.signOut().catch(() => ({ providerUrl: undefined }));
  if (providerUrl === undefined) signOut();
  else location.assign(providerUrl);
}

async function showSignIn(reason: string | undefined): Promise<void> {
  document.title = 'Sign in · Spor';
  const provider = await methods;
  fill(
    app,
    signInPage((token) => start(token), { reason: reason === '' ? undefined : reason, provider }),
  );
}

startTheme();
void start(sessionStorage.getItem(TOKEN));
