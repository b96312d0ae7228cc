import { parseTraceparent, type Tracer } from '../../runtime/tracing.ts';
import type { BatchTrace } from '../../lake/window/closedWindow.ts';

/** Moments of a flush, in milliseconds since 1970. */
export interface FlushTimes {
  startMs: number;
  builtMs: number;
  committedMs: number;
}

/** Records what a flush did for each traced batch: its wait, the build and the commit. */
export function traceFlush(
  tracer: Tracer,
  traces: readonly BatchTrace[],
  { shard, times: { startMs, builtMs, committedMs } }: { shard: number; times: FlushTimes },
): void {
  for (const { trace, tenantId, sequence, storedMs } of traces) {
    const parent = parseTraceparent(trace);
    if (!parent) continue;
    const attributes = { 'spor.tenant': tenantId, 'spor.shard': shard, 'spor.sequence': sequence };
    const part = (name: string, from: number, endMs: number): void =>
      tracer.record({ name, startMs: Math.min(from, endMs), endMs, attributes }, { parent });
    part('wait for a window', storedMs, startMs);
    part('build', startMs, builtMs);
    part('commit', builtMs, committedMs);
  }
}
