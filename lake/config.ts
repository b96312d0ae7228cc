import { flag, oneOf, secret, text, whole, type Setting } from '../runtime/config.ts';

/** Time for which resends are dropped. Processor and query server must have the same. */
export const DEDUPE_HOURS = whole('DEDUPE_HOURS', 'time within which resent events are dropped', 24, 1, 720);

/** Location of the lake: settings of processor, query server and command line. */
export const LAKE_SETTINGS = {
  lakeUrl: text('LAKE_URL', 'location of the lake: file:<folder> or s3://<bucket>/<prefix>', 'file:./.spor/lake'),
  s3Endpoint: text('S3_ENDPOINT', 'URL of the S3 service; empty: the AWS endpoint of the region', ''),
  s3Region: text('S3_REGION', 'region of the bucket', 'us-east-1'),
  s3ForcePathStyle: flag('S3_FORCE_PATH_STYLE', 'the bucket is in the path instead of the host name', false),
  s3Checksums: oneOf(
    'S3_CHECKSUMS',
    'requests that carry a CRC; stores other than AWS often reject WHEN_SUPPORTED',
    ['WHEN_REQUIRED', 'WHEN_SUPPORTED'],
    'WHEN_REQUIRED',
  ),
  s3TimeoutMs: whole('S3_TIMEOUT_MS', 'longest wait for an answer of the S3 service', 15_000, 100, 600_000),
  s3AccessKeyId: secret('AWS_ACCESS_KEY_ID', 'access key of the bucket; empty: the AWS SDK finds credentials'),
  s3SecretAccessKey: secret('AWS_SECRET_ACCESS_KEY', 'secret of AWS_ACCESS_KEY_ID'),
} satisfies Record<string, Setting<unknown>>;
