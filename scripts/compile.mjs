// Compiles src to dist, and puts there what reports draw with. Without TypeScript (an install without devDependencies)
// dist stays as it is.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Files of packages that are bundles already: users get those and not the packages. */
const VENDORED = {
  'vega/build/vega.min.js': 'vega.min.js',
  'vega/LICENSE': 'vega.LICENSE',
  'vega-lite/build/vega-lite.min.js': 'vega-lite.min.js',
  'vega-lite/LICENSE': 'vega-lite.LICENSE',
  '@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf': 'Inter_400Regular.ttf',
  '@expo-google-fonts/inter/LICENSE_FONT': 'Inter.LICENSE',
};

let compiler = null;
try {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  compiler = join(dirname(manifest), 'bin', 'tsc');
} catch {}

if (compiler !== null) {
  for (const project of ['tsconfig.build.json', 'src/report/page']) {
    const args = [compiler, '-p', join(root, project)];
    process.exitCode ||= spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] }).status ?? 1;
  }
  mkdirSync(join(root, 'dist/vendor'), { recursive: true });
  for (const [from, to] of Object.entries(VENDORED)) {
    const file = join(root, 'node_modules', from);
    if (existsSync(file)) cpSync(file, join(root, 'dist/vendor', to));
  }
} else if (!existsSync(join(root, 'dist'))) {
  console.error('flatmin: dist is missing, and so is TypeScript to make it: run "npm install"');
  process.exitCode = 1;
}
