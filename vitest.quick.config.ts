import { configDefaults, defineConfig, mergeConfig } from 'vitest/config';
import all from './vitest.config.ts';

/** What builds, installs, downloads, starts processes, trains for long or writes a table; the whole suite has it. */
const SLOW = [
  'bench/**',
  'cli/{flatmin,kills,run,run-folder,run-report,study,sweep,build}.test.ts',
  'conformance/winograd.test.ts',
  'data/{fetch,mnist}.test.ts',
  'emulation/**',
  'examples.test.ts',
  'install/**',
  'linalg/{polar,roots}.test.ts',
  'methods/{documentation,fixed-runs,table}.test.ts',
  'native/**',
  'optim/{convergence,kfac-model,kfac-tokens,spikes}.test.ts',
  'readme.test.ts',
  'report/{page,write}.test.ts',
  'study/{claims,run-study}.test.ts',
  'sweep/{processes,sweep}.test.ts',
  'tasks/**',
  'tensorflow.test.ts',
  'train/{agreement,pytorch,safetensors}.test.ts',
];

/** Under a minute on two cores: every op on every backend by a few cases, every method by its oracle. */
export default mergeConfig(
  all,
  defineConfig({
    test: {
      exclude: [...configDefaults.exclude, ...SLOW.map((files) => `test/${files}`)],
      env: { FLATMIN_QUICK: '1' },
    },
  }),
);
