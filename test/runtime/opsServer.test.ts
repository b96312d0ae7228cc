import { Registry } from 'prom-client';
import { expect, test } from 'vitest';
import { startOpsServer } from '../../runtime/opsServer.ts';

test('operators get one shape of refusal, with a code', async () => {
  const metrics = new Registry();
  let reason: string | undefined;
  const ops = await startOpsServer({ host: '127.0.0.1', port: 0, metrics, notReady: () => reason });
  const ask = async (path: string, method = 'GET'): Promise<unknown[]> => {
    const response = await fetch(`http://127.0.0.1:${ops.port}${path}`, { method });
    return [response.status, response.headers.get('allow'), await response.json().catch(() => undefined)];
  };
  try {
    expect(await ask('/readyz')).toEqual([200, null, { status: 'ready' }]);
    expect(await ask('//healthz/?x=1')).toEqual([200, null, { status: 'ok' }]);
    expect(await ask('/metrics', 'HEAD')).toEqual([200, null, undefined]);
    reason = 'waiting for the stream server';
    const message = 'Not ready: waiting for the stream server.';
    expect(await ask('/readyz')).toEqual([503, null, { code: 'not_ready', message, status: 'not ready', reason }]);
    expect(await ask('/readyz', 'POST')).toMatchObject([405, 'GET, HEAD', { code: 'method_not_allowed' }]);
    expect(await ask('/none')).toMatchObject([404, null, { code: 'not_found' }]);
  } finally {
    await ops.close();
  }
});
