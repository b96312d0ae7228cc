import { runProcess } from '../runtime/process.ts';
import { readIngestConfig } from './config.ts';
import { startIngest } from './service.ts';

await runProcess('ingest', async ({ env, log, resources, ready, fail }) => {
  const config = readIngestConfig(env);
  const service = await startIngest({ config, log, resources, fail });
  ready({ url: `http://${config.host}:${service.port}`, port: service.port });
});
