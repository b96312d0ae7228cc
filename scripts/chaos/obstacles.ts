import type { ChaosFault, Disk, Link } from './fault.ts';
import { clockObstacle } from './processClock.ts';

/** What a run has. */
export interface Equipment {
  /** Whether the lake is in S3. */
  s3: boolean;
  cluster: boolean;
  disks: Partial<Record<Disk, unknown>>;
  links: Partial<Record<Link, unknown>>;
}

/** Reason why a fault cannot run here; undefined if it can. */
export function obstacleOf(fault: ChaosFault, { s3, cluster, disks, links }: Equipment): string | undefined {
  if ('target' in fault && fault.target === 's3' && !s3) return 'the lake is not in S3';
  if (fault.kind === 'wipe' || (fault.kind === 'kill' && fault.target === 'majority'))
    return cluster ? undefined : 'there is one stream server';
  if (fault.kind === 'link') return links[fault.link] ? undefined : 'there is no such link';
  // A cluster keeps its history by its majority; its stores together go back by no accident.
  if (fault.kind === 'restore' && fault.restore.startsWith('stream'))
    return cluster ? 'the stream is on three servers' : undefined;
  if (fault.kind === 'clock' && fault.target === 'nats') return clockObstacle();
  if (fault.kind !== 'disk' || disks[fault.disk]) return undefined;
  if (fault.disk === 'lake' && s3) return 'the lake is in S3';
  return fault.disk === 'stream' && cluster ? 'the stream is on three servers' : 'no small disk could be mounted';
}
