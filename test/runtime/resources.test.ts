import { expect, it } from 'vitest';
import { Resources } from '../../runtime/resources.ts';

it('closes last-first, to the end, and throws the first error', async () => {
  const closed: string[] = [];
  const resources = new Resources();
  resources.add('a', 'a', (name) => void closed.push(name));
  resources.add('b', 'b', () => Promise.reject(new Error('b broke')));
  resources.add('c', 'c', async (name) => void closed.push(name));
  await expect(resources.close()).rejects.toThrow('closing b failed');
  expect(closed).toEqual(['c', 'a']);
});

it('closes once, however often it is asked', async () => {
  let closed = 0;
  const resources = new Resources();
  resources.add('a', undefined, () => void closed++);
  await Promise.all([resources.close(), resources.close()]);
  await resources.close();
  expect(closed).toBe(1);
});
