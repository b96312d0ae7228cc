import { CodedError } from '../schemas/codedError.ts';
import type { LakeErrorCode } from '../schemas/queryErrors.ts';

/** A failure of the lake or the query server. */
export class LakeError extends CodedError<LakeErrorCode> {}
