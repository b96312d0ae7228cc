import { defineConfig } from 'vitest/config';

const MINUTE_MS = 60_000;

/** Tests of generated clients, apart from the others: they need dotnet and registries, and take minutes. */
export default defineConfig({
  test: {
    include: ['test/clients/*.test.ts'],
    globalSetup: ['test/support/globalSetup.ts'],
    testTimeout: 5 * MINUTE_MS,
    hookTimeout: 5 * MINUTE_MS,
  },
});
