/**
 * Philox4x32-10 (Salmon et al. 2011), the only source of random numbers: a pure function of
 * (seed, stream, step, element), the same to the bit on every backend.
 * Key = seed (64 bits); counter = (element / 4 as two words, step, stream).
 */

const M0 = 0xd2511f53;
const M1 = 0xcd9e8d57;
const W0 = 0x9e3779b9;
const W1 = 0xbb67ae85;
const TWO32 = 4294967296;

/** Where a sequence of random numbers comes from. `step` and `stream` are unsigned 32-bit integers. */
export interface RandomSource {
  /** A non-negative integer up to 2^53 − 1. */
  seed: number;
  stream: number;
  step: number;
}

/** Streams that are not a layer's own; a model's dropout layers count from 0. */
export const STREAM = {
  shuffle: 0x8000_0000,
  init: 0x9000_0000,
  labels: 0xa000_0000,
  digits: 0xb000_0000,
  /** Enim: plus the tensor's index. */
  enim: 0xc000_0000,
  /** Tokens that a model writes. */
  write: 0xc800_0000,
  sweep: 0xd000_0000,
  bootstrap: 0xd800_0000,
  probes: 0xdc00_0000,
  split: 0xe000_0000,
  /** Generated tables, sentences, images: plus a number for each kind. */
  synthetic: 0xf000_0000,
  /** Problems of experiments. */
  experiment: 0xf800_0000,
} as const;

/** The upper word of a product, by halves of the factors: no sum leaves 32 bits. */
function mulHi(a: number, b: number): number {
  const aLo = a & 0xffff;
  const aHi = a >>> 16;
  const bLo = b & 0xffff;
  const bHi = b >>> 16;
  const mid = Math.imul(aHi, bLo) + (Math.imul(aLo, bLo) >>> 16);
  const cross = Math.imul(aLo, bHi) + (mid & 0xffff);
  return (Math.imul(aHi, bHi) + (mid >>> 16) + (cross >>> 16)) | 0;
}

/** Writes the four words of block number `block` to `out[0..3]`. */
export function philoxBlock(out: Uint32Array, source: RandomSource, block: number): void {
  let c0 = block | 0;
  let c1 = Math.floor(block / TWO32) | 0;
  let c2 = source.step | 0;
  let c3 = source.stream | 0;
  let k0 = source.seed | 0;
  let k1 = Math.floor(source.seed / TWO32) | 0;
  for (let round = 0; round < 10; round++) {
    const hi0 = mulHi(c0, M0);
    const lo0 = Math.imul(M0, c0);
    const hi1 = mulHi(c2, M1);
    const lo1 = Math.imul(M1, c2);
    c0 = hi1 ^ c1 ^ k0;
    c1 = lo1;
    c2 = hi0 ^ c3 ^ k1;
    c3 = lo0;
    k0 = (k0 + W0) | 0;
    k1 = (k1 + W1) | 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}

/** A 32-bit word as a float32 in [0, 1): its upper 24 bits. */
export const toUniform = (word: number): number => (word >>> 8) * 2 ** -24;

/** Calls `visit(element, word)` for elements 0 … count − 1. */
export function forEachWord(
  source: RandomSource,
  count: number,
  visit: (element: number, word: number) => void,
): void {
  const words = new Uint32Array(4);
  for (let block = 0; block * 4 < count; block++) {
    philoxBlock(words, source, block);
    const end = Math.min(4, count - block * 4);
    for (let lane = 0; lane < end; lane++) visit(block * 4 + lane, words[lane]);
  }
}

/** `count` uniforms in [0, 1). */
export function uniforms(source: RandomSource, count: number): Float32Array {
  const out = new Float32Array(count);
  forEachWord(source, count, (element, word) => {
    out[element] = toUniform(word);
  });
  return out;
}

/**
 * Calls `visit(element, normal)` for elements 0 … count − 1: standard normals as float32 (Box & Muller 1958), those of
 * elements 2j and 2j + 1 being √(−2 ln u) times cos 2πv and sin 2πv with u = ((word 2j >>> 8) + 1)/2²⁴ and
 * v = ((word 2j + 1 >>> 8) + ½)/2²⁴. Native kernels agree within 4 ulp.
 */
export function forEachNormal(
  source: RandomSource,
  count: number,
  visit: (element: number, normal: number) => void,
): void {
  const words = new Uint32Array(4);
  for (let first = 0; first < count; first += 2) {
    if (first % 4 === 0) philoxBlock(words, source, first / 4);
    const radius = Math.sqrt(-2 * Math.log(((words[first % 4] >>> 8) + 1) * 2 ** -24));
    const angle = 2 * Math.PI * ((words[(first % 4) + 1] >>> 8) + 0.5) * 2 ** -24;
    visit(first, Math.fround(radius * Math.cos(angle)));
    if (first + 1 < count) visit(first + 1, Math.fround(radius * Math.sin(angle)));
  }
}

/** A random permutation of 0 … count − 1 (Fisher–Yates; element i draws the partner of position i). */
export function permutation(source: RandomSource, count: number): Int32Array {
  const order = new Int32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  forEachWord(source, count, (i, word) => {
    // Positions are filled from the end; word · n / 2^32 is uniform to 1 part in 2^32 / n.
    const last = count - 1 - i;
    const partner = Math.floor((word / TWO32) * (last + 1));
    const swapped = order[last];
    order[last] = order[partner];
    order[partner] = swapped;
  });
  return order;
}
