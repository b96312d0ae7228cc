import { openOperation } from './operation.ts';

const FAILED = ['sign_in_unknown', 'sign_in_unavailable'] as const;

/** `GET /auth/methods` */
export const LIST_SIGN_INS = openOperation('GET', '/auth/methods', {
  id: 'listSignIns',
  summary: 'Tell whether people can sign in with a provider',
  answer: { summary: 'The ways to sign in, besides tokens.', schema: 'SignInMethods', example: { provider: true } },
});

/** `GET /auth/login` */
export const BEGIN_SIGN_IN = openOperation('GET', '/auth/login', {
  id: 'beginSignIn',
  summary: 'Send the browser of a person to the OpenID provider',
  query: { to: { type: 'string', description: 'Address within /console/ to open afterwards.' } },
  answer: { status: 302, summary: 'The address of the provider, in Location.' },
  codes: FAILED,
});

/** `GET /auth/callback` */
export const END_SIGN_IN = openOperation('GET', '/auth/callback', {
  id: 'endSignIn',
  summary: 'Take a person back from the OpenID provider, and set the cookie of the session',
  answer: { status: 302, summary: 'The console, in Location.' },
  codes: ['sign_in_unknown', 'sign_in_failed', 'role_missing', 'tokens_unavailable', 'stream_unavailable'],
});

/** `POST /auth/logout` */
export const SIGN_OUT = openOperation('POST', '/auth/logout', {
  id: 'signOut',
  summary: 'End the session of the cookie',
  answer: {
    summary: 'It has ended; providerUrl ends that of the provider too, if it can.',
    schema: 'SignedOut',
    example: { providerUrl: 'https://login.example/session/end' },
  },
  codes: ['sign_in_unknown', 'session_cross_site', 'stream_unavailable'],
});
