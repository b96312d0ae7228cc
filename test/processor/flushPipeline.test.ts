import { expect, test } from 'vitest';
import type { BuiltWindow } from '../../processor/shards/flusher.ts';
import { FlushPipeline } from '../../processor/shards/flushPipeline.ts';
import type { Window } from '../../lake/window/window.ts';

/** A flusher whose steps end when told to. */
function stage() {
  const log: string[] = [];
  const open = new Map<string, PromiseWithResolvers<void>>();
  const step = async (name: string): Promise<void> => {
    log.push(name);
    const { promise } = open.set(name, Promise.withResolvers()).get(name)!;
    await promise;
  };
  const names = new Map<unknown, string>();
  const flusher = {
    build: async (window: Window) => {
      await step(`build ${names.get(window)}`);
      return window as unknown as BuiltWindow;
    },
    commit: (built: BuiltWindow) => step(`commit ${names.get(built)}`),
  };
  const window = (name: string): Window => {
    const made = { discard: () => Promise.resolve(void log.push(`discard ${name}`)) };
    names.set(made, name);
    return made as unknown as Window;
  };
  const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
  return {
    log,
    window,
    line: new FlushPipeline({ flusher, onTurn: () => undefined }),
    finish: async (name: string): Promise<void> => {
      open.get(name)!.resolve();
      await settled();
    },
    fail: async (name: string): Promise<void> => {
      open.get(name)!.reject(new Error(name));
      await settled();
    },
    settled,
  };
}

test('the next window is built while one is committed, and committed after it', async () => {
  const { log, line, window, finish, settled } = stage();
  await line.push(window('1'));
  expect(line.ready).toBe(false);
  await finish('build 1');
  expect(line.ready).toBe(true);
  await line.push(window('2'));
  const third = line.push(window('3'));
  await finish('build 2');
  await settled();
  expect(log).toEqual(['build 1', 'commit 1', 'build 2']);
  await finish('commit 1');
  await third;
  await settled();
  expect(log.slice(3)).toEqual(['discard 1', 'commit 2', 'build 3']);
  await finish('build 3');
  await finish('commit 2');
  expect(log.slice(6)).toEqual(['discard 2', 'commit 3']);
  await finish('commit 3');
  await line.end();
  line.check();
  expect(log.slice(8)).toEqual(['discard 3']);
});

test('the end of a commit makes no room while the next window is still built', async () => {
  const { line, window, finish } = stage();
  await line.push(window('1'));
  await finish('build 1');
  await line.push(window('2'));
  await finish('commit 1');
  expect(line.ready).toBe(false);
  await finish('build 2');
  expect(line.ready).toBe(true);
  await finish('commit 2');
  await line.end();
});

test('after a failure nothing is committed any more, and all that was taken is discarded', async () => {
  const { log, line, window, finish, fail } = stage();
  await line.push(window('1'));
  await finish('build 1');
  await line.push(window('2'));
  await finish('build 2');
  await fail('commit 1');
  await line.end();
  expect(() => line.check()).toThrow('commit 1');
  await expect(line.push(window('3'))).rejects.toThrow('commit 1');
  expect(log).toEqual(['build 1', 'commit 1', 'build 2', 'discard 1', 'discard 2', 'discard 3']);
});
