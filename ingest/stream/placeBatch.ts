import { formatSubject, shardOf, type ShardRange, type SubjectKind } from '../../schemas/subjects.ts';
import type { Entry, Failure, PublishOutcome } from './message.ts';

/** One batch for the stream, whose shard is chosen when it is written. */
export interface Batch extends Pick<Entry, 'header' | 'lineEnds' | 'deadlineMs'> {
  kind: SubjectKind;
  tenantId: string;
  segmentId: string;
  /** Called once. */
  settle: (outcome: StoredAt | Failure) => void;
}

/** Place of a stored batch. */
export type StoredAt = Exclude<PublishOutcome, Failure> & { shard: number };

/** Chooses the shard and subject of a batch. Shards of an entry are numbered within the range. Pure. */
export function placeBatch({ kind, tenantId, segmentId, settle, ...rest }: Batch, range: ShardRange): Entry {
  const shard = shardOf(tenantId, range.shards, range.first);
  return {
    ...rest,
    shard: shard - range.first,
    subject: formatSubject({ kind, shard, tenantId, segmentId }),
    settle: (outcome) => settle('failed' in outcome ? outcome : { ...outcome, shard }),
  };
}
