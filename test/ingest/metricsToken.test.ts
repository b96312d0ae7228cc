import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mayReadMetrics, openMetricsWarning } from '../../runtime/metricsToken.ts';
import { probeRoutes } from '../../query/http/routes/probes.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { startReceiver, type Receiver } from './receiver.ts';

describe('metrics on a public port', () => {
  let nats: TestNats;
  let receiver: Receiver;
  beforeAll(async () => {
    nats = await startNats();
    receiver = await startReceiver(nats.url, { env: { METRICS_TOKEN: 'prometheus-secret' } });
  });
  afterAll(async () => {
    await receiver?.close();
    await nats?.stop();
  });

  it('ask for their token, and for nothing without one', async () => {
    const read = async (authorization?: string): Promise<[number, string]> => {
      const response = await fetch(`${receiver.url}/metrics`, { headers: authorization ? { authorization } : {} });
      return [response.status, await response.text()];
    };
    expect(await read('Bearer prometheus-secret')).toEqual([200, expect.stringContaining('spor_ingest_keys')]);
    for (const wrong of [undefined, 'Bearer prometheus', 'prometheus-secret', 'Basic prometheus-secret']) {
      const [status, text] = await read(wrong);
      expect([status, (JSON.parse(text) as { code: string }).code], wrong).toEqual([401, 'metrics_token_wrong']);
    }
    expect((await fetch(`${receiver.url}/readyz`)).status).toBe(200);
    expect(mayReadMetrics('', undefined)).toBe(true);
  });

  it('ask for it at the query server too', async () => {
    const registry = { contentType: 'text/plain', metrics: () => Promise.resolve('spor_lake 1') };
    const options = { metrics: registry as never, metricsToken: 'secret', notReady: () => undefined, openApi: '{}' };
    const route = probeRoutes(options).find(({ path }) => path === '/metrics')!;
    const ask = (authorization?: string): unknown => route.handle({ request: { headers: { authorization } } } as never);
    await expect(ask('Bearer other')).rejects.toMatchObject({ code: 'metrics_token_wrong' });
    await expect(ask()).rejects.toMatchObject({ code: 'metrics_token_wrong' });
    expect(await ask('Bearer secret')).toMatchObject({ body: 'spor_lake 1' });
  });

  it('are warned of where others may read them', () => {
    for (const host of ['127.0.0.1', '::1', 'localhost']) expect(openMetricsWarning('', host)).toBeUndefined();
    expect(openMetricsWarning('token', '0.0.0.0')).toBeUndefined();
    for (const host of ['0.0.0.0', '::', '10.0.0.7']) expect(openMetricsWarning('', host)).toMatch(/METRICS_TOKEN/);
  });
});
