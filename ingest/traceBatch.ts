import { formatTraceparent, type Tracer } from '../runtime/tracing.ts';
import type { Key } from './keys/keyring.ts';
import type { Batch } from './stream/placeBatch.ts';

/** A traced batch, between its arrival and the answer. */
export interface TracedBatch {
  /** Its place in the trace, for the stream message. */
  text: string;
  /** Records what became of the batch. */
  ended: (outcome: Parameters<Batch['settle']>[0], accepted: number) => void;
}

/** Begins the trace of a batch that is ready for the stream; undefined if it is not one to trace. */
export function traceBatch(
  tracer: Tracer,
  { key, traceparent, startedMs }: { key: Key; traceparent: string | undefined; startedMs: number },
): TracedBatch | undefined {
  const begun = tracer.begin(traceparent);
  if (!begun) return undefined;
  const { own, parent } = begun;
  const judgedMs = Date.now();
  return {
    text: formatTraceparent(own),
    ended: (outcome, accepted) => {
      const endMs = Date.now();
      const error = 'failed' in outcome ? { error: outcome.failed } : {};
      const place = 'failed' in outcome ? {} : { 'spor.shard': outcome.shard, 'spor.sequence': outcome.sequence };
      const who = { 'spor.tenant': key.tenantId, 'spor.segment': key.segmentId, 'spor.events': accepted };
      tracer.record({ name: 'judge', startMs: startedMs, endMs: judgedMs, attributes: {} }, { parent: own });
      tracer.record({ name: 'publish', startMs: judgedMs, endMs, attributes: place, ...error }, { parent: own });
      const attributes = { ...who, ...place };
      tracer.record({ name: 'receive', startMs: startedMs, endMs, attributes, ...error }, { own, parent });
    },
  };
}
