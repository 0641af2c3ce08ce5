import type { Numbers } from '../graph/kernel.ts';

/** An image [channels, height, width] and the windows on it, one for each output position. */
export interface Windows {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly outHeight: number;
  readonly outWidth: number;
}

/** How windows are laid out as the columns of a matrix [taps, positions], found once for many images. */
export interface Unfolding {
  /** Elements of a window, in the order channel, y, x. */
  readonly taps: number;
  readonly positions: number;
  /** Pieces of the matrix's rows that lie inside the image: where in the matrix, where in the image, length. */
  readonly runs: Int32Array;
  /** From one element of a run to the next in the image. */
  readonly stride: number;
}

export function unfolding(w: Windows): Unfolding {
  const [kh, kw] = w.kernel;
  const [down, across] = w.stride;
  const [top, left] = w.padding;
  const positions = w.outHeight * w.outWidth;
  const runs: number[] = [];
  let tap = 0;
  for (let c = 0; c < w.channels; c++) {
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++, tap++) {
        const first = Math.max(0, Math.ceil((left - kx) / across));
        const end = Math.min(w.outWidth, Math.floor((w.width - 1 + left - kx) / across) + 1);
        for (let oy = 0; oy < w.outHeight; oy++) {
          const y = oy * down + ky - top;
          if (y < 0 || y >= w.height || first >= end) continue;
          const at = (c * w.height + y) * w.width + first * across + kx - left;
          runs.push(tap * positions + oy * w.outWidth + first, at, end - first);
        }
      }
    }
  }
  return { taps: tap, positions, runs: Int32Array.from(runs), stride: across };
}

/** patches [taps, positions] ← the windows of the image that begins at x[offset] (im2col). */
export function unfold(u: Unfolding, x: Numbers, offset: number, patches: Numbers): void {
  const { runs, stride } = u;
  patches.fill(0);
  for (let r = 0; r < runs.length; r += 3) {
    const end = runs[r] + runs[r + 2];
    for (let i = runs[r], at = offset + runs[r + 1]; i < end; i++, at += stride) patches[i] = x[at];
  }
}

/** Adds patches back to where `unfold` takes them from (col2im). */
export function fold(u: Unfolding, patches: Numbers, x: Numbers, offset: number): void {
  const { runs, stride } = u;
  for (let r = 0; r < runs.length; r += 3) {
    const end = runs[r] + runs[r + 2];
    for (let i = runs[r], at = offset + runs[r + 1]; i < end; i++, at += stride)
      x[at] += patches[i];
  }
}
