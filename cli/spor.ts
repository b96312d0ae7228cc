import { runAsProcess } from './command.ts';
import { spor } from './commands.ts';

await runAsProcess('spor', spor);
