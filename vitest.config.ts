import { configDefaults, defineConfig } from 'vitest/config';
import { PATIENCE_MS } from './test/support/until.ts';

/** Time for several waits of a test, each as long as `until` allows. */
const TEST_MS = 3 * PATIENCE_MS;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'sdk/js/test/**/*.test.ts'],
    // Generated clients need dotnet and registries: npm run test:clients.
    exclude: [...configDefaults.exclude, 'test/clients/**'],
    globalSetup: ['test/support/globalSetup.ts'],
    setupFiles: ['test/support/midnight.ts'],
    pool: 'forks',
    // Two workers wait for a third of the time of two cores: servers start, leases run out, clients pause.
    maxWorkers: 3,
    // No retry: a test of exactly-once that fails once has failed.
    testTimeout: TEST_MS,
    hookTimeout: TEST_MS,
    expect: { poll: { timeout: PATIENCE_MS } },
  },
});
