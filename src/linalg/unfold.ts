import type { Numbers } from '../ops/define.ts';

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

/** Calls `body` for every run of a row of the unfolded matrix that lies inside the image. */
function forRuns(
  w: Windows,
  body: (column: number, at: number, count: number, stride: number) => void,
): void {
  const [kh, kw] = w.kernel;
  const [down, across] = w.stride;
  const [top, left] = w.padding;
  const positions = w.outHeight * w.outWidth;
  let row = 0;
  for (let c = 0; c < w.channels; c++) {
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++, row++) {
        const first = Math.max(0, Math.ceil((left - kx) / across));
        const end = Math.min(w.outWidth, Math.floor((w.width - 1 + left - kx) / across) + 1);
        for (let oy = 0; oy < w.outHeight; oy++) {
          const y = oy * down + ky - top;
          if (y < 0 || y >= w.height || first >= end) continue;
          const at = (c * w.height + y) * w.width + first * across + kx - left;
          body(row * positions + oy * w.outWidth + first, at, end - first, across);
        }
      }
    }
  }
}

/** patches [channels·kh·kw, positions] ← the windows of the image that begins at x[offset] (im2col). */
export function unfold(w: Windows, x: Numbers, offset: number, patches: Numbers): void {
  patches.fill(0);
  forRuns(w, (column, at, count, stride) => {
    for (let i = 0; i < count; i++) patches[column + i] = x[offset + at + i * stride];
  });
}

/** Adds patches back to where `unfold` takes them from (col2im). */
export function fold(w: Windows, patches: Numbers, x: Numbers, offset: number): void {
  forRuns(w, (column, at, count, stride) => {
    for (let i = 0; i < count; i++) x[offset + at + i * stride] += patches[column + i];
  });
}
