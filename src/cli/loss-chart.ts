/** Means of a run's losses so far, at most so many: when they are full, neighbours become one. */
export class LossChart {
  readonly #most: number;
  readonly #means: number[] = [];
  /** Steps in a finished mean, and what the one under way has of them. */
  #length = 1;
  #sum = 0;
  #weight = 0;
  #steps = 0;

  /** `most` is even. */
  constructor(most = 64) {
    this.#most = most;
  }

  step(loss: number, weight: number): void {
    this.#sum += loss * weight;
    this.#weight += weight;
    if (++this.#steps < this.#length) return;
    this.#means.push(this.#sum / (this.#weight || 1));
    this.#sum = this.#weight = this.#steps = 0;
    if (this.#means.length < this.#most) return;
    const halves = this.#means.splice(0);
    for (let i = 0; i < halves.length; i += 2) this.#means.push((halves[i] + halves[i + 1]) / 2);
    this.#length *= 2;
  }

  /** In characters, on a logarithmic scale from the least to the greatest; empty before the second mean. */
  draw(width: number): string {
    if (this.#means.length < 2) return '';
    const count = Math.min(width, this.#means.length);
    const columns = Array.from({ length: count }, (_, i) => {
      const part = this.#means.slice(
        Math.floor((i * this.#means.length) / count),
        Math.floor(((i + 1) * this.#means.length) / count),
      );
      return Math.log(part.reduce((sum, mean) => sum + mean, 0) / part.length);
    });
    const finite = columns.filter(Number.isFinite);
    const least = Math.min(...finite);
    const range = Math.max(...finite) - least;
    return columns.map((height) => block(height, least, range)).join('');
  }
}

const BLOCKS = '▁▂▃▄▅▆▇█';

function block(height: number, least: number, range: number): string {
  if (Number.isNaN(height) || height === Number.POSITIVE_INFINITY) return '×';
  // A loss of 0 lies below all others.
  const share = range === 0 ? 0.5 : Math.max(0, (height - least) / range);
  return BLOCKS[Math.min(BLOCKS.length - 1, Math.floor(share * BLOCKS.length))];
}
