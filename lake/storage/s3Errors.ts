import { S3ServiceException } from '@aws-sdk/client-s3';
import { LakeError } from '../errors.ts';

/** Fields of an S3 client's error. Codes: Amazon S3 API Reference, "Error responses". */

const AUTHENTICATION = new Set(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'RequestTimeTooSkewed']);

/** The object does not exist, but the bucket does. */
export function isNoSuchKey(error: unknown): boolean {
  return error instanceof S3ServiceException && (error.name === 'NoSuchKey' || error.name === 'NotFound');
}

/** 412: the object of a conditional write exists. */
export function isRefusedCondition(error: unknown): boolean {
  return status(error) === 412;
}

/** 409 ConditionalRequestConflict: another write of the key was in progress, and nothing was written. */
export function isConflict(error: unknown): boolean {
  return status(error) === 409;
}

/** The same request may succeed later: no answer, server fault, throttling, or a conflict. */
export function isTransient(error: unknown): boolean {
  if (error instanceof S3ServiceException) {
    const code = status(error);
    return (
      code === undefined ||
      code >= 500 ||
      code === 429 ||
      code === 409 ||
      code === 408 ||
      error.name === 'RequestTimeout' ||
      // The answer has the store's time, by which the client signs from then on.
      error.name === 'RequestTimeTooSkewed'
    );
  }
  return !(
    error instanceof LakeError ||
    error instanceof TypeError ||
    error instanceof RangeError ||
    isLocalFault(error)
  );
}

/** Describe the fault, with advice for known ones. */
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

/** Errors of the local disk and of missing credentials, which no retry fixes. */
function isLocalFault(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const local = ['ENOSPC', 'EACCES', 'EEXIST', 'ENOENT', 'EROFS', 'EDQUOT', 'EMFILE'];
  return error.name === 'CredentialsProviderError' || local.includes((error as NodeJS.ErrnoException).code ?? '');
}
