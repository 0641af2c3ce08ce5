// Makes the folder in which gpu-check runs: the addon where it is built from these sources, and its sources, compiled
// JavaScript of the library and its checks, headers, and, for a machine that has none, a stripped and compressed node.
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { addonPath, readRecord, root, sourcesHash } from '../record.mjs';
import { headersFolder } from '../tools.mjs';

const HEADERS = ['js_native_api.h', 'js_native_api_types.h', 'node_api.h', 'node_api_types.h'];
const FILES = ['CMakeLists.txt', 'LICENSE', 'package.json', 'native', 'scripts'];

export function prepare(folder, { withNode }) {
  if (existsSync(folder)) throw new Error(`${folder} exists already; name a folder that does not`);
  const headers = headersFolder();
  if (headers === null)
    throw new Error('no Node-API headers beside node: use a node that has them');
  mkdirSync(folder, { recursive: true });
  compile(folder);
  const built = join(root, 'native', 'build');
  for (const name of FILES)
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => path !== built,
    });
  const modules = join(folder, 'node_modules');
  cpSync(packageFolder('node-addon-api'), join(modules, 'node-addon-api'), { recursive: true });
  cpSync(packageFolder('zod'), join(modules, 'zod'), { recursive: true, filter: isRun });
  const include = join(folder, 'node', 'include', 'node');
  mkdirSync(include, { recursive: true });
  for (const name of HEADERS)
    copyFileSync(join(headers, 'include', 'node', name), join(include, name));
  if (existsSync(addonPath) && readRecord()?.hash === sourcesHash()) {
    const copy = join(folder, 'build', 'Release', 'flatmin.node');
    mkdirSync(dirname(copy), { recursive: true });
    copyFileSync(addonPath, copy);
  }
  if (withNode) addNode(join(folder, 'node', 'bin'));
}

function compile(folder) {
  const compiler = join(packageFolder('typescript'), 'bin', 'tsc');
  const args = [compiler, '-p', join(root, 'test', 'device'), '--outDir', folder];
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`the checks do not compile:\n${stdout}`);
}

const packageFolder = (name) =>
  dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));

/** Neither types nor CommonJS. */
const isRun = (path) => !/\.(ts|cts|mts|cjs)$/.test(path) && basename(path) !== 'src';

function addNode(folder) {
  mkdirSync(folder, { recursive: true });
  const stripped = join(folder, 'node.stripped');
  const { status } = spawnSync('strip', ['-o', stripped, process.execPath]);
  const binary = status === 0 ? stripped : process.execPath;
  writeFileSync(join(folder, 'node.gz'), gzipSync(readFileSync(binary), { level: 9 }));
  rmSync(stripped, { force: true });
}
