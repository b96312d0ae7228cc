import { delay } from '../runtime/retry.ts';

export interface RowsAnswer {
  columns: { name: string; type: string }[];
  rows: unknown[][];
  truncated: boolean;
}

export interface QueryClient {
  /**
   * Answers one SQL statement about the token's tenant.
   * @throws Error with the server's code and message.
   */
  ask: (token: string, sql: string) => Promise<RowsAnswer>;
}

const PATIENCE_MS = 30_000;
const AWAY_MS = 200;

/** Creates a client of the query server that retries. */
export function createQueryClient(baseUrl: string): QueryClient {
  const url = new URL('/api/query', baseUrl);
  return {
    async ask(token, sql) {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        try {
          const response = await fetch(url, {
            method: 'POST',
            headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
            body: JSON.stringify({ sql }),
          });
          if (response.ok) return (await response.json()) as RowsAnswer;
          const body = await response.text();
          const busy = response.status === 429 || response.status === 503;
          if (!busy || Date.now() > deadline)
            throw new Error(`the query server answered ${response.status}: ${body}\n${sql}`);
          await delay(Math.max(0.1, Number(response.headers.get('retry-after') ?? 1)) * 1000);
        } catch (error) {
          // A TypeError is fetch's own failure: the server is restarting.
          if (!(error instanceof TypeError) || Date.now() > deadline) throw error;
          await delay(AWAY_MS);
        }
      }
    },
  };
}
