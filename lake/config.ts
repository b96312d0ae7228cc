import { flag, oneOf, text, whole, type Setting } from '../runtime/config.ts';

/** The processor drops resends by it, and the query server those that are not committed yet: they must agree. */
export const DEDUPE_HOURS = whole('DEDUPE_HOURS', 'how long a resent event id is recognised', 24, 1, 720);

/** Where the lake lies: settings that the processor, the query server and the command line share. */
export const LAKE_SETTINGS = {
  lakeUrl: text('LAKE_URL', 'location of the lake: file:<folder> or s3://<bucket>/<prefix>', 'file:./.spor/lake'),
  s3Endpoint: text('S3_ENDPOINT', 'URL of the S3 service; empty: the AWS endpoint of the region', ''),
  s3Region: text('S3_REGION', 'region of the bucket', 'us-east-1'),
  s3ForcePathStyle: flag('S3_FORCE_PATH_STYLE', 'bucket in the path instead of the host name', false),
  s3Checksums: oneOf(
    'S3_CHECKSUMS',
    'when requests carry a CRC; stores other than AWS often reject WHEN_SUPPORTED',
    ['WHEN_REQUIRED', 'WHEN_SUPPORTED'],
    'WHEN_REQUIRED',
  ),
  s3TimeoutMs: whole('S3_TIMEOUT_MS', 'longest wait for an answer of the S3 service', 15_000, 100, 600_000),
  s3AccessKeyId: text('AWS_ACCESS_KEY_ID', 'empty: the AWS SDK searches its usual places', ''),
  s3SecretAccessKey: text('AWS_SECRET_ACCESS_KEY', 'secret of AWS_ACCESS_KEY_ID', ''),
} satisfies Record<string, Setting<unknown>>;
