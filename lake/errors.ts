import { CodedError } from '../schemas/codedError.ts';
import type { LakeErrorCode } from '../schemas/queryErrors.ts';

/** A failure of the lake or the query server, with a code of LAKE_ERRORS. */
export class LakeError extends CodedError<LakeErrorCode> {}
