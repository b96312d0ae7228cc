import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { dollarsAMonth, kindOf } from '../../scripts/bench/s3Requests.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const hasWrk = spawnSync('wrk', ['--version']).error === undefined;

interface Printed {
  bench: string;
  machine: { cores: number };
  results: { name: string; value: number; reach?: number; unit: string }[];
}

async function bench(...args: string[]): Promise<{ printed: Printed; text: string }> {
  const command = ['scripts/bench/main.ts', ...args, '--quick', '--json'];
  const { stdout } = await run(process.execPath, command, { cwd: ROOT, timeout: 110_000 });
  return { printed: JSON.parse(stdout.trimEnd().split('\n').at(-1)!) as Printed, text: stdout };
}

/**
 * Figures of a moment say nothing, so only that there are some; what must hold at any speed is checked. It takes two minutes,
 * which CI has and `npm test` has not.
 */
describe.skipIf(!hasWrk || !process.env.CI)('npm run bench, its quick version (in CI, needs wrk)', () => {
  test.each([
    ['ingest', 7],
    ['processor', 2],
    ['pipeline', 5],
    ['query', 2],
    ['views', 3],
    ['idle', 1],
  ])(
    '%s',
    async (name, figures) => {
      const { printed } = await bench(name);
      expect(printed.bench).toBe(name);
      expect(printed.machine.cores).toBeGreaterThan(0);
      expect(printed.results).toHaveLength(figures);
      for (const { value, reach } of printed.results) {
        expect(value).toBeGreaterThan(0);
        expect(reach ?? 1).toBeGreaterThan(0);
      }
    },
    120_000,
  );

  test('tenants: cores and answers are measured in a folder, and requests where S3 can run', async () => {
    const { printed } = await bench('tenants');
    expect(printed.results.length).toBeGreaterThanOrEqual(2);
    for (const { value } of printed.results) expect(value).toBeGreaterThan(0);
  }, 120_000);

  test('overload: everything acknowledged is in the lake, once', async () => {
    const { printed, text } = await bench('overload');
    expect(printed.results.find(({ name }) => name.startsWith('acknowledged'))?.value, text).toBe(1);
    expect(printed.results.find(({ name }) => name.startsWith('refusals'))?.value, text).toBe(1);
  });
});

test('requests of an object store are told by their kind, and cost what they cost', () => {
  const kinds = [
    ['PUT', '/lake/events/1.parquet?x-id=PutObject'],
    ['GET', '/lake/?list-type=2&prefix=events%2F'],
    ['GET', '/lake/events/1.parquet'],
    ['HEAD', '/lake/events/1.parquet'],
    ['POST', '/lake/?delete'],
    ['PATCH', '/lake'],
  ].map(([method, url]) => kindOf(method!, url!));
  expect(kinds).toEqual(['PUT', 'LIST', 'GET', 'HEAD', 'POST', undefined]);
  const none = { PUT: 0, POST: 0, LIST: 0, GET: 0, HEAD: 0, DELETE: 0 };
  expect(dollarsAMonth({ ...none, PUT: 12 })).toBeCloseTo(155.52);
  expect(dollarsAMonth({ ...none, GET: 12, DELETE: 100 })).toBeCloseTo(12.44);
});

test('a wrong call says how it is called', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/bench/main.ts', 'nonsense'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stderr).toContain('npm run bench --');
});
