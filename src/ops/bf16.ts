import type { Numbers, Operand } from '../graph/kernel.ts';

const NAN = 0x7fc0;

/** The float32 values whose upper halves these are. */
export function widened(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < words.length; i++) words[i] = halves[i] << 16;
  return new Float32Array(words.buffer);
}

/** Rounds to the nearest, ties to even; ±∞ stay, every NaN becomes the same one (native/formulas/bf16.h). */
export function narrow(values: Float32Array, halves: Uint16Array): void {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    const beyondInfinity = (word & 0x7fffffff) > 0x7f800000;
    halves[i] = beyondInfinity ? NAN : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
}

/** The elements of a buffer to compute with: of a bf16 one a copy, which `keepFloats` puts back. */
export const floatsOf = ({ data }: Operand): Numbers =>
  data instanceof Uint16Array ? widened(data) : data;

export function keepFloats(floats: Numbers, { data }: Operand): void {
  if (data instanceof Uint16Array) narrow(floats as Float32Array, data);
}
