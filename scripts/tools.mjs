// Finds what a native build needs on this machine.
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';

export function findTools(env = process.env) {
  return {
    compiler: env.CXX ? which(env.CXX.split(' ').at(-1), env) : which(['g++', 'clang++'], env),
    make: which(['make', 'gmake'], env),
    ninja: which('ninja', env),
    python: which([env.PYTHON ?? 'python3', 'python'], env),
    cmake: which('cmake', env),
    nvcc: which('nvcc', env, [env.CUDA_HOME, env.CUDA_PATH, '/usr/local/cuda']),
    nodeGyp: resolve('node-gyp/bin/node-gyp.js') ?? ofNpm(env),
    cmakeJs: resolve('cmake-js/bin/cmake-js'),
    addonApi: resolve('node-addon-api/package.json'),
  };
}

/** What FLATMIN_CUDA may be. */
export const CUDA_CHOICES = ['all', 'native', 'off'];

/**
 * The architectures of the CUDA kernels, as CMake takes them: "90" of the cards that are there, "75;80;90;100" of all,
 * or null. Without FLATMIN_CUDA in the environment they are the cards' own, and none where there is no card.
 */
export function cudaArchitectures(tools, env = process.env) {
  const choice = env.FLATMIN_CUDA || 'native';
  if (choice === 'off' || tools.nvcc === null) return null;
  return choice === 'all' ? '75;80;90;100' : capabilities(env);
}

/** Of this machine's cards by the driver: "90", "80;90"; null when there is none. */
function capabilities(env) {
  const smi = which('nvidia-smi', env);
  if (smi === null) return null;
  const query = ['--query-gpu=compute_cap', '--format=csv,noheader'];
  const { status, stdout } = spawnSync(smi, query, { encoding: 'utf8', timeout: 20_000 });
  const found = status === 0 ? (stdout.match(/^\d+\.\d+$/gm) ?? []) : [];
  const known = [...new Set(found)].map((capability) => capability.replace('.', '')).sort();
  return known.length === 0 ? null : known.join(';');
}

/** What a route to a native build is short of; an empty list when it can be taken. */
export function missingFor(route, tools) {
  if (process.platform === 'win32') return ['GCC or Clang on Linux or macOS (on Windows: WSL)'];
  const needs = {
    gyp: {
      'a C++ compiler (g++ or clang++)': tools.compiler,
      make: tools.make,
      python3: tools.python,
      'the package node-gyp': tools.nodeGyp,
      'the package node-addon-api': tools.addonApi,
    },
    cmake: {
      'a C++ compiler (g++ or clang++)': tools.compiler,
      'make or ninja': tools.make ?? tools.ninja,
      CMake: tools.cmake,
      'the package cmake-js': tools.cmakeJs,
      'the package node-addon-api': tools.addonApi,
    },
  };
  return Object.keys(needs[route]).filter((name) => needs[route][name] === null);
}

/** "13.0" from a program's --version; null when it cannot be run. */
export function toolVersion(path) {
  const { stdout } = spawnSync(path, ['--version'], { encoding: 'utf8' });
  const found = /release (\d+\.\d+)/.exec(stdout) ?? /(\d+(\.\d+)+)/.exec(stdout);
  return found ? found[1] : null;
}

/** The folder whose include/node holds the headers of the running node, or null. */
export function headersFolder() {
  const folder = dirname(dirname(process.execPath));
  return existsSync(join(folder, 'include', 'node', 'node_api.h')) ? folder : null;
}

function which(names, env, prefixes = []) {
  const folders = [
    ...(env.PATH ?? '').split(delimiter),
    ...prefixes.filter(Boolean).map((prefix) => join(prefix, 'bin')),
  ].filter(Boolean);
  for (const name of [names].flat()) {
    if (name.includes('/')) return isProgram(name) ? name : null;
    const folder = folders.find((folder) => isProgram(join(folder, name)));
    if (folder) return join(folder, name);
  }
  return null;
}

function isProgram(path) {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** A file of a package that this one can require, or that the project of the current folder can. */
function resolve(request) {
  for (const folder of [import.meta.url, join(process.cwd(), 'package.json')])
    try {
      return createRequire(folder).resolve(request);
    } catch {}
  return null;
}

/** The node-gyp that comes with npm, which names it to what it runs. */
function ofNpm({ npm_config_node_gyp: path }) {
  return path && existsSync(path) ? path : null;
}
