import { checkNames, show } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { Draws } from '../random/draws.ts';
import { STREAM } from '../random/philox.ts';
import { type Dataset, shownAs, standardise } from './dataset.ts';
import { GLYPHS, type Stroke } from './glyphs.ts';
import { MNIST_MEAN, MNIST_STD, type Split } from './mnist.ts';

export interface DigitsOptions {
  /** Examples to draw, at least 0. */
  count: number;
  /** Pixels a side, at least 12. Default 28. */
  size?: number;
  /** Decides what is drawn: a whole number from 0 to 2^53 − 1. */
  seed: number;
  /** Which draws the examples are of: those of `train` and of `test` differ for equal seeds. */
  split: Split;
}

/**
 * Handwriting-like digits for machines with neither data nor network: strokes under a random wobble
 * and affine map, drawn with a random pen and noise, framed and scaled as in MNIST.
 * Example i is a function of (seed, split, i) alone, so a larger set begins with the smaller one.
 */
export function syntheticDigits(options: DigitsOptions): Dataset {
  checkNames<DigitsOptions>('syntheticDigits', options, {
    count: true,
    size: true,
    seed: true,
    split: true,
  });
  const { count, size = 28, seed, split } = options;
  requireInteger('count', count, 0, 2 ** 32);
  requireInteger('size', size, 12, 1024);
  requireInteger('seed', seed, 0, Number.MAX_SAFE_INTEGER);
  if (split !== 'train' && split !== 'test') {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `split: expected 'train' or 'test', got ${show(split)}`,
    );
  }
  const stream = STREAM.digits + (split === 'test' ? 1 : 0);
  const data = new Uint8Array(count * size * size);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const random = new Draws(seed, stream, i);
    labels[i] = random.below(10);
    drawDigit(data.subarray(i * size * size, (i + 1) * size * size), size, labels[i], random);
  }
  return shownAs({
    name: 'synthetic digits',
    synthetic: true,
    inputs: { data, shape: [1, size, size] },
    labels,
    classes: 10,
    count,
    normalise: standardise([MNIST_MEAN], [MNIST_STD]),
  });
}

function requireInteger(name: string, value: number, min: number, max: number): void {
  if (Number.isInteger(value) && value >= min && value <= max) return;
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `${name}: expected an integer of ${min} … ${max}, got ${show(value)}`,
  );
}

function drawDigit(image: Uint8Array, size: number, digit: number, random: Draws): void {
  const strokes = GLYPHS[digit][random.below(GLYPHS[digit].length)];
  const place = randomMap(size, random);
  const radius = Math.max(0.6, size * random.between(0.028, 0.072));
  const edge = Math.max(1, size * random.between(0.035, 0.06));
  const distance2 = new Float32Array(image.length).fill(size * size);
  for (const stroke of strokes) trace(distance2, size, flatten(stroke, place), radius + edge);
  ink(image, distance2, radius, edge, random);
}

type PointMap = (x: number, y: number) => [number, number];

/** From the glyphs' box to pixels: two slow waves (the wobble), then an affine map. */
function randomMap(size: number, random: Draws): PointMap {
  const waves = Array.from({ length: 2 }, () => ({
    kx: random.about(8),
    ky: random.about(8),
    phase: random.between(0, 2 * Math.PI),
    dx: random.about(0.14),
    dy: random.about(0.14),
  }));
  const turn = random.about(0.5);
  const shear = random.about(0.55) - 0.1;
  // MNIST fits its digits into 20 of 28 pixels.
  const height = (size * 20 * random.between(0.82, 1.06)) / 28;
  const width = height * random.between(0.6, 1.1);
  const centreX = size / 2 + random.about(size * 0.075);
  const centreY = size / 2 + random.about(size * 0.075);
  const cos = Math.cos(turn);
  const sin = Math.sin(turn);
  return (x, y) => {
    let u = x / 100 - 0.5;
    let v = y / 100 - 0.5;
    const [u0, v0] = [u, v];
    for (const { kx, ky, phase, dx, dy } of waves) {
      const wave = Math.sin(kx * u0 + ky * v0 + phase);
      u += dx * wave;
      v += dy * wave;
    }
    u = width * (u - shear * v);
    v *= height;
    return [centreX + cos * u - sin * v, centreY + sin * u + cos * v];
  };
}

