/**
 * The conformance cases on one device, without a test runner:
 * `conformance.js --device cuda [--short] [--json file]`. `--short` takes two small cases of every op, for tools under
 * which a kernel runs a hundred times slower. Prints what failed and "N passed, N failed".
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type DeviceName, openStore } from '../../src/backend/device.ts';
import { collectCases } from '../conformance/collect.ts';
import {
  type Case,
  compare,
  expected,
  GRADIENTS,
  inDoubles,
  type Tolerance,
  type Traced,
} from '../conformance/harness.ts';
import { onCuda, shortList } from '../conformance/short.ts';
import { provideDevice } from '../emulation/build.ts';

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
await provideDevice(device);

function worstOf(traced: Traced, want: Float64Array[], tolerance?: Tolerance): number {
  const results = traced.run(openStore({ device }));
  const again = traced.run(openStore({ device }));
  const same = results.every((y, i) => Buffer.from(y.buffer).equals(Buffer.from(again[i].buffer)));
  if (!same) throw new Error('a second run gives other bits');
  return compare(results, want, tolerance).worst;
}

function check(c: Case): Outcome | undefined {
  const { op, name } = c;
  try {
    const worst = onCuda(c).map((traced) =>
      traced.isGradient
        ? worstOf(traced, inDoubles(traced), c.gradientTolerance ?? GRADIENTS)
        : worstOf(traced, expected(c), c.tolerance),
    );
    return worst.length === 0 ? undefined : { op, name, worst: Math.max(...worst) };
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
