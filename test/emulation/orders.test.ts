/** Small cases of every op in many thread orders: right, and the same to the bit, in each. */
import { afterAll, describe, expect, it } from 'vitest';
import { cudaEmulated } from '../conformance/backends.ts';
import { collectCases } from '../conformance/collect.ts';
import { compare, expected, type Traced } from '../conformance/harness.ts';
import { onCuda, shortList } from '../conformance/short.ts';

/** Even ones are uniform orders, odd ones prefer whole warps. */
const SEEDS = Array.from({ length: 24 }, (_, seed) => seed);

const chosen = shortList(await collectCases()).filter((c) => onCuda(c).length > 0);

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
    it.each(chosen)('$op $name', { timeout: 240_000 }, (c) => {
      for (const program of onCuda(c)) {
        if (!program.isGradient) {
          const results = program.run(cudaEmulated.open(1));
          const { worst, at } = compare(results, expected(c), c.tolerance);
          expect(worst, JSON.stringify(at)).toBeLessThanOrEqual(1);
        }
        const [first, ...others] = inEveryOrder(program);
        others.forEach((other, i) => {
          expect(other.equals(first), `order ${SEEDS[i + 1]} gives the bits of order 0`).toBe(true);
        });
      }
    });
  },
);
