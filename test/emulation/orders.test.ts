/** Small cases of every op in many thread orders: right, and the same to the bit, in each. */
import { afterAll, describe, expect, it } from 'vitest';
import { cudaEmulated } from '../conformance/backends.ts';
import { collectCases } from '../conformance/collect.ts';
import {
  type Case,
  compare,
  expected,
  type Traced,
  traceForward,
  traceGradient,
} from '../conformance/harness.ts';

/** Even ones are uniform orders, odd ones prefer whole warps. */
const SEEDS = Array.from({ length: 24 }, (_, seed) => seed);
const PER_OP = 2;
const LARGEST = 700;

const sizeOf = (c: Case): number => c.inputs.reduce((n, { data }) => n + data.length, 0);
const isThere = ({ spec }: Traced): boolean =>
  spec.instructions.every(({ op }) => cudaEmulated.ops?.has(op));

/** The largest of the small ones, which have most to go wrong. */
const all = await collectCases();
const chosen = [...new Set(all.map(({ op }) => op))].flatMap((op) =>
  all
    .filter((c) => c.op === op && sizeOf(c) <= LARGEST)
    .sort((a, b) => sizeOf(b) - sizeOf(a))
    .slice(0, PER_OP)
    .filter((c) => isThere(traceForward(c))),
);

const given = process.env.FLATMIN_THREAD_ORDER;
afterAll(() => {
  if (given === undefined) delete process.env.FLATMIN_THREAD_ORDER;
  else process.env.FLATMIN_THREAD_ORDER = given;
});

function inEveryOrder(traced: Traced): Buffer[] {
  return SEEDS.map((seed) => {
    process.env.FLATMIN_THREAD_ORDER = String(seed);
    const results = traced.run(cudaEmulated.open(1));
    return Buffer.concat(results.map((y) => Buffer.from(y.buffer)));
  });
}

describe.skipIf(cudaEmulated.missing !== null)(
  `thread orders${cudaEmulated.missing === null ? '' : `, skipped: ${cudaEmulated.missing}`}`,
  () => {
    it.each(chosen)('$op $name', (c) => {
      const traced = traceForward(c);
      const { worst, at } = compare(traced.run(cudaEmulated.open(1)), expected(c), c.tolerance);
      expect(worst, JSON.stringify(at)).toBeLessThanOrEqual(1);
      const programs = c.gradient === undefined ? [traced] : [traced, traceGradient(c)];
      for (const program of programs.filter(isThere)) {
        const [first, ...others] = inEveryOrder(program);
        others.forEach((other, i) => {
          expect(other.equals(first), `order ${SEEDS[i + 1]} gives the bits of order 0`).toBe(true);
        });
      }
    });
  },
);
