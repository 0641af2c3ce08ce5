// The steps of gpu-check, one after another; each leaves its status, seconds and the end of its output.
import { spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { findTools, toolVersion } from '../tools.mjs';

const SANITIZERS = ['memcheck', 'racecheck', 'synccheck'];
const TAIL = 4000;

export async function runChecks({ device, quick, architectures, out, folder }) {
  const tools = findTools();
  const emulated = device.startsWith('cuda-emulated');
  const steps = [];
  const add = (step) => {
    steps.push(step);
    console.log(`${step.status.padEnd(8)}${step.name}${step.reason ? `: ${step.reason}` : ''}`);
  };
  const run = async (name, command, args, env = {}) => {
    const started = performance.now();
    const { status, output } = await call(command, args, folder, env);
    const seconds = Math.round((performance.now() - started) / 100) / 10;
    const step = { name, status: status === 0 ? 'passed' : 'failed', seconds, output };
    add(step);
    return step;
  };
  const skip = (name, reason) => add({ name, status: 'skipped', reason });

  const machine = describeMachine(tools);
  const addon = join(folder, 'build', 'Release', 'flatmin.node');
  const found = cudaOf(addon, folder);
  if (found?.compiled) skip('build', 'the addon with CUDA kernels is there already');
  else
    await build({
      tools,
      folder,
      addon,
      run,
      skip,
      architectures: architectures ?? machine.capability,
    });
  const cuda = cudaOf(addon, folder);

  const results = join(out, 'conformance.json');
  const conformance = join(folder, 'test', 'device', 'conformance.js');
  const on = ['--device', device];
  const short = [...on, '--short'];
  await run('conformance', process.execPath, [
    ...[conformance, ...(quick ? short : on), '--json', results],
  ]);
  const sanitizer = emulated ? null : sanitizerPath();
  for (const tool of SANITIZERS) {
    const name = `compute-sanitizer ${tool}`;
    if (emulated) skip(name, 'no CUDA device is used');
    else if (sanitizer === null) skip(name, 'compute-sanitizer not found');
    else
      await run(name, sanitizer, [
        ...['--tool', tool, '--error-exitcode', '99', process.execPath],
        ...[conformance, ...short],
      ]);
  }
  const size = quick ? ['--batch', '4', '--steps', '4'] : ['--batch', '100', '--steps', '200'];
  const lenet5 = await run('LeNet-5', process.execPath, [
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

async function build({ tools, folder, addon, run, skip, architectures }) {
  if (tools.cmake === null || tools.compiler === null)
    return skip('build', `${tools.cmake === null ? 'CMake' : 'a C++ compiler'} not found`);
  const objects = join(folder, 'build', 'cmake');
  const include = [
    join(folder, 'node', 'include', 'node'),
    join(folder, 'node_modules', 'node-addon-api'),
  ];
  const configured = await run('configure', tools.cmake, [
    ...[
      '-S',
      folder,
      '-B',
      objects,
      '-DCMAKE_BUILD_TYPE=Release',
      `-DCMAKE_JS_INC=${include.join(';')}`,
    ],
    ...(tools.make === null ? ['-G', 'Ninja'] : []),
    ...(architectures ? [`-DFLATMIN_CUDA_ARCHITECTURES=${architectures}`] : []),
  ]);
  if (configured.status !== 'passed') return;
  const jobs = String(availableParallelism());
  const built = await run('build', tools.cmake, ['--build', objects, '--parallel', jobs]);
  if (built.status !== 'passed') return;
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(join(objects, 'flatmin.node'), addon);
}

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

function call(command, args, cwd, env) {
  const child = spawn(command, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const keep = (text) => {
    output = (output + text).slice(-TAIL);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  return new Promise((done) => {
    child.on('error', (error) => done({ status: 1, output: error.message }));
    child.on('close', (status) => done({ status: status ?? 1, output }));
  });
}
