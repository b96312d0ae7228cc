/**
 * Creates the bucket of LAKE_URL, for docker-compose.yml.
 *
 * Waits for the store to start.
 */
import { CreateBucketCommand, HeadBucketCommand, S3Client } from '@aws-sdk/client-s3';
import { LAKE_SETTINGS } from '../lake/config.ts';
import { ConfigError, readConfig } from '../runtime/config.ts';
import { retry } from '../runtime/retry.ts';

const WAIT = { firstMs: 500, maxMs: 2_000, attempts: 120 };

async function main(): Promise<void> {
  const config = readConfig(LAKE_SETTINGS, process.env);
  const bucket = /^s3:\/\/([^/]+)/.exec(config.lakeUrl)?.[1];
  if (bucket === undefined) {
    process.stdout.write(`${config.lakeUrl} needs no bucket\n`);
    return;
  }
  const client = new S3Client({
    region: config.s3Region,
    forcePathStyle: config.s3ForcePathStyle,
    requestChecksumCalculation: config.s3Checksums,
    maxAttempts: 1,
    ...(config.s3Endpoint === '' ? {} : { endpoint: config.s3Endpoint }),
    ...(config.s3AccessKeyId === ''
      ? {}
      : { credentials: { accessKeyId: config.s3AccessKeyId, secretAccessKey: config.s3SecretAccessKey } }),
  });
  const created = await retry(() => ensureBucket(client, bucket), WAIT, {
    retryable: (error) => (statusOf(error) ?? 503) >= 500,
    onRetry: (error, attempt) => {
      if (attempt % 10 === 0) process.stderr.write(`waiting for the store: ${(error as Error).message}\n`);
    },
  });
  process.stdout.write(`bucket ${bucket} ${created ? 'was created' : 'exists'}\n`);
}

async function ensureBucket(client: S3Client, bucket: string): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket: bucket }));
    return false;
  } catch (error) {
    if (statusOf(error) !== 404) throw error;
  }
  await client.send(new CreateBucketCommand({ Bucket: bucket }));
  return true;
}

/** HTTP status of the store's answer, or undefined without an answer. */
function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode;
}

try {
  await main();
} catch (error) {
  const status = statusOf(error);
  const denied = status === 401 || status === 403;
  const what = denied
    ? `the store rejects the credentials (${status}): check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY`
    : '';
  const lines = error instanceof ConfigError ? error.faults : [what || (error as Error).message];
  for (const line of lines) process.stderr.write(`createBucket: ${line}\n`);
  process.exitCode = 1;
}
