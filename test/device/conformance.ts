/**
 * The conformance cases on one device, without a test runner:
 * `conformance.js --device cuda [--short] [--json file]`. `--short` takes two small cases of every op, for tools under
 * which a kernel runs a hundred times slower. Prints what failed and "N passed, N failed".
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type DeviceName, openStore } from '../../src/backend/device.ts';
import { collectCases, cudaKernels } from '../conformance/collect.ts';
import {
  type Case,
  compare,
  expected,
  GRADIENTS,
  inDoubles,
  type Tolerance,
  type Traced,
  traceForward,
  traceGradient,
} from '../conformance/harness.ts';
import { provideEmulation } from '../emulation/build.ts';

interface Outcome {
  readonly op: string;
  readonly name: string;
  /** Worst error in units of the tolerance. */
  readonly worst: number;
  readonly error?: string;
}

const { values } = parseArgs({
  options: {
    device: { type: 'string', default: 'cuda' },
    short: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const device = values.device as DeviceName;
if (device.startsWith('cuda-emulated')) {
  const { missing } = await provideEmulation();
  if (missing !== null) throw new Error(missing);
}

const kernels = new Set(cudaKernels());
const isThere = ({ spec }: Traced): boolean => spec.instructions.every(({ op }) => kernels.has(op));

/** Of an op's cases the smallest, and the largest of the small ones, whose loops turn more than once. */
const SMALL = 700;
function shortList(cases: readonly Case[]): Case[] {
  const sizeOf = (c: Case): number => c.inputs.reduce((n, { data }) => n + data.length, 0);
  const byOp = new Map<string, Case[]>();
  for (const c of cases) if (sizeOf(c) > 0) byOp.set(c.op, [...(byOp.get(c.op) ?? []), c]);
  return [...byOp.values()].flatMap((own) => {
    const [smallest, ...others] = own.sort((a, b) => sizeOf(a) - sizeOf(b));
    return [smallest, ...others.filter((c) => sizeOf(c) <= SMALL).slice(-1)];
  });
}

function worstOf(traced: Traced, want: Float64Array[], tolerance?: Tolerance): number {
  const results = traced.run(openStore({ device }));
  const again = traced.run(openStore({ device }));
  const same = results.every((y, i) => Buffer.from(y.buffer).equals(Buffer.from(again[i].buffer)));
  if (!same) throw new Error('a second run gives other bits');
  return compare(results, want, tolerance).worst;
}

function check(c: Case): Outcome | undefined {
  const forward = traceForward(c);
  if (!isThere(forward)) return undefined;
  const { op, name } = c;
  try {
    let worst = worstOf(forward, expected(c), c.tolerance);
    const gradient = c.gradient === undefined ? undefined : traceGradient(c);
    if (gradient !== undefined && isThere(gradient)) {
      const tolerance = c.gradientTolerance ?? GRADIENTS;
      worst = Math.max(worst, worstOf(gradient, inDoubles(gradient), tolerance));
    }
    return { op, name, worst };
  } catch (error) {
    return { op, name, worst: Number.POSITIVE_INFINITY, error: (error as Error).message };
  }
}

const all = await collectCases();
const outcomes = (values.short ? shortList(all) : all).flatMap((c) => check(c) ?? []);
const failed = outcomes.filter(({ worst }) => !(worst <= 1));
for (const { op, name, worst, error } of failed)
  process.stdout.write(`failed: ${op} ${name}: ${error ?? `${worst} times the tolerance`}\n`);
process.stdout.write(`${outcomes.length - failed.length} passed, ${failed.length} failed\n`);
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(outcomes)}\n`);
process.exitCode = failed.length === 0 && outcomes.length > 0 ? 0 : 1;
