import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts', 'sdk/js/test/**/*.test.ts'],
    globalSetup: ['test/support/globalSetup.ts'],
    pool: 'forks',
    // Every file starts real servers; the machine CI runs on has two cores.
    maxWorkers: 2,
    testTimeout: 60_000,
    // Tests that kill processes depend on when the machine lets them run: on a shared one a second try tells a fault from bad luck.
    retry: process.env.CI ? 1 : 0,
    hookTimeout: 120_000,
  },
});
