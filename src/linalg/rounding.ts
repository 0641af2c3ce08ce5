import type { Numbers } from '../graph/kernel.ts';

const EXPONENT = 0x7f800000;

/** Float32 copies of `data` with so many bits of fraction, to the nearest and ties to even; ±∞ and NaN as they are. */
export function rounded(data: Numbers, fractionBits: number): Float32Array {
  const floats = Float32Array.from(data);
  const words = new Int32Array(floats.buffer);
  const dropped = 23 - fractionBits;
  const half = (1 << (dropped - 1)) - 1;
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if ((word & EXPONENT) === EXPONENT) continue;
    words[i] = (word + half + ((word >> dropped) & 1)) & (-1 << dropped);
  }
  return floats;
}
