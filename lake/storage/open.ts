import { resolve } from 'node:path';
import { ConfigError } from '../../runtime/config.ts';
import { openLocalStorage } from './local.ts';
import { createS3Storage, type S3Config } from './s3.ts';
import type { Storage } from './storage.ts';

/**
 * Open the storage of `file:<folder>` or `s3://<bucket>[/<prefix>]`.
 * A folder is absolute or relative to the working folder. probe.ts checks that the storage is fit.
 * @throws ConfigError for any other URL, and for a folder whose name is a pattern to DuckDB
 */
export async function openStorage(url: string, s3: S3Config): Promise<Storage> {
  const { scheme, rest } = /^(?<scheme>[a-z0-9]+):(?<rest>.*)$/.exec(url)?.groups ?? {};
  if (scheme === 'file' && /[*?[\]{}]/.test(rest ?? '')) {
    throw new ConfigError([`LAKE_URL=${url} holds one of * ? [ ] { }, which are patterns in SQL: use another folder`]);
  }
  if (scheme === 'file' && rest) return openLocalStorage(resolve(rest.replace(/^\/\/(?=\/)/, '')));
  if (scheme === 's3' && rest?.startsWith('//')) {
    const [bucket = '', ...prefix] = rest.slice(2).replace(/\/+$/, '').split('/');
    if (/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(bucket))
      return createS3Storage({ bucket, prefix: prefix.join('/') }, s3);
  }
  throw new ConfigError([`LAKE_URL=${url} is neither file:<folder> nor s3://<bucket>/<prefix>`]);
}

/** The folder of a lake on this host's disks, as `{ lake: <folder> }`; empty for S3. */
export function localFolder({ url }: Storage): { lake?: string } {
  return url.startsWith('file:') ? { lake: url.slice('file:'.length) } : {};
}
