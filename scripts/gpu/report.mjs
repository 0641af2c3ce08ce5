// What gpu-check found: report.json with everything, report.md to read.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export function writeReport(folder, results) {
  writeFileSync(join(folder, 'report.json'), `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync(join(folder, 'report.md'), describe(results));
}

function describe({ device, machine, cuda, steps, conformance, lenet5 }) {
  const ops = new Map();
  for (const { op, worst } of conformance)
    ops.set(op, Math.max(ops.get(op) ?? 0, worst ?? Infinity));
  const ran = device.startsWith('cuda-emulated')
    ? 'The kernels ran on the CPU, by emulation: nothing here ran on a GPU.'
    : `The kernels ran on: ${machine.cards.join('; ') || 'no card was found'}.`;
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
