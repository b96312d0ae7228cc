import { runProcess } from '../runtime/process.ts';
import { readQueryServerConfig } from './config.ts';
import { startQueryService } from './service.ts';

await runProcess('lake', async ({ env, log, resources, ready, fail }) => {
  const config = readQueryServerConfig(env);
  const { port } = await startQueryService({ config, log, resources, fail });
  ready({ url: `http://${config.host}:${port}`, port });
});
