import { EXIT, UsageError, type Context } from './command.ts';
import { numberOption } from './number.ts';
import { withStream } from './stream.ts';

interface Request {
  tenantId: string;
  from: string;
  to: string;
  subject: string;
  rate?: string;
  restart?: boolean;
  json?: boolean;
}

/** A subject to publish under: no wildcards, no blanks, nothing of the server's own. */
const SUBJECT = /^(?!\$)[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$/;

/** `spor replay --to-subject`: until the end of the range, or SIGINT. */
export async function republishTo(context: Context, request: Request): Promise<number> {
  const { tenantId, from, to, subject, restart = false } = request;
  if (!SUBJECT.test(subject)) throw new UsageError(`--to-subject ${subject} is not a subject to publish under`);
  if (request.rate === undefined)
    throw new UsageError('--rate is missing: how many events a second the service can take');
  const rate = numberOption('--rate', request.rate, { min: 0.001, max: 10_000_000, whole: false });
  const { republish } = await import('../replay/republish.ts');
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const report = await withStream(context, (connection, { replicas }) =>
      republish({ connection, replicas, tenantId, from, to, subject, rate, restart, signal: stopped.signal }),
    );
    const { messages, events, stream, target, lastSequence, complete } = report;
    const where = `${messages} messages with ${events} events of ${stream} published to ${subject} (${target})`;
    const how = complete ? 'all of the range' : 'ended before; the same command goes on';
    if (request.json) context.out(`${JSON.stringify({ tenant: tenantId, subject, ...report })}\n`);
    else context.out(`${where}, up to sequence ${lastSequence}: ${how}\n`);
    return complete ? EXIT.done : EXIT.failed;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
