import { expect, test } from 'vitest';
import { Semaphore } from '../../runtime/semaphore.ts';

/** A task under way, and how it is ended. */
interface Running {
  name: string;
  end: (error?: Error) => void;
}

test('no more tasks run than may, the others in the order of their coming, also when one fails', async () => {
  const turns = new Semaphore(2);
  const running: Running[] = [];
  const ended: string[] = [];
  const start = (name: string): Promise<void> =>
    turns
      .run(
        () =>
          new Promise<void>((resolve, reject) => {
            running.push({ name, end: (error) => (error ? reject(error) : resolve()) });
          }),
      )
      .finally(() => ended.push(name));
  const names = (): string[] => running.map(({ name }) => name);

  const first = start('first');
  const others = ['second', 'third', 'fourth'].map(start);
  expect(names()).toEqual(['first', 'second']);

  running.shift()!.end(new Error('disk full'));
  await expect(first).rejects.toThrow('disk full');
  expect(names()).toEqual(['second', 'third']);

  running.shift()!.end();
  await others[0];
  expect(names()).toEqual(['third', 'fourth']);

  for (const { end } of running.splice(0)) end();
  await Promise.all(others);
  expect(ended).toEqual(['first', 'second', 'third', 'fourth']);

  const fifth = start('fifth');
  expect(names()).toEqual(['fifth']);
  running[0]!.end();
  await fifth;
});
