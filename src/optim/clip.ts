import { z } from 'zod';
import type { Value } from '../graph/graph.ts';
import { div, maximum, minimum, mul } from '../ops/binary.ts';
import { fill } from '../ops/fill.ts';
import { globalNorm } from '../ops/sam.ts';
import { schemaOf } from '../options.ts';
import { positive } from './options.ts';
import { defineWrapper } from './wrapper.ts';

/**
 * Options of clipping: what bounds the gradient before the base steps. An unknown option or a value out of range is
 * `FLATMIN_ARGUMENT`.
 */
export interface ClipOptions {
  /** Longest gradient, ‖·‖₂ over all tensors: g ← g min(1, norm/‖g‖). Default: by `value` instead. */
  norm?: number;
  /** Largest element: gᵢ ← max(−value, min(value, gᵢ)). Default: by `norm` instead. */
  value?: number;
}

const schema = schemaOf<ClipOptions>()(
  z
    .strictObject({
      norm: positive.optional(),
      value: positive.optional(),
    })
    .refine(({ norm, value }) => (norm === undefined) !== (value === undefined), {
      error: 'expected either norm or value',
    }),
);

/**
 * Clips the gradients that a base steps with, before its weight decay: `clip(lion({ lr }), { norm: 1 })`. Over SAM it
 * clips g̃ and leaves ε̂ alone: `clip(sam(base))` is `sam(clip(base))`. A gradient that is not finite meets the
 * `onNonFinite` policy before it is clipped.
 */
export const clip = defineWrapper(
  'clip',
  schema,
  (t, base, { norm, value }) => {
    base.trace({
      ...t,
      gradient: () => {
        const pass = t.gradient();
        t.checkFinite(pass.grads);
        return { ...pass, grads: norm ? shorten(pass.grads, norm) : limit(pass.grads, value ?? 0) };
      },
      // Finite gradients stay finite when they are clipped; looked at again where that is no bound.
      checkFinite: (grads, limits = []) => {
        if (limits.some((limit) => limit < (norm ?? value ?? 0))) t.checkFinite(grads, limits);
      },
    });
  },
  { inside: true },
);

function shorten(grads: readonly Value[], norm: number): Value[] {
  const { graph } = grads[0];
  const scale = minimum(div(fill(graph, [], norm), globalNorm(grads)), fill(graph, [], 1));
  return grads.map((g) => mul(g, scale));
}

function limit(grads: readonly Value[], value: number): Value[] {
  const { graph } = grads[0];
  const high = fill(graph, [], value);
  const low = fill(graph, [], -value);
  return grads.map((g) => minimum(maximum(g, low), high));
}
