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

async function start(token: string | null, reason?: string): Promise<void> {
  leave();
  if (token === null) return showSignIn(reason);
  let tenant: string | undefined;
  const api: Api = createApi(
    token,
    () => tenant,
    (refusal) => signOut(refusal.message),
  );
  try {
    const session = await api.session();
    sessionStorage.setItem(TOKEN, token);
    const shell = createShell(app, { api, session, onTenant: (chosen) => (tenant = chosen), signOut: () => signOut() });
    leave = shell.close;
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) return; // told by then
    fill(
      app,
      failure(error, () => void start(token)),
    );
  }
}

function signOut(reason?: string): void {
  sessionStorage.removeItem(TOKEN);
  void start(null, reason);
}

function showSignIn(reason: string | undefined): void {
  document.title = 'Sign in · Spor';
  fill(
    app,
    signInPage((token) => start(token), reason),
  );
}

startTheme();
void start(sessionStorage.getItem(TOKEN));
