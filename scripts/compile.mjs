// Compiles src to dist. Without TypeScript (an install without devDependencies) dist stays as it is.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

let compiler = null;
try {
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json');
  compiler = join(dirname(manifest), 'bin', 'tsc');
} catch {}

if (compiler !== null) {
  const args = [compiler, '-p', join(root, 'tsconfig.build.json')];
  process.exitCode = spawnSync(process.execPath, args, { stdio: ['ignore', 2, 2] }).status ?? 1;
} else if (!existsSync(join(root, 'dist'))) {
  console.error('flatmin: dist is missing, and so is TypeScript to make it: run "npm install"');
  process.exitCode = 1;
}
