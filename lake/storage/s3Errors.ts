import { S3ServiceException } from '@aws-sdk/client-s3';
import { LakeError } from '../errors.ts';

/** What an error of the S3 client means for the caller. Codes: Amazon S3 API Reference, "Error responses". */

const AUTHENTICATION = new Set(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'RequestTimeTooSkewed']);

/** The object does not exist, in a bucket that does. */
export function isNoSuchKey(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

/** 412: the condition of a conditional write does not hold. */
export function isRefusedCondition(error: unknown): boolean {
  return status(error) === 412;
}

/** 409 ConditionalRequestConflict: another write of the key was under way; this one did nothing. */
export function isConflict(error: unknown): boolean {
  return status(error) === 409;
}

/** Whether the same request may succeed later: no answer, server fault, throttling, or a conflict. */
export function isTransient(error: unknown): boolean {
  if (error instanceof S3ServiceException) {
    const code = status(error);
    return (
      code === undefined ||
      code >= 500 ||
      code === 429 ||
      code === 409 ||
      code === 408 ||
      error.name === 'RequestTimeout'
    );
  }
  return !(
    error instanceof LakeError ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    isLocalFault(error)
  );
}

/** The fault in words, with what to do where that is known. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'NoSuchBucket') return 'the bucket does not exist: create it first';
  if (AUTHENTICATION.has(error.name))
    return `${error.name}: check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, S3_REGION and the clock`;
  if (error.name === 'CredentialsProviderError')
    return 'no credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY';
  const code = status(error);
  return `${error.name}${code === undefined ? '' : ` (${code})`}: ${error.message}`;
}

function status(error: unknown): number | undefined {
  return error instanceof S3ServiceException ? error.$metadata.httpStatusCode : undefined;
}

/** Errors of the local file system (disk full, no permission) and of missing credentials: no use in asking S3 again. */
function isLocalFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const local = ['ENOSPC', 'EACCES', 'EEXIST', 'ENOENT', 'EROFS', 'EDQUOT', 'EMFILE'];
  return error.name === 'CredentialsProviderError' || local.includes((error as NodeJS.ErrnoException).code ?? '');
}
