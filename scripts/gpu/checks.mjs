// The steps of gpu-check, one after another; each leaves its status, seconds and the end of its output.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { findTools, toolVersion } from '../tools.mjs';

const TAIL = 4000;
/** Seconds that a step may take. */
const LIMIT = 540;

export const STEPS = ['build', 'conformance', 'memcheck', 'racecheck', 'synccheck', 'lenet5'];

/** The steps of `only`, in their order, after a look at the device; without one it does no more. */
export async function runChecks({ device, quick, architectures, only, out, folder }) {
  const tools = findTools();
  const emulated = device.startsWith('cuda-emulated');
  const steps = [];
  const add = (step) => {
    steps.push(step);
    const why = step.reason ?? (step.status === 'failed' ? lastLine(step.output) : '');
    console.log(`${step.status.padEnd(8)}${step.name}${why === '' ? '' : `: ${why}`}`);
  };
  const run = async (name, command, args) => {
    if (!only.includes(name)) return { output: '' };
    const started = performance.now();
    const { status, output } = await call(command, args, folder);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const step = { name, status: status === 0 ? 'passed' : 'failed', seconds, output };
    add(step);
    return step;
  };
  const skip = (name, reason) => only.includes(name) && add({ name, status: 'skipped', reason });

  const machine = describeMachine(tools);
  const addon = join(folder, 'build', 'Release', 'flatmin.node');
  if (cudaOf(addon, folder)?.compiled)
    skip('build', 'the addon with CUDA kernels is there already');
  else {
    const known = architectures ?? machine.capability;
    await build({ tools, folder, addon, run, skip, architectures: known });
  }
  const cuda = cudaOf(addon, folder);
  const missing = emulated
    ? null
    : cuda === null
      ? 'there is no addon that loads: run the step "build" and see what it says'
      : cuda.reason;
  if (missing !== null) {
    add({ name: 'device', status: 'failed', output: missing });
    return { machine, cuda, steps, conformance: [], lenet5: [] };
  }

  const results = join(out, 'conformance.json');
  rmSync(results, { force: true });
  const conformance = join(folder, 'test', 'device', 'conformance.js');
  const on = ['--device', device];
  const short = [...on, '--short'];
  await run('conformance', process.execPath, [
    ...[conformance, ...(quick ? short : on), '--json', results],
  ]);
  const sanitizer = emulated ? null : sanitizerPath();
  for (const tool of ['memcheck', 'racecheck', 'synccheck']) {
    if (emulated) skip(tool, 'no CUDA device is used');
    else if (sanitizer === null) skip(tool, 'compute-sanitizer not found');
    else
      await run(tool, sanitizer, [
        ...['--tool', tool, '--error-exitcode', '99', process.execPath],
        ...[conformance, ...short],
      ]);
  }
  const size = quick ? ['--batch', '4', '--steps', '4'] : ['--batch', '100', '--steps', '200'];
  const lenet5 = await run('lenet5', process.execPath, [
    ...[join(folder, 'test', 'device', 'lenet5.js'), ...on, ...size],
  ]);
  return {
    machine,
    cuda,
    steps,
    conformance: existsSync(results) ? JSON.parse(readFileSync(results, 'utf8')) : [],
    lenet5: lenet5.output
      .split('\n')
      .flatMap((line) => (line.startsWith('{') ? JSON.parse(line) : [])),
  };
}

const lastLine = (output) => output.trim().split('\n').at(-1);

async function build({ tools, folder, addon, run, skip, architectures }) {
  if (tools.cmake === null || tools.compiler === null)
    return skip('build', `${tools.cmake === null ? 'CMake' : 'a C++ compiler'} not found`);
  const objects = join(folder, 'build', 'cmake');
  const include = [
    join(folder, 'node', 'include', 'node'),
    join(folder, 'node_modules', 'node-addon-api'),
  ];
  const configure = [
    ...[tools.cmake, '-S', folder, '-B', objects, '-DCMAKE_BUILD_TYPE=Release'],
    `-DCMAKE_JS_INC=${include.join(';')}`,
    ...(tools.make === null ? ['-G', 'Ninja'] : []),
    ...(architectures ? [`-DFLATMIN_CUDA_ARCHITECTURES=${architectures}`] : []),
  ];
  const make = [tools.cmake, '--build', objects, '--parallel', String(availableParallelism())];
  const both = [configure, make].map((words) => words.map(quoted).join(' ')).join(' && ');
  const built = await run('build', 'sh', ['-c', both]);
  if (built.status !== 'passed') return;
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(join(objects, 'flatmin.node'), addon);
}

const quoted = (word) => `'${word.replaceAll("'", "'\\''")}'`;

/** What the addon says of CUDA, by a process of its own; null when there is none that loads. */
function cudaOf(addon, folder) {
  if (!existsSync(addon)) return null;
  const code = 'process.stdout.write(JSON.stringify(require(process.argv[1]).cuda))';
  const { status, stdout } = spawnSync(process.execPath, ['-e', code, addon], {
    encoding: 'utf8',
    cwd: folder,
  });
  return status === 0 ? JSON.parse(stdout) : null;
}

function describeMachine(tools) {
  const query = [
    '--query-gpu=name,compute_cap,driver_version,memory.total',
    '--format=csv,noheader',
  ];
  const { status, stdout } = spawnSync('nvidia-smi', query, { encoding: 'utf8' });
  const cards = status === 0 ? stdout.trim().split('\n') : [];
  const capability = cards[0]?.split(', ')[1].replace('.', '');
  const version = (path) => (path === null ? null : toolVersion(path));
  return {
    date: new Date().toISOString(),
    cards,
    capability,
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    node: process.version,
    nvcc: version(tools.nvcc),
    cmake: version(tools.cmake),
  };
}

function sanitizerPath() {
  for (const path of ['compute-sanitizer', '/usr/local/cuda/bin/compute-sanitizer'])
    if (spawnSync(path, ['--version']).status === 0) return path;
  return null;
}

/** Status and the end of the output; a command that takes too long is ended. */
function call(command, args, cwd) {
  const child = spawn(command, args, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LIMIT * 1000,
  });
  let output = '';
  const keep = (text) => {
    output = (output + text).slice(-TAIL);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((done) => {
    child.on('error', (error) => done({ status: 1, output: error.message }));
    child.on('close', (status, signal) => {
      if (signal !== null) keep(`\nended by ${signal}: a step may take ${LIMIT} seconds`);
      done({ status: status ?? 1, output });
    });
  });
}
