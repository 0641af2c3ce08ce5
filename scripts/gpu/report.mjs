// What gpu-check found: report.json with everything, report.md to read.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Over what an earlier run on the same machine and device left of other steps. */
export function writeReport(folder, latest) {
  const path = join(folder, 'report.json');
  const earlier = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : undefined;
  const results = continues(latest, earlier) ? joined(earlier, latest) : latest;
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(folder, 'report.md'), describe(results));
}

const continues = (latest, earlier) =>
  earlier?.device === latest.device &&
  earlier.machine.cards.join() === latest.machine.cards.join() &&
  earlier.machine.cpu === latest.machine.cpu;

function joined(earlier, latest) {
  const names = latest.steps.map(({ name }) => name);
  const kept = earlier.steps.filter(({ name }) => name !== 'device' && !names.includes(name));
  const own = (what) => (names.includes(what) ? latest : earlier)[what];
  return {
    ...latest,
    steps: [...kept, ...latest.steps],
    conformance: own('conformance'),
    lenet5: own('lenet5'),
  };
}

function describe({ device, machine, cuda, steps, conformance, lenet5 }) {
  const ops = new Map();
  for (const { op, worst } of conformance)
    ops.set(op, Math.max(ops.get(op) ?? 0, worst ?? Infinity));
  const ran = device.startsWith('cuda-emulated')
    ? 'The kernels ran on the CPU, by emulation: nothing here ran on a GPU.'
    : conformance.length + lenet5.length === 0
      ? 'No kernel ran: see the steps.'
      : `The kernels ran on: ${machine.cards.join('; ')}.`;
  return `# CUDA check on ${device}

${ran}

${table(
  ['', ''],
  [
    ['date', machine.date],
    ['CPU', `${machine.cpu}, ${machine.cores} cores`],
    ['node', machine.node],
    ['nvcc', machine.nvcc ?? 'not found'],
    ['addon', cuda === null ? 'none' : `toolkit ${cuda.toolkit}, driver ${cuda.driver}`],
  ],
)}
## Steps

${table(
  ['step', 'status', 'seconds'],
  steps.map(({ name, status, seconds, reason }) => [
    name,
    reason ? `${status}: ${reason}` : status,
    seconds ?? '',
  ]),
)}
${steps
  .filter(({ status }) => status === 'failed')
  .map(({ name, output }) => `### ${name}\n\n\`\`\`\n${output.trim()}\n\`\`\`\n`)
  .join('\n')}
## LeNet-5

Losses of the first steps against the CPU's, relative, and seconds of a step.

${table(
  ['method', 'agrees', 'worst', device, 'cpu'],
  lenet5.map(({ method, agrees, worst, seconds, error }) => [
    method,
    error ?? (agrees ? 'yes' : 'no'),
    worst?.toExponential(1) ?? '',
    seconds?.device.toPrecision(3) ?? '',
    seconds?.cpu.toPrecision(3) ?? '',
  ]),
)}
## Ops

Worst error in units of the op's tolerance; above 1 is a failure.

${table(
  ['op', 'worst'],
  [...ops].sort().map(([op, worst]) => [op, worst.toFixed(3)]),
)}`;
}

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
