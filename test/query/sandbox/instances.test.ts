import type { DuckDBInstance } from '@duckdb/node-api';
import { expect, test } from 'vitest';
import { PrewarmedInstance } from '../../../query/sandbox/instances.ts';

const LIMITS = { memoryMb: 64, threads: 1 };

test('each query has an empty database of its own, also where it was made ahead', async () => {
  const instances = new PrewarmedInstance();
  const opened: DuckDBInstance[] = [];
  for (let query = 0; query < 3; query++) {
    const instance = await instances.open(LIMITS);
    expect(opened).not.toContain(instance);
    opened.push(instance);
    expect(await valuesOf(instance, 'SELECT count(*) FROM duckdb_tables()')).toEqual([0n]);
    await valuesOf(instance, 'CREATE TABLE mine AS SELECT 1');
    await valuesOf(instance, 'SET lock_configuration = true');
    instances.next(LIMITS);
    instances.next(LIMITS);
  }
  for (const instance of opened) instance.closeSync();
});

test('one made ahead with other limits is not handed out', async () => {
  const instances = new PrewarmedInstance();
  (await instances.open(LIMITS)).closeSync();
  instances.next(LIMITS);
  const instance = await instances.open({ memoryMb: 32, threads: 2 });
  expect(await valuesOf(instance, "SELECT current_setting('memory_limit'), current_setting('threads')")).toEqual([
    '32.0 MiB',
    2n,
  ]);
  instance.closeSync();
});

test('what cannot be made ahead is the fault of no query that does not need it', async () => {
  const instances = new PrewarmedInstance();
  await expect(instances.open({ memoryMb: 64, threads: -1 })).rejects.toThrow();
  instances.next({ memoryMb: 64, threads: -1 });
  const instance = await instances.open(LIMITS);
  expect(await valuesOf(instance, 'SELECT 1')).toEqual([1]);
  instance.closeSync();
});

async function valuesOf(instance: DuckDBInstance, sql: string): Promise<unknown[]> {
  const connection = await instance.connect();
  try {
    return (await connection.runAndReadAll(sql)).getRows()[0] ?? [];
  } finally {
    connection.closeSync();
  }
}
