import { connectNats, type NatsConnection } from '../../stream/nats.ts';
import { createLog } from '../../runtime/log.ts';
import { openSecretStore } from '../../stream/secretStore.ts';
import { newSecret, secretHash, type TokenRecord } from '../../schemas/keys.ts';
import { TOKENS_BUCKET } from '../../stream/buckets.ts';
import { runStack, type RunningStack } from '../support/runningStack.ts';

/** The whole stack, with an operator's token and a shop's. */
export interface ConsoleStack extends RunningStack {
  operator: string;
  reader: string;
  /** A request to the query server with a token, and a tenant where an operator asks. */
  call: (
    token: string,
    path: string,
    options?: { tenant?: string; body?: unknown; signal?: AbortSignal },
  ) => Promise<Response>;
}

/** Starts it; `close` stops it. */
export async function startConsoleStack(tenantId: string): Promise<ConsoleStack> {
  const running = await runStack();
  const connection: NatsConnection = await connectNats({
    url: running.stack.natsUrl,
    access: running.stack.nats,
    name: 'test',
    log: createLog('test', 'silent'),
  });
  const tokens = await openSecretStore<TokenRecord>(connection, TOKENS_BUCKET, 1);
  const [operator, reader] = [newSecret('ot'), newSecret('rt')];
  const common = { label: 'test', createdAt: new Date().toISOString() };
  await tokens.create(secretHash(operator), { role: 'operator', ...common });
  await tokens.create(secretHash(reader), { tenantId, segmentIds: [], ...common });
  await connection.close();
  const call: ConsoleStack['call'] = (token, path, { tenant, body, signal } = {}) =>
    fetch(new URL(path, running.stack.queryUrl), {
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(tenant === undefined ? {} : { 'x-spor-tenant': tenant }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(signal ? { signal } : {}),
    });
  while ((await call(reader, '/api/session')).status === 401) await new Promise((resolve) => setTimeout(resolve, 10));
  return { ...running, operator, reader, call };
}
