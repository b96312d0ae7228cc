import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';

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

  test('overload: everything acknowledged is in the lake, once', async () => {
    const { printed, text } = await bench('overload');
    expect(printed.results.find(({ name }) => name.startsWith('acknowledged'))?.value, text).toBe(1);
    expect(printed.results.find(({ name }) => name.startsWith('refusals'))?.value, text).toBe(1);
  });
});

test('a wrong call says how it is called', () => {
  const { status, stderr } = spawnSync(process.execPath, ['scripts/bench/main.ts', 'nonsense'], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  expect(status).toBe(2);
  expect(stderr).toContain('npm run bench --');
});
