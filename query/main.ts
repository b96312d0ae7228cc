import { runProcess } from '../runtime/process.ts';
import { readLakeConfig } from './config.ts';
import { startLake } from './service.ts';

await runProcess('lake', async ({ env, log, resources, ready }) => {
  const config = readLakeConfig(env);
  const { port } = await startLake({ config, log, resources });
  ready({ url: `http://${config.host}:${port}`, port });
});
