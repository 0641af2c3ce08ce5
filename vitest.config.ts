import { defineConfig } from 'vitest/config';

// .ci/run counts from a report of its own beside the one that is read.
const report = process.env.FLATMIN_TEST_REPORT;

export default defineConfig({
  // `#flatmin/…` in bench means src here, and dist when it is run.
  ssr: { resolve: { conditions: ['flatmin-source', 'module', 'node'] } },
  test: {
    include: ['test/**/*.test.ts'],
    setupFiles: ['test/setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 120_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
  },
});
