import { existsSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Engine } from '../../lake/flush/engine.ts';
import { createLog } from '../../runtime/log.ts';
import { childrenOf } from '../../scripts/stack/processes.ts';

const AUTOGROUP = '/proc/self/autogroup';
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'spor-test-engine-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

test.runIf(existsSync(AUTOGROUP))(
  'an engine that lets others go first does so in a session of its own too',
  async () => {
    const ours = readFileSync(AUTOGROUP, 'utf8');
    expect(await autogroupOf(10)).toMatch(/ nice 10\n$/);
    expect(await autogroupOf(0)).toBe(ours);
    expect(readFileSync(AUTOGROUP, 'utf8')).toBe(ours);
  },
);

/** The scheduling group of an engine's process: `/autogroup-31 nice 10`. */
async function autogroupOf(niceness: number): Promise<string> {
  const log = createLog('test', 'silent');
  const engine = new Engine({ dir: join(dir, `nice-${niceness}`), memory: '64MiB', threads: 1, niceness, log });
  const before = new Set(childrenOf(process.pid));
  try {
    await engine.start();
    const [pid] = childrenOf(process.pid).filter((child) => !before.has(child));
    return readFileSync(`/proc/${pid}/autogroup`, 'utf8');
  } finally {
    await engine.close();
  }
}
