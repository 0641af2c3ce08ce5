// Checks the packed tarball of a compiled tree by publint and arethetypeswrong, which are fetched into build/tools.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fetched } from './fetched.mjs';
import { root, version } from './record.mjs';

const tools = join(fetched('publint@0.3.25', '@arethetypeswrong/cli@0.18.5'), 'node_modules');
const folder = mkdtempSync(join(tmpdir(), 'flatmin-package-'));
try {
  const staged = join(folder, 'packages');
  run('node', [join(root, 'scripts', 'pack.mjs'), '--out', staged]);
  run('npm', ['pack', '--silent', '--pack-destination', folder], join(staged, 'flatmin'));
  const tarball = join(folder, `flatmin-${version}.tgz`);
  run('node', [join(tools, 'publint/src/cli.js'), tarball, '--strict']);
  // require() of ES modules works in every Node that flatmin is for: test/install/require.test.ts.
  const ignored = ['--ignore-rules', 'cjs-resolves-to-esm'];
  run('node', [join(tools, '@arethetypeswrong/cli/dist/index.js'), tarball, ...ignored]);
} finally {
  rmSync(folder, { recursive: true });
}

function run(command, args, cwd = root) {
  const { status } = spawnSync(command, args, { cwd, stdio: 'inherit' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed`);
}
