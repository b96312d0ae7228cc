import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anEvent, startReceiver, type Receiver } from '../ingest/receiver.ts';
import { asRole } from '../support/locks.ts';
import { startNats, type TestNats } from '../support/nats.ts';
import { runScript } from '../support/runScript.ts';
import { until } from '../support/until.ts';

let nats: TestNats;

beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats.stop());

const PORTS = { INGEST_PORT: '0', LAKE_PORT: '0', PROCESSOR_PORT: '0', LOG_LEVEL: 'silent' };

describe('a service', () => {
  it.each([
    ['ingest/main.ts', (url: string) => url.replace(/:\w+@/, ':wrong@'), 'refuses the credentials'],
    ['ingest/main.ts', (url: string) => asRole(url, 'auditor'), 'as the role ingest must'],
    ['processor/main.ts', (url: string) => asRole(url, 'ingest'), 'as the role processor must'],
    ['query/main.ts', (url: string) => asRole(url, 'downstream'), 'as the role query must'],
  ])('%s with a wrong identity ends with 78 and names what is missing', async (script, urlOf, fault) => {
    const { code, stderr } = await runScript(script, [], { env: { ...PORTS, NATS_URL: urlOf(nats.url) } });
    expect([code, stderr]).toEqual([78, expect.stringContaining(fault)]);
  });

  it('that loses a right while it runs says so, counts it, and is not ready', async () => {
    const lines: string[] = [];
    const sink = new Writable({ write: (chunk: Buffer, _encoding, done) => (lines.push(chunk.toString()), done()) });
    const receiver: Receiver = await startReceiver(nats.url, {
      env: { INGEST_ACK_DEADLINE_MS: '200' },
      logger: pino({ level: 'warn' }, sink),
    });
    try {
      const key = await receiver.createKey();
      const send = async (): Promise<number> =>
        (await receiver.post({ instrumentationKey: key, events: [anEvent()] })).status;
      expect(await send()).toBe(202);
      const config = join(nats.dir, 'nats.conf');
      await writeFile(config, (await readFile(config, 'utf8')).replace('"events.*.*.*",', ''));
      process.kill(nats.pid, 'SIGHUP');
      await until(async () => (await send()) === 503 && lines.some((line) => line.includes('stream_forbidden')));
      const readiness = await fetch(`${receiver.url}/readyz`);
      const reason = 'the stream server says that this identity may not publish to events.';
      expect([readiness.status, await readiness.text()]).toEqual([503, expect.stringContaining(reason)]);
      expect(
        await receiver.metric('spor_stream_denials_total{operation="publish",component="ingest"}'),
      ).toBeGreaterThan(0);
    } finally {
      await receiver.close();
    }
  });
});
