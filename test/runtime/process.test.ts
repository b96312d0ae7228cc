import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('a start that fails because it is being stopped is no fault', async () => {
  const child = fork(fileURLToPath(new URL('./stoppedChild.ts', import.meta.url)), [], {
    execArgv: [],
    env: { PATH: process.env.PATH, LOG_LEVEL: 'silent' },
  });
  await once(child, 'message');
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});
