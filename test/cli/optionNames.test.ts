import { expect, test } from 'vitest';
import { command, type Context } from '../../cli/command.ts';

test('an option may be written with underscores, as docs and SQL write its parameter', async () => {
  const seen: unknown[] = [];
  const report = command({
    usage: '',
    options: { 'min-together': { type: 'string' } },
    run: (values) => {
      seen.push(values['min-together']);
      return Promise.resolve(0);
    },
  });
  for (const args of [['--min_together', '3'], ['--min_together=a_b'], ['--min_together']])
    await report.run(args, {} as Context).catch((error: unknown) => seen.push((error as Error).name));
  await expect(report.run(['--max_together', '3'], {} as Context)).rejects.toThrow(/--max_together/);
  expect(seen).toEqual(['3', 'a_b', 'UsageError']);
});
