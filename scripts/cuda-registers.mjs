// Registers, shared memory and spills of every CUDA kernel as ptxas reports them, for the architectures that are built:
//   node scripts/cuda-registers.mjs   writes docs/results/cuda-registers.md
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { root } from './record.mjs';
import { findTools, toolVersion } from './tools.mjs';

const ARCHITECTURES = ['75', '80', '90', '100'];
const { nvcc } = findTools();
if (nvcc === null) throw new Error('nvcc not found: install the CUDA toolkit');
const folder = join(root, 'native', 'cuda');
const files = readdirSync(folder, { recursive: true }).filter((path) => /\/.*\.cu$/.test(path));

/** By file and name: for each architecture what ptxas says. */
const kernels = new Map();
const due = files.flatMap((file) => ARCHITECTURES.map((architecture) => ({ file, architecture })));
const worker = async () => {
  for (let next = due.pop(); next !== undefined; next = due.pop())
    for (const { name, ...use } of parse(await compile(next))) {
      const key = `${basename(next.file)} | \`${name}\``;
      kernels.set(key, { ...kernels.get(key), [next.architecture]: use });
    }
};
await Promise.all(Array.from({ length: availableParallelism() }, worker));

const largest = (uses, what) => Math.max(...Object.values(uses).map((use) => use[what]));
const rows = [...kernels]
  .sort()
  .map(([key, uses]) => [
    key,
    ...ARCHITECTURES.map((architecture) => uses[architecture].registers),
    ...['shared', 'stack', 'spills'].map((what) => largest(uses, what)),
  ]);
const head = ['file | kernel', ...ARCHITECTURES.map((name) => `sm_${name}`)];
const text = [[...head, 'shared bytes', 'stack bytes', 'spilled bytes']]
  .concat([['--- | ---', ...Array(ARCHITECTURES.length + 3).fill('---:')]], rows)
  .map((cells) => `| ${cells.join(' | ')} |\n`)
  .join('');
const spilled = [...kernels.values()].filter((uses) => largest(uses, 'spills') > 0).length;
writeFileSync(
  join(root, 'docs', 'results', 'cuda-registers.md'),
  `# Registers of the CUDA kernels

By ptxas of nvcc ${toolVersion(nvcc)}; made by \`node scripts/cuda-registers.mjs\`. It says what was compiled, not that it
ran. Registers of a thread by architecture; of the rest the largest. ${kernels.size} kernels, ${spilled} of which spill registers.

${text}`,
);

function compile({ file, architecture }) {
  const args = [
    ...['-cubin', `-arch=sm_${architecture}`, '-O3', '-std=c++17', '-Xptxas', '-v'],
    ...[`-I${join(root, 'native')}`, '-o', '/dev/null', join(folder, file)],
  ];
  const child = spawn(nvcc, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  let report = '';
  child.stderr.on('data', (part) => {
    report += part;
  });
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (status) => (status === 0 ? done(report) : fail(new Error(report))));
  });
}

/** Lines of a kernel: its name, then stack and spills, then registers and shared memory. */
function parse(report) {
  const found = [];
  for (const line of report.split('\n')) {
    const [, entry] = /Compiling entry function '(\w+)'/.exec(line) ?? [];
    if (entry !== undefined) found.push({ name: entry, shared: 0, stack: 0, spills: 0 });
    const kernel = found.at(-1);
    const stack = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(
      line,
    );
    if (kernel && stack)
      Object.assign(kernel, {
        stack: Number(stack[1]),
        spills: Number(stack[2]) + Number(stack[3]),
      });
    const used = /Used (\d+) registers/.exec(line);
    if (kernel && used) kernel.registers = Number(used[1]);
    const shared = /(\d+) bytes smem/.exec(line);
    if (kernel && shared) kernel.shared = Number(shared[1]);
  }
  const names = demangle(found.map(({ name }) => name));
  return found.map((kernel, i) => ({ ...kernel, name: names[i] }));
}

/** Without namespace and parameters. */
function demangle(names) {
  const filter = join(dirname(nvcc), 'cu++filt');
  const options = { input: `${names.join('\n')}\n`, encoding: 'utf8' };
  let { status, stdout } = spawnSync(filter, options);
  if (status !== 0) ({ status, stdout } = spawnSync('c++filt', options));
  const lines = status === 0 ? stdout.trim().split('\n') : names;
  return lines.map((line) =>
    short(
      line
        .replaceAll(/flatmin::(cuda::)?|(\(anonymous namespace\)|<unnamed>)::/g, '')
        .replace(/^void /, ''),
    ),
  );
}

/** Up to the parameter list: the first parenthesis outside of template arguments. */
function short(name) {
  let depth = 0;
  for (let i = 0; i < name.length; i++) {
    if (name[i] === '<') depth++;
    else if (name[i] === '>') depth--;
    else if (name[i] === '(' && depth === 0) return name.slice(0, i);
  }
  return name;
}
