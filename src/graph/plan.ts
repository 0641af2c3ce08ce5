/** A buffer's need for memory: `bytes`, from instruction `start` to instruction `end`, both included. */
export interface Lifetime {
  readonly bytes: number;
  readonly start: number;
  readonly end: number;
}

export interface Plan {
  readonly offsets: readonly number[];
  readonly arenaBytes: number;
  /** What separate buffers would take. */
  readonly unsharedBytes: number;
}

const ALIGNMENT = 64;
const align = (bytes: number): number => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;

/**
 * Gives each buffer an offset in one arena so that buffers alive together do not overlap:
 * largest first, each in the lowest gap that it fits.
 */
export function planBuffers(lifetimes: readonly Lifetime[]): Plan {
  const offsets = new Array<number>(lifetimes.length).fill(0);
  const bySize = lifetimes.map((_, i) => i).sort((a, b) => lifetimes[b].bytes - lifetimes[a].bytes);
  const placed: number[] = [];
  let arenaBytes = 0;
  let unsharedBytes = 0;
  for (const i of bySize) {
    const { bytes, start, end } = lifetimes[i];
    const neighbours = placed
      .filter((j) => lifetimes[j].start <= end && start <= lifetimes[j].end)
      .sort((a, b) => offsets[a] - offsets[b]);
    let offset = 0;
    for (const j of neighbours) {
      if (offset + align(bytes) <= offsets[j]) break;
      offset = Math.max(offset, offsets[j] + align(lifetimes[j].bytes));
    }
    offsets[i] = offset;
    placed.push(i);
    arenaBytes = Math.max(arenaBytes, offset + align(bytes));
    unsharedBytes += align(bytes);
  }
  return { offsets, arenaBytes, unsharedBytes };
}
