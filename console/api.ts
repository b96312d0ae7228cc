import type { SessionAnswer } from '../query/http/contract/sessionAnswer.ts';
import { createSemaphore } from './semaphore.ts';

/** An error answer of the server, with its message. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.code = code;
  }
}

/** Rows by column name, as `POST /api/query` answers. */
export interface ApiAnswer {
  rows: Record<string, unknown>[];
  truncated: boolean;
}

export interface Api {
  session(signal?: AbortSignal): Promise<SessionAnswer>;
  get<T>(path: string, query?: Record<string, string | undefined>, signal?: AbortSignal): Promise<T>;
  /** Same as for `get`, for answers that take the server some work; waits for a permit. */
  ask<T>(path: string, query: Record<string, string | undefined>, signal?: AbortSignal): Promise<T>;
  post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T>;
  /** SQL over the chosen tenant; `from` and `to` are UTC dates of the events. */
  sql(question: { sql: string; from?: string; to?: string }, signal?: AbortSignal): Promise<ApiAnswer>;
  /** Ends the session of a cookie; answers the address that ends that of the provider too. */
  signOut(): Promise<{ providerUrl?: string }>;
  /** A streaming answer, whose body the caller reads. */
  open(path: string, query: Record<string, string | undefined>, signal: AbortSignal): Promise<Response>;
}

/** Most questions at once: a view asks a dozen, and others wait. */
const QUESTIONS_AT_ONCE = 2;

/**
 * The API of the query server for one token, or for the cookie of a person who signed in with a provider.
 *
 * A token is a header and never a cookie, so no other site can use it. The server refuses changes by cookie from other
 * sites.
 * @param token null: the cookie
 * @param tenantOf the tenant that an operator chose, or undefined
 * @param onRefused called when the server no longer accepts the token
 */
export function createApi(
  token: string | null,
  tenantOf: () => string | undefined,
  onRefused: (error: ApiError) => void,
): Api {
  const send = async (path: string, init: RequestInit): Promise<Response> => {
    const tenant = tenantOf();
    const headers = {
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(tenant === undefined ? {} : { 'x-spor-tenant': tenant }),
      ...(init.body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    let response: Response;
    try {
      response = await fetch(path, { ...init, headers, cache: 'no-store' });
    } catch (error) {
      if (init.signal?.aborted) throw error;
      throw new ApiError(
        0,
        'unreachable',
        'The server does not answer. Check that it runs and that the network is up.',
      );
    }
    if (response.ok) return response;
    const refusal = await refusalOf(response);
    // An aborted request belongs to a view that was left, and may have no text.
    if (response.status === 401 && !init.signal?.aborted) onRefused(refusal);
    throw refusal;
  };
  const withQuery = (path: string, query: Record<string, string | undefined> = {}): string => {
    const given = Object.entries(query).filter((pair): pair is [string, string] => pair[1] !== undefined);
    return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
  };
  const asked = (signal: AbortSignal | undefined): RequestInit => (signal ? { signal } : {});
  const post = async <T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> =>
    (await (await send(path, { method: 'POST', body: JSON.stringify(body), ...asked(signal) })).json()) as T;
  const get = async <T>(path: string, query?: Record<string, string | undefined>, signal?: AbortSignal): Promise<T> =>
    (await (await send(withQuery(path, query), asked(signal))).json()) as T;

  const queued = createSemaphore(QUESTIONS_AT_ONCE);

  return {
    session: (signal) => get<SessionAnswer>('/api/session', {}, signal),
    get,
    ask: (path, query, signal) => queued(() => get(path, query, signal), signal),
    post,
    async sql(question, signal) {
      type Table = { columns: { name: string }[]; rows: unknown[][]; truncated: boolean };
      const { columns, rows, truncated } = await queued(() => post<Table>('/api/query', question, signal), signal);
      const named = rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index]])));
      return { rows: named, truncated };
    },
    signOut: () => post<{ providerUrl?: string }>('/auth/logout', {}),
    open: (path, query, signal) => send(withQuery(path, query), { signal }),
  };
}

async function refusalOf(response: Response): Promise<ApiError> {
  try {
    const { code, message } = (await response.json()) as { code: string; message: string };
    return new ApiError(response.status, code, message);
  } catch {
    return new ApiError(response.status, 'unreadable', `The server answered ${response.status} without a reason.`);
  }
}
