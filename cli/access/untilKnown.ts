import { readConfig } from '../../runtime/config.ts';
import { createLog } from '../../runtime/log.ts';
import { delay } from '../../runtime/retry.ts';
import { RefusedCredentialsError } from '../../stream/connectRefusal.ts';
import { NATS_SETTINGS } from '../../stream/credentials.ts';
import { connectNats } from '../../stream/nats.ts';
import type { Context } from '../command.ts';
import { readEnvironment } from '../settings.ts';

const PATIENCE_MS = 5_000;
const POLL_MS = 100;

/**
 * Waits for the server of NATS_URL to take, or to refuse, a seed.
 *
 * False after some seconds: the server has not read its users again, or does not answer.
 */
export async function untilKnown(context: Context, natsNkey: string, wanted: boolean): Promise<boolean> {
  const { values } = readEnvironment(context);
  const { natsUrl, natsTls, natsCa, natsCert, natsKey } = readConfig(NATS_SETTINGS, values);
  const access = { natsNkey, natsTls, natsCa, natsCert, natsKey };
  const log = createLog('spor', 'silent');
  for (const until = performance.now() + PATIENCE_MS; performance.now() < until; await delay(POLL_MS)) {
    try {
      await (await connectNats({ url: natsUrl, access, name: 'spor-cli', log, wait: false })).close();
      if (wanted) return true;
    } catch (error) {
      if (isAway(error)) return false;
      if (error instanceof RefusedCredentialsError && !wanted) return true;
    }
  }
  return false;
}

/** No server listens, so none will answer soon. */
function isAway(error: unknown): boolean {
  const { code, cause } = error as NodeJS.ErrnoException;
  return [code, (cause as NodeJS.ErrnoException | undefined)?.code].some(
    (one) => one === 'ECONNREFUSED' || one === 'ENOTFOUND',
  );
}
