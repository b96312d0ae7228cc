import { createTracker } from '@spor/tracker';
import { gzip } from '@spor/tracker/gzip';
import { send } from './send.cjs';

await send(createTracker, gzip);
