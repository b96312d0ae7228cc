import { LakeError } from '../errors.ts';

/** A conflict with another commit; nothing of the caller's is in the table. */
export class TxnConflictError extends LakeError {
  /** Epoch of the fence, if a fence is the conflict. */
  readonly fence: number | undefined;

  constructor(message: string, fence?: number) {
    super('txn_conflict', message);
    this.fence = fence;
    this.name = 'TxnConflictError';
  }
}
