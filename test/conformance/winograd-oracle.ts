/** F(2×2, 3×3) of Lavin and Gray (2016) in doubles, with the transformed operands rounded. */

export interface Shape {
  readonly images: number;
  readonly channels: number;
  readonly out: number;
  readonly height: number;
  readonly width: number;
  readonly padding: number;
}

/** Results, and how far float32 sums may be from them. */
export interface Bounded {
  readonly want: Float64Array;
  readonly bound: Float64Array;
}

type Rows = readonly (readonly number[])[];
type Round = (x: number) => number;

const BT: Rows = [
  [1, 0, -1, 0],
  [0, 1, 1, 0],
  [0, -1, 1, 0],
  [0, 1, 0, -1],
];
const G: Rows = [
  [1, 0, 0],
  [0.5, 0.5, 0.5],
  [0.5, -0.5, 0.5],
  [0, 0, 1],
];
const AT: Rows = [
  [1, 1, 1, 0],
  [0, 1, -1, -1],
];

const transposed = (m: Rows): Rows => m[0].map((_, j) => m.map((row) => row[j]));
const times = (a: Rows, b: Rows): number[][] =>
  a.map((row) => b[0].map((_, j) => row.reduce((sum, x, k) => sum + x * b[k][j], 0)));
/** m x mᵀ */
const around = (m: Rows, x: Rows): number[][] => times(times(m, x), transposed(m));
const absolute = (m: Rows): Rows => m.map((row) => row.map(Math.abs));
const patch = (rows: number, columns: number, at: (i: number, j: number) => number): Rows =>
  Array.from({ length: rows }, (_, i) => Array.from({ length: columns }, (_, j) => at(i, j)));

/** Σ of products of two lists of tiles, and of their magnitudes. */
function sums(pairs: readonly (readonly [Rows, Rows])[]): { sum: Rows; magnitude: Rows } {
  const add = (value: (x: number) => number) =>
    patch(4, 4, (i, j) => pairs.reduce((sum, [a, b]) => sum + value(a[i][j] * b[i][j]), 0));
  return { sum: add((x) => x), magnitude: add(Math.abs) };
}

/** A unit in float32 for each of the additions of a sum, its transform's included. */
const unit = (terms: number): number => (terms + 16) * 2 ** -24;

function tilesOf({ images, height, width, padding }: Shape) {
  const outHeight = height + 2 * padding - 2;
  const outWidth = width + 2 * padding - 2;
  const tiles = [];
  for (let image = 0; image < images; image++)
    for (let i = 0; i < outHeight; i += 2)
      for (let j = 0; j < outWidth; j += 2) tiles.push({ image, i, j });
  return { tiles, outHeight, outWidth };
}

/** Of every channel the transformed input of a tile. */
function inputs(s: Shape, x: ArrayLike<number>, round: Round) {
  const pixel = (image: number, c: number, i: number, j: number): number =>
    i < 0 || i >= s.height || j < 0 || j >= s.width
      ? 0
      : x[((image * s.channels + c) * s.height + i) * s.width + j];
  return ({ image, i, j }: { image: number; i: number; j: number }): Rows[] =>
    Array.from({ length: s.channels }, (_, c) => {
      const d = patch(4, 4, (r, q) => pixel(image, c, i + r - s.padding, j + q - s.padding));
      return around(BT, d).map((row) => row.map(round));
    });
}

/** y of x and w [out, channels, 3, 3]. */
export function forward(
  s: Shape,
  x: ArrayLike<number>,
  w: ArrayLike<number>,
  round: Round,
): Bounded {
  const { tiles, outHeight, outWidth } = tilesOf(s);
  const taps = (o: number, c: number) =>
    patch(3, 3, (i, j) => w[((o * s.channels + c) * 3 + i) * 3 + j]);
  const weight = Array.from({ length: s.out }, (_, o) =>
    Array.from({ length: s.channels }, (_, c) =>
      around(G, taps(o, c)).map((row) => row.map(round)),
    ),
  );
  const want = new Float64Array(s.images * s.out * outHeight * outWidth);
  const bound = new Float64Array(want.length);
  const load = inputs(s, x, round);
  for (const tile of tiles) {
    const d = load(tile);
    weight.forEach((rows, o) => {
      const { sum, magnitude } = sums(rows.map((u, c) => [u, d[c]]));
      const y = around(AT, sum);
      const most = around(absolute(AT), magnitude);
      for (let r = 0; r < Math.min(2, outHeight - tile.i); r++)
        for (let q = 0; q < Math.min(2, outWidth - tile.j); q++) {
          const at = ((tile.image * s.out + o) * outHeight + tile.i + r) * outWidth + tile.j + q;
          want[at] = y[r][q];
          bound[at] = unit(s.channels) * most[r][q];
        }
    });
  }
  return { want, bound };
}

/** dx: the convolution of dy with the weight turned round. */
export function gradInput(
  s: Shape,
  dy: ArrayLike<number>,
  w: ArrayLike<number>,
  round: Round,
): Bounded {
  const { outHeight, outWidth } = tilesOf(s);
  const turned = new Float64Array(w.length);
  for (let o = 0; o < s.out; o++)
    for (let c = 0; c < s.channels; c++)
      for (let i = 0; i < 9; i++)
        turned[(c * s.out + o) * 9 + i] = w[(o * s.channels + c) * 9 + 8 - i];
  const shape = {
    ...{ images: s.images, channels: s.out, out: s.channels },
    ...{ height: outHeight, width: outWidth, padding: 2 - s.padding },
  };
  return forward(shape, dy, turned, round);
}

/** dw = Gᵀ Σ [(A dy Aᵀ) ⊙ (Bᵀ d B)] G over all tiles. */
export function gradWeight(
  s: Shape,
  x: ArrayLike<number>,
  dy: ArrayLike<number>,
  round: Round,
): Bounded {
  const { tiles, outHeight, outWidth } = tilesOf(s);
  const output = (image: number, o: number, i: number, j: number): number =>
    i < outHeight && j < outWidth ? dy[((image * s.out + o) * outHeight + i) * outWidth + j] : 0;
  const load = inputs(s, x, round);
  const d = tiles.map(load);
  const e = tiles.map(({ image, i, j }) =>
    Array.from({ length: s.out }, (_, o) =>
      around(
        transposed(AT),
        patch(2, 2, (r, q) => output(image, o, i + r, j + q)),
      ).map((row) => row.map(round)),
    ),
  );
  const want: number[] = [];
  const bound: number[] = [];
  for (let o = 0; o < s.out; o++)
    for (let c = 0; c < s.channels; c++) {
      const { sum, magnitude } = sums(tiles.map((_, t) => [e[t][o], d[t][c]]));
      want.push(...around(transposed(G), sum).flat());
      const most = around(absolute(transposed(G)), magnitude).flat();
      bound.push(...most.map((x) => unit(tiles.length) * x));
    }
  return { want: Float64Array.from(want), bound: Float64Array.from(bound) };
}