const PIECES = 4;

/** The stroke as a polyline in pixels: Catmull–Rom through its points, `PIECES` lines a span. */
function flatten(stroke: Stroke, place: PointMap): number[] {
  const last = stroke.length / 2 - 1;
  const line: number[] = [];
  for (let span = 0; span < last; span++) {
    const before = 2 * Math.max(0, span - 1);
    const after = 2 * Math.min(last, span + 2);
    for (let piece = 0; piece <= PIECES; piece++) {
      if (piece === 0 && span > 0) continue;
      const t = piece / PIECES;
      const at = (axis: number) =>
        catmullRom(
          stroke[before + axis],
          stroke[2 * span + axis],
          stroke[2 * span + 2 + axis],
          stroke[after + axis],
          t,
        );
      line.push(...place(at(0), at(1)));
    }
  }
  return line;
}

function catmullRom(p0: number, p1: number, p2: number, p3: number, t: number): number {
  const slope1 = (p2 - p0) / 2;
  const slope2 = (p3 - p1) / 2;
  const bend = 2 * (p1 - p2) + slope1 + slope2;
  return p1 + t * (slope1 + t * (3 * (p2 - p1) - 2 * slope1 - slope2 + t * bend));
}

/** Lowers each pixel's squared distance to the pen's line, as far as `reach` around it. */
function trace(distance2: Float32Array, size: number, line: number[], reach: number): void {
  for (let i = 0; i + 3 < line.length; i += 2) {
    const [x0, y0, x1, y1] = [line[i], line[i + 1], line[i + 2], line[i + 3]];
    const [dx, dy] = [x1 - x0, y1 - y0];
    const inverse = 1 / (dx * dx + dy * dy + 1e-12);
    const left = Math.max(0, Math.ceil(Math.min(x0, x1) - reach - 0.5));
    const right = Math.min(size - 1, Math.floor(Math.max(x0, x1) + reach - 0.5));
    const top = Math.max(0, Math.ceil(Math.min(y0, y1) - reach - 0.5));
    const bottom = Math.min(size - 1, Math.floor(Math.max(y0, y1) + reach - 0.5));
    for (let y = top; y <= bottom; y++) {
      for (let x = left; x <= right; x++) {
        const px = x + 0.5 - x0;
        const py = y + 0.5 - y0;
        const t = Math.min(1, Math.max(0, (px * dx + py * dy) * inverse));
        const d2 = (px - t * dx) ** 2 + (py - t * dy) ** 2;
        const at = y * size + x;
        if (d2 < distance2[at]) distance2[at] = d2;
      }
    }
  }
}

/** Turns distances to grey: full inside the pen, soft over `edge`, with noise of one byte a pixel. */
function ink(
  image: Uint8Array,
  distance2: Float32Array,
  radius: number,
  edge: number,
  random: Draws,
): void {
  const full = random.between(190, 255);
  const paperNoise = random.between(0, 0.12) ** 2 * 5;
  const inkNoise = random.between(0.05, 0.35);
  const reach2 = (radius + edge / 2) ** 2;
  const paper = full * paperNoise;
  for (let i = 0; i < image.length; i += 4) {
    const word = random.word();
    const end = Math.min(4, image.length - i);
    for (let lane = 0; lane < end; lane++) {
      const noise = ((word >>> (8 * lane)) & 0xff) / 127.5 - 1;
      const d2 = distance2[i + lane];
      let grey = paper * noise;
      // Beyond the pen's reach, where most pixels are, there is paper alone.
      if (d2 < reach2) {
        const soft = Math.min(1, (radius - Math.sqrt(d2)) / edge + 0.5);
        grey += full * soft * (1 + inkNoise * noise);
      }
      image[i + lane] = grey < 0 ? 0 : grey > 255 ? 255 : grey + 0.5;
    }
  }
}
