import { runProcess } from '../runtime/process.ts';
import { readProcessorConfig } from './config.ts';
import { startProcessor } from './service.ts';

await runProcess('processor', async ({ env, log, resources, ready, fail }) => {
  const config = readProcessorConfig(env);
  const { port, id } = await startProcessor({ config, log, resources, fail });
  ready({ port, id });
});
