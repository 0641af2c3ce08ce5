import { FlatminError } from '../errors.ts';
import type { Attrs } from './types.ts';

/** Bits of the fraction that operands of a product keep. */
const FRACTION_BITS = { float32: 23, tf32: 10, bf16: 7 } as const;

/**
 * What operands of the model's products and convolutions, forward and backward, are rounded to; sums, parameters and
 * everything of the optimizer stay float32.
 *
 * - `float32`: nothing is rounded
 * - `tf32`: to 10 bits of fraction, relative 2⁻¹¹; exponents as in float32
 * - `bf16`: to 7 bits of fraction, relative 2⁻⁸
 */
export type Precision = keyof typeof FRACTION_BITS;

/** `precision` as an option; `FLATMIN_ARGUMENT` for another. */
export function checkPrecision(given: Precision = 'float32'): Precision {
  if (Object.hasOwn(FRACTION_BITS, given)) return given;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `precision must be one of ${Object.keys(FRACTION_BITS).join(', ')}, got ${JSON.stringify(given)}`,
  );
}

/** Attributes of a product in this precision: in float32 none. */
export const inPrecision = <A extends Attrs>(attrs: A, precision: Precision): A =>
  precision === 'float32' ? attrs : { ...attrs, fractionBits: FRACTION_BITS[precision] };

/** Of a product's attributes. */
export const fractionBitsOf = (attrs: Attrs): number =>
  (attrs.fractionBits as number | undefined) ?? FRACTION_BITS.float32;
