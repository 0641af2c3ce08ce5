/**
 * For every case: the TypeScript kernel in doubles agrees with the oracle; its gradient and its tangent agree with
 * central differences of the oracle; and every backend agrees with both within the case's tolerance, to the bit for
 * every number of threads, and in place; no CPU kernel writes beside its operands, and none that reads the status block
 * changes anything under a set one. FLATMIN_CONFORMANCE_TABLE=file.md writes ops × backends.
 */
import { afterAll, describe, expect, it } from 'vitest';
import type { Numbers } from '../../src/graph/kernel.ts';
import { findOp, opNames } from '../../src/ops/define.ts';
import { backends } from './backends.ts';
import { collectCases, executedOps, nativeOps } from './collect.ts';
import { checkAgainstDifferences, checkSecondOrder, checkTangents } from './differences.ts';
import { readsStatus, runBetweenGuards, whileStanding } from './guards.ts';
import {
  type Case,
  compare,
  expected,
  GRADIENTS,
  inDoubles,
  inPlace,
  secondOrder,
  type Tolerance,
  type Traced,
  traceForward,
  traceGradient,
  traceTangent,
} from './harness.ts';
import { shortList } from './short.ts';
import { coverageTable } from './table.ts';

const all = await collectCases();
const cases = process.env.FLATMIN_QUICK === undefined ? all : shortList(all);
const table = coverageTable(backends.map(({ name }) => name));
const DOUBLES: Tolerance = { rel: 1e-10, abs: 1e-10 };

interface Expected {
  readonly traced: Traced;
  readonly want: Float64Array[];
  readonly tolerance?: Tolerance;
}

interface Checked {
  readonly case: Case;
  /** What is run, and what must come out: computed once, when a test of the case asks first. */
  programs(): readonly Expected[];
}

function check(c: Case): Checked {
  let programs: Expected[] | undefined;
  return { case: c, programs: () => (programs ??= programsOf(c)) };
}

function programsOf(c: Case): Expected[] {
  const forward = { traced: traceForward(c), want: expected(c), tolerance: c.tolerance };
  if (c.gradient === undefined) return [forward];
  const traced = traceGradient(c);
  const tolerance = c.gradientTolerance ?? GRADIENTS;
  return [forward, { traced, want: inDoubles(traced), tolerance }];
}

function expectClose(got: Parameters<typeof compare>[0], want: Float64Array[], t?: Tolerance) {
  const { worst, at } = compare(got, want, t);
  expect(worst, `worst at ${JSON.stringify(at)}`).toBeLessThanOrEqual(1);
  return worst;
}

const ops = [...new Set(cases.map((c) => c.op))];

const bytes = (results: readonly Numbers[]): Buffer =>
  Buffer.concat(results.map((y) => Buffer.from(y.buffer, y.byteOffset, y.byteLength)));

/** Ops whose gradients have no tangent: a Hessian of what is made of them is refused. */
const ONCE = new Set(['attention', 'attentionGrad', 'attentionTangent']);

describe.each(ops)('%s', (op) => {
  const checked = cases.filter((c) => c.op === op).map(check);

  // What must come out is computed here, which takes half a minute for a few.
  it.each(checked)(
    '$case.name: doubles agree with the oracle',
    { timeout: 300_000 },
    ({ case: c, programs }) => {
      const [forward, gradient] = programs();
      expectClose(inDoubles(forward.traced), forward.want, DOUBLES);
      if (gradient !== undefined) {
        checkAgainstDifferences(c, gradient.want);
        checkTangents(c, inDoubles(traceTangent(c)));
        if (c.once === undefined && !ONCE.has(op)) checkSecondOrder(c, secondOrder(c));
      }
    },
  );

  for (const backend of backends) {
    describe.skipIf(backend.missing !== null)(
      backend.missing === null ? backend.name : `${backend.name}, skipped: ${backend.missing}`,
      () => {
        it.each(checked)('$case.name', ({ programs }) => {
          for (const { traced, want, tolerance } of programs()) {
            const results = backend.threads.map((threads) => traced.run(backend.open(threads)));
            const worst = expectClose(results[0], want, tolerance);
            results.forEach((other, i) => {
              const same = bytes(other).equals(bytes(results[0]));
              expect(same, `${backend.threads[i]} threads give the bits of one`).toBe(true);
            });
            const shared = inPlace(traced)?.run(backend.open(1));
            if (shared !== undefined) {
              expect(bytes(shared).equals(bytes(results[0])), 'the same bits in place').toBe(true);
            }
            if (backend.name.startsWith('cpu')) {
              const { outputs, overwritten } = runBetweenGuards(traced, backend.open(2));
              expect(overwritten, 'operands beside which something was written').toEqual([]);
              expect(bytes(outputs).equals(bytes(results[0])), 'the same bits unaligned').toBe(
                true,
              );
            }
            if (readsStatus(traced)) {
              expect(
                whileStanding(traced, () => backend.open(1)),
                'changed',
              ).toEqual([]);
            }
            table.record(traced.spec, op, backend.name, worst);
          }
        });
      },
    );
  }
});

describe('coverage', () => {
  const reached = new Set(
    all.flatMap((c) => [
      c.op,
      ...(c.gradient === undefined
        ? []
        : traceGradient(c).spec.instructions.map((instruction) => instruction.op)),
    ]),
  );

  it('has a case for every op', () => {
    expect(executedOps().filter((name) => !reached.has(name))).toEqual([]);
  });

  it('has a tangent for every op with a gradient', () => {
    const without = opNames().filter((name) => {
      const { gradient, tangent } = findOp(name);
      return gradient !== undefined && tangent === undefined;
    });
    // Labels are drawn after the output that is differentiated.
    expect(without).toEqual(['sampleNormal']);
  });

  it('has C++ and CUDA kernels for every op', () => {
    const kernels = new Set(nativeOps());
    expect(executedOps().filter((name) => !kernels.has(name))).toEqual([]);
  });
});

afterAll(() => table.write());
