import { ConfigError } from './config.ts';
import { createLog, type Logger } from './log.ts';
import { Resources } from './resources.ts';

/** Arguments of a service's `start`. `ready` tells the supervisor; `fail` ends the process. */
export interface ProcessContext {
  log: Logger;
  resources: Resources;
  env: Record<string, string | undefined>;
  ready: (facts: Record<string, string | number>) => void;
  fail: (error: unknown) => void;
}

const EXIT_FAILED = 1;
const EXIT_CONFIG = 78; // EX_CONFIG of sysexits.h

/**
 * Run a service as this process, until SIGTERM or SIGINT.
 * Then every resource is closed in reverse. A second signal, or the end of `SHUTDOWN_SECONDS`, ends the process at once.
 * The loss of a supervisor's IPC channel counts as SIGTERM, so that no service outlives its supervisor.
 */
export async function runProcess(component: string, start: (context: ProcessContext) => Promise<void>): Promise<void> {
  const env = process.env;
  const log = createLog(component, env.LOG_LEVEL || 'info');
  const resources = new Resources();
  const deadlineMs = Number(env.SHUTDOWN_SECONDS || 25) * 1000;
  let stopping = false;

  const stop = (reason: string, exitCode: number): void => {
    if (stopping) {
      log.warn({ reason }, 'stopping at once');
      process.exit(exitCode || EXIT_FAILED);
    }
    stopping = true;
    log.info({ reason }, 'stopping');
    setTimeout(() => {
      log.error({ deadlineMs }, 'could not stop in time');
      process.exit(EXIT_FAILED);
    }, deadlineMs).unref();
    resources.close().then(
      () => {
        log.info('stopped');
        process.exit(exitCode);
      },
      (error: unknown) => {
        log.error({ err: error }, 'stopped with an error');
        process.exit(EXIT_FAILED);
      },
    );
  };

  process.on('SIGTERM', () => stop('SIGTERM', 0));
  process.on('SIGINT', () => stop('SIGINT', 0));
  if (process.send) process.on('disconnect', () => (stopping ? undefined : stop('supervisor gone', 0)));
  process.on('uncaughtException', (error) => fail(error));
  process.on('unhandledRejection', (error) => fail(error));

  function fail(error: unknown): void {
    log.fatal({ err: error }, 'failed');
    if (stopping) process.exit(EXIT_FAILED);
    stop('failed', EXIT_FAILED);
  }

  const ready = (facts: Record<string, string | number>): void => {
    log.info(facts, 'ready');
    process.send?.({ ready: facts });
  };

  try {
    await start({ log, resources, env, ready, fail });
  } catch (error) {
    // Closing what is open ends a start that still waits for something.
    if (stopping) return log.info({ err: error }, 'stopped before it was ready');
    if (!(error instanceof ConfigError)) return fail(error);
    for (const fault of error.faults) process.stderr.write(`${component}: ${fault}\n`);
    process.exit(EXIT_CONFIG);
  }
}
