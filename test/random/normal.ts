import { philoxBlock, type RandomSource } from '../../src/random/philox.ts';

/** The normal of one element, rounded to float32, by Philox and the formula of Box and Muller alone. */
export function normal(source: RandomSource, element: number): number {
  const words = new Uint32Array(4);
  philoxBlock(words, source, Math.floor(element / 4));
  const pair = (element % 4) - (element % 2);
  const u = (Math.floor(words[pair] / 256) + 1) / 2 ** 24;
  const turn = 2 * Math.PI * ((Math.floor(words[pair + 1] / 256) + 0.5) / 2 ** 24);
  const radius = Math.sqrt(-2 * Math.log(u));
  return Math.fround(radius * (element % 2 === 0 ? Math.cos(turn) : Math.sin(turn)));
}
