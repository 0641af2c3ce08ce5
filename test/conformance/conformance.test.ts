/**
 * For every case: the TypeScript kernel in doubles agrees with the oracle; its gradient agrees with central
 * differences of the oracle; and every backend agrees with both within the case's tolerance, to the bit for
 * every number of threads, and in place. FLATMIN_CONFORMANCE_TABLE=file.md writes ops × backends.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { backends } from './backends.ts';
import { collectCases, cpuKernels, executedOps } from './collect.ts';
import { checkAgainstDifferences } from './differences.ts';
import {
  type Case,
  compare,
  expected,
  inDoubles,
  inPlace,
  type Tolerance,
  type Traced,
  traceForward,
  traceGradient,
} from './harness.ts';
import { coverageTable } from './table.ts';

const cases = await collectCases();
const table = coverageTable(backends.map(({ name }) => name));
const DOUBLES: Tolerance = { rel: 1e-10, abs: 1e-10 };

interface Checked {
  readonly case: Case;
  /** What is run, and what must come out. */
  readonly programs: readonly { name: string; traced: Traced; want: Float64Array[] }[];
}

function check(c: Case): Checked {
  const forward = traceForward(c);
  const programs = [{ name: 'forward', traced: forward, want: expected(c) }];
  if (c.gradient !== undefined) {
    const traced = traceGradient(c);
    programs.push({ name: 'gradient', traced, want: inDoubles(traced) });
  }
  return { case: c, programs };
}

function expectClose(got: Parameters<typeof compare>[0], want: Float64Array[], t?: Tolerance) {
  const { worst, at } = compare(got, want, t);
  expect(worst, `worst at ${JSON.stringify(at)}`).toBeLessThanOrEqual(1);
  return worst;
}

const ops = [...new Set(cases.map((c) => c.op))];

describe.each(ops)('%s', (op) => {
  const checked = cases.filter((c) => c.op === op).map(check);

  it.each(checked)('$case.name: doubles agree with the oracle', ({ case: c, programs }) => {
    expectClose(inDoubles(programs[0].traced), programs[0].want, DOUBLES);
    if (c.gradient !== undefined) checkAgainstDifferences(c, programs[1].want);
  });

  for (const backend of backends) {
    describe.skipIf(backend.missing !== null)(
      backend.missing === null ? backend.name : `${backend.name}, skipped: ${backend.missing}`,
      () => {
        it.each(checked)('$case.name', ({ case: c, programs }) => {
          for (const { traced, want } of programs) {
            const results = backend.threads.map((threads) => traced.run(backend.open(threads)));
            const worst = expectClose(results[0], want, c.tolerance);
            for (const other of results.slice(1)) expect(other).toStrictEqual(results[0]);
            const shared = inPlace(traced)?.run(backend.open(1));
            if (shared !== undefined) expect(shared).toStrictEqual(results[0]);
            table.record(traced.spec, op, backend.name, worst);
          }
        });
      },
    );
  }
});

describe('coverage', () => {
  const reached = new Set(
    cases.flatMap((c) => [
      c.op,
      ...(c.gradient === undefined
        ? []
        : traceGradient(c).spec.instructions.map((instruction) => instruction.op)),
    ]),
  );

  it('has a case for every op', () => {
    expect(executedOps().filter((name) => !reached.has(name))).toEqual([]);
  });

  it('has a C++ kernel for every op', () => {
    const kernels = new Set(cpuKernels());
    expect(executedOps().filter((name) => !kernels.has(name))).toEqual([]);
  });
});

afterAll(() => table.write());
