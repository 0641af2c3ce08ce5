// The two builders of the addon; `cuda` are architectures, or null, and `tell` hears how many files are compiled, and of how
// many. Each keeps its objects for the next time, resolves to null or to the
// reason of its failure, and moves what it made into place only once it has been loaded.
import { spawn } from 'node:child_process';
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { platform } from './platform.mjs';
import { addonPath, loadError, logPath, readRecord, root } from './record.mjs';
import { headersFolder } from './tools.mjs';

const gypFolder = join(root, 'native', 'build');
const cmakeFolder = join(root, 'build', 'cmake');
const jobs = String(availableParallelism());

export const builders = {
  gyp(tools, _cuda, tell) {
    const headers = headersFolder();
    const options = ['--directory', join(root, 'native'), '--jobs', jobs];
    if (headers !== null) options.push('--nodedir', headers);
    return build('node-gyp', tools.nodeGyp, options, gypFolder, tools, counted(null, tell));
  },
  cmake(tools, cuda, tell) {
    const options = ['--directory', root, '--out', cmakeFolder, '--parallel', jobs];
    options.push(`--CDFLATMIN_CUDA_ARCHITECTURES=${cuda ?? 'OFF'}`);
    options.push(`--CDFLATMIN_ADDON_API=${dirname(tools.addonApi)}`);
    return build('cmake-js', tools.cmakeJs, options, cmakeFolder, tools, counted(cuda, tell));
  },
};

/** Objects of another platform would be linked as they are; CMake refuses a folder that was moved. */
export function discardUnusable() {
  const record = readRecord();
  const moved = record !== null && record.platform !== platform;
  if (moved) rmSync(gypFolder, { recursive: true, force: true });
  const cache = join(cmakeFolder, 'CMakeCache.txt');
  const home = `CMAKE_HOME_DIRECTORY:INTERNAL=${resolve(root)}\n`;
  if (moved || (existsSync(cache) && !readFileSync(cache, 'utf8').includes(home)))
    rmSync(cmakeFolder, { recursive: true, force: true });
}

async function build(name, script, options, folder, tools, hear) {
  // binding.gyp requires node-addon-api, which may be the project's and not this package's.
  const NODE_PATH = dirname(dirname(tools.addonApi));
  const env = { ...process.env, CXX: process.env.CXX ?? tools.compiler, NODE_PATH };
  for (const command of ['configure', 'build'])
    if ((await run([script, command, ...options], env, hear)) !== 0)
      return `${name} failed${cause()}`;

  const product = join(folder, 'Release', 'flatmin.node');
  const error = loadError(product);
  if (error !== null) return `what ${name} built does not load (${error})`;
  const temporary = `${addonPath}.${process.pid}`;
  mkdirSync(dirname(addonPath), { recursive: true });
  copyFileSync(product, temporary);
  renameSync(temporary, addonPath);
  return null;
}

function run(args, env, hear) {
  appendFileSync(logPath, `\n$ node ${args.join(' ')}\n`);
  const log = openSync(logPath, 'a');
  const child = spawn(process.execPath, args, { cwd: root, env, stdio: ['ignore', 'pipe', log] });
  child.stdout.on('data', (part) => {
    writeSync(log, part);
    hear(part.toString());
  });
  return new Promise((done) => {
    child.on('error', () => done(1));
    child.on('close', done);
  }).finally(() => closeSync(log));
}

/** Hears what a builder prints: node-gyp names a file before it compiles it, CMake too. */
function counted(cuda, tell) {
  const count = (folder, kind) =>
    readdirSync(join(root, 'native', folder)).filter((name) => name.endsWith(kind)).length;
  const sets = process.arch === 'x64' ? 3 : 1;
  const once = ['addon', 'ops', 'program'].reduce((sum, folder) => sum + count(folder, '.cc'), 0);
  const total = once + sets * count('cpu', '.cc') + (cuda === null ? 1 : count('cuda', '.cu'));
  let begun = 0;
  return (text) => {
    const more = text.match(/^\s*CXX\(target\)|\] Building (CXX|CUDA) object/gm)?.length ?? 0;
    begun += more;
    if (more > 0) tell({ begun: Math.min(begun, total), total });
  };
}

/** The compiler's first error. */
function cause() {
  const line = /^.*\berror\b: .*$/im.exec(readFileSync(logPath, 'utf8'));
  return line === null ? '' : ` (${line[0].trim().slice(0, 200)})`;
}
