import { writeFile } from 'node:fs/promises';
import { openParentChannel } from '../../../runtime/parentChannel.ts';
import { LakeError } from '../../../lake/errors.ts';
import { inProcess } from '../executor.ts';
import { sqlParameters } from './parameters.ts';
import { EXIT_MEMORY, type WorkerReply, type WorkerRequest } from './protocol.ts';

/**
 * Interval of this process's own memory checks.
 *
 * The process answers one query after another; pool.ts starts and ends it. The process has no settings, no credentials, and no
 * connection but the channel to its parent. If the process exceeds its memory limit, it exits, because DuckDB does not always
 * keep to its own.
 */
const WATCH_MS = 20;

const running = new Map<number, AbortController>();
const executor = inProcess({ ahead: true });

const send = openParentChannel<WorkerRequest, WorkerReply>((request) => {
  if (request.job || request.build || request.check !== undefined) void answer(request);
  else running.get(request.id)?.abort();
});
// If the machine runs out of memory, the kernel should kill this process and not the server.
await writeFile('/proc/self/oom_score_adj', '1000').catch(() => undefined);
send({ id: 0, rssBytes: process.memoryUsage.rss() });

async function answer(request: WorkerRequest): Promise<void> {
  const { id, maxRssBytes = Infinity } = request;
  const stop = new AbortController();
  running.set(id, stop);
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() > maxRssBytes) process.exit(EXIT_MEMORY);
  }, WATCH_MS);
  try {
    const done = await work(request, stop.signal);
    send({ id, ...done, rssBytes: process.memoryUsage.rss() });
  } catch (error) {
    send({ id, error: plain(error), rssBytes: process.memoryUsage.rss() });
  } finally {
    clearInterval(watch);
    running.delete(id);
  }
}

async function work(
  { check, build, job, parameters }: WorkerRequest,
  signal: AbortSignal,
): Promise<Pick<WorkerReply, 'checked' | 'built' | 'facts'>> {
  if (check !== undefined) return { checked: await executor.check(check) };
  const before = process.cpuUsage();
  const cpuMs = (): number => {
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1_000;
  };
  if (build) return { built: { ...(await executor.build(build)), cpuMs: cpuMs() } };
  const bound = parameters ? { parameters: sqlParameters(parameters) } : {};
  const facts = await executor.run({ ...job!, query: { ...job!.query, signal, ...bound } });
  return { facts: { ...facts, cpuMs: cpuMs() } };
}

function plain(error: unknown): NonNullable<WorkerReply['error']> {
  if (!(error instanceof LakeError)) return { code: 'internal', message: 'The query failed.', cause: String(error) };
  return { code: error.code, message: error.message, cause: error.cause instanceof Error ? error.cause.message : '' };
}
