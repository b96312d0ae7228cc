export interface ServiceHealth {
  name: string;
  url: string;
  /** `ready`, or the fault. */
  state: string;
}

const VARIABLES = { ingest: 'INGEST_URL', processor: 'PROCESSOR_URL', lake: 'LAKE_QUERY_URL' };
const TIMEOUT_MS = 3_000;

/** Ask the services with known addresses whether they are ready. */
export function checkServices(env: Record<string, string | undefined>): Promise<ServiceHealth[]> {
  const known = Object.entries(VARIABLES).flatMap(([name, variable]) =>
    env[variable] ? [{ name, url: env[variable] }] : [],
  );
  return Promise.all(known.map(async ({ name, url }) => ({ name, url, state: await stateOf(url) })));
}

async function stateOf(url: string): Promise<string> {
  try {
    const response = await fetch(new URL('/readyz', url), { signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (response.ok) return 'ready';
    const body = (await response.json().catch(() => ({}))) as { reason?: string };
    return `not ready${body.reason ? `: ${body.reason}` : ''}`;
  } catch (error) {
    const { cause, message } = error as Error;
    return `does not answer (${cause instanceof Error ? cause.message : message})`;
  }
}
