import { philoxBlock, toUniform } from './philox.ts';

/** The random numbers of one generated example, in the order they are asked for. */
export class Draws {
  readonly #source: { seed: number; stream: number; step: number };
  readonly #words = new Uint32Array(4);
  #next = 0;

  constructor(seed: number, stream: number, example: number) {
    this.#source = { seed, stream, step: example };
  }

  word(): number {
    const lane = this.#next % 4;
    if (lane === 0) philoxBlock(this.#words, this.#source, this.#next / 4);
    this.#next++;
    return this.#words[lane];
  }

  below(n: number): number {
    return Math.floor(toUniform(this.word()) * n);
  }

  between(min: number, max: number): number {
    return min + (max - min) * toUniform(this.word());
  }

  /** In (−spread, spread), triangular: extremes are rare. */
  about(spread: number): number {
    return spread * (toUniform(this.word()) - toUniform(this.word()));
  }

  /** Standard normal (Box & Muller 1958). */
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(toUniform(this.word()) + 2 ** -24));
    return radius * Math.cos(2 * Math.PI * toUniform(this.word()));
  }

  normals(count: number): Float64Array {
    return Float64Array.from({ length: count }, () => this.normal());
  }

  chance(probability: number): boolean {
    return toUniform(this.word()) < probability;
  }

  of<T>(list: ArrayLike<T>): T {
    return list[this.below(list.length)];
  }
}
