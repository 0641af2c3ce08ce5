/** Products by a cuBLAS, which here is the emulation's own: what is asked of it, and that it is found by name. */
import { createRequire } from 'node:module';
import { describe, expect, it } from 'vitest';
import { openStore } from '../../src/backend/device.ts';
import type { Addon } from '../../src/backend/native/addon.ts';
import { collectCases } from '../conformance/collect.ts';
import { type Case, compare, expected, inDoubles, traceForward } from '../conformance/harness.ts';
import { provideEmulation } from './build.ts';

const { missing, path } = await provideEmulation();
// Looked at when the first product is prepared.
process.env.FLATMIN_CUBLAS = path;

const products = (await collectCases()).filter(({ op }) => op === 'linear' || op === 'matmul');

describe.skipIf(missing !== null)(
  `cuBLAS${missing === null ? '' : `, skipped: ${missing}`}`,
  () => {
    it('is used, and said to be', () => {
      const { cuda } = createRequire(import.meta.url)(path) as Addon;
      expect({ blas: cuda.blas, reason: cuda.blasReason }).toEqual({ blas: path, reason: null });
    });

    it.each(products)('$op $name', (c: Case) => {
      const results = traceForward(c).run(openStore({ device: 'cuda-emulated' }));
      expect(compare(results, expected(c), c.tolerance).worst).toBeLessThanOrEqual(1);
    });

    // The stand-in knows the two types of computation, and refuses others.
    it.each(['tf32', 'bf16'] as const)('multiplies in %s', (precision) => {
      for (const c of products) {
        const traced = traceForward(c, precision);
        const results = traced.run(openStore({ device: 'cuda-emulated' }));
        expect(compare(results, inDoubles(traced), c.tolerance).worst).toBeLessThanOrEqual(1);
      }
    });
  },
);
