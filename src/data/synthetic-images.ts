import { Draws } from '../random/draws.ts';
import { STREAM } from '../random/philox.ts';
import { type Dataset, standardise } from './dataset.ts';

export interface SyntheticImages {
  readonly count: number;
  readonly split: 'train' | 'validation' | 'test';
}

const SIDE = 32;
const PLANE = SIDE * SIDE;
const CLASSES = 10;
const SEED = 0;
const STREAMS = { train: 16, validation: 17, test: 18 };
/** Of all classes: directions of the waves, and how many pixels a wave is long. */
const DIRECTIONS = 5;
const LENGTHS = [4.5, 7.5];

/**
 * Images in the form of CIFAR-10 for machines with neither data nor network: waves of ten kinds, five directions and two
 * lengths, of any phase and colours, on any ground and under noise. Their mean image is the same for all kinds, so a linear
 * model tells little of them apart. Example i is a function of (split, i) alone.
 */
export function syntheticImages({ count, split }: SyntheticImages): Dataset {
  const data = new Uint8Array(count * 3 * PLANE);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    const draws = new Draws(SEED, STREAM.synthetic + STREAMS[split], i);
    labels[i] = draws.below(CLASSES);
    drawWaves(data.subarray(i * 3 * PLANE, (i + 1) * 3 * PLANE), labels[i], draws);
  }
  return {
    name: 'synthetic images',
    synthetic: true,
    inputs: { data, shape: [3, SIDE, SIDE] },
    labels,
    classes: CLASSES,
    count,
    normalise: standardise([0.5, 0.5, 0.5], [0.25, 0.25, 0.25]),
  };
}

function drawWaves(image: Uint8Array, kind: number, draws: Draws): void {
  const turn = ((kind % DIRECTIONS) * Math.PI) / DIRECTIONS + draws.about(0.15);
  const length = LENGTHS[Math.floor(kind / DIRECTIONS)] * draws.between(0.9, 1.1);
  const step = (2 * Math.PI) / length;
  const [dx, dy] = [step * Math.cos(turn), step * Math.sin(turn)];
  const phase = draws.between(0, 2 * Math.PI);
  const wave = new Float32Array(PLANE);
  for (let i = 0; i < PLANE; i++) wave[i] = Math.sin(phase + dx * (i % SIDE) + dy * (i >> 5));
  for (let c = 0; c < 3; c++) {
    const [ground, height] = [draws.between(70, 185), draws.between(-45, 45)];
    for (let i = 0; i < PLANE; i += 4) {
      const word = draws.word();
      for (let lane = 0; lane < 4; lane++) {
        const noise = ((word >>> (8 * lane)) & 0xff) / 255 - 0.5;
        image[c * PLANE + i + lane] = ground + height * wave[i + lane] + 60 * noise;
      }
    }
  }
}
