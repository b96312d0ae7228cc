import { changeStream } from './changing.ts';
import { EXIT, UsageError, type Context } from './command.ts';
import { withStorage } from './storage.ts';
import { numberOption } from './number.ts';
import { requireTenants } from './tenant.ts';

interface Request {
  tenantId: string;
  from: string;
  to: string;
  subject: string;
  rate?: string;
  restart?: boolean;
  json?: boolean;
}

/** Form of a target subject: no wildcards, no blanks, no `$` first. */
const SUBJECT = /^(?!\$)[A-Za-z0-9_$-]+(\.[A-Za-z0-9_$-]+)*$/;

/** Run `spor replay --to-subject` to the end of the range, or SIGINT. */
export async function republishTo(context: Context, request: Request): Promise<number> {
  const { tenantId, from, to, subject, restart = false } = request;
  if (!SUBJECT.test(subject)) throw new UsageError(`--to-subject ${subject} is not a subject to publish under`);
  if (request.rate === undefined)
    throw new UsageError('--rate is missing: name the events a second that the service can take');
  const rate = numberOption('--rate', request.rate, { min: 0.001, max: 10_000_000, whole: false });
  await requireTenants(context, [tenantId]);
  const { republish } = await import('./replay/republish.ts');
  const stopped = new AbortController();
  const stop = (): void => stopped.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    const range = { tenantId, from, to, subject, rate, restart, signal: stopped.signal };
    const report = await withStorage(context, (storage) =>
      changeStream(
        context,
        { action: 'replay.publish', tenantId, about: subject },
        async (connection, settings, note) => {
          const done = await republish({ connection, storage, replicas: settings.replicas, ...range });
          note({ after: { from, to, messages: done.messages, events: done.events, complete: done.complete } });
          return done;
        },
      ),
    );
    const { messages, events, stream, target, lastSequence, complete, erased, unreadable } = report;
    const where = `${messages} messages with ${events} events of ${stream} published to ${subject} (${target})`;
    const lines = [
      ...(erased > 0 ? [`${erased} events of erased people left out`] : []),
      ...(unreadable > 0 ? [`${unreadable} unreadable messages left out, because their person is unknown`] : []),
    ];
    const how = complete ? 'all of the range' : 'interrupted; the same command continues';
    if (request.json) context.out(`${JSON.stringify({ tenant: tenantId, subject, ...report })}\n`);
    else context.out(`${where}, up to sequence ${lastSequence}: ${how}\n${lines.map((line) => `${line}\n`).join('')}`);
    return complete ? EXIT.done : EXIT.failed;
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}
