import { erase } from '../../../lake/erasure/erase.ts';
import { ERASURE_STEPS } from '../../../lake/erasure/failpoint.ts';
import { openLocalStorage } from '../../../lake/storage/local.ts';
import { armFailPoint, parseFailPoint } from '../../../runtime/failpoint.ts';
import { erasureOptions } from './erasureOptions.ts';

/** Erases a user in a process that dies at a step: `eraseChild.ts <lake> <work> <user> <step>`. */
const [lake, workDir, user, step] = process.argv.slice(2) as [string, string, string, string];
const reach = armFailPoint(parseFailPoint(ERASURE_STEPS, step));
await erase({ ...erasureOptions(await openLocalStorage(lake), workDir, [user]), reach });
