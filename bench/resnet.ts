import type { Dataset } from '#flatmin/data/dataset';
import { noise } from './program.ts';

/** Noise of the size of CIFAR-10's images. */
export const imagesOf = (count: number): Dataset => ({
  name: 'noise',
  synthetic: true,
  inputs: { data: noise(count * 3 * 32 * 32), shape: [3, 32, 32] },
  labels: Uint8Array.from({ length: count }, (_, i) => i % 10),
  classes: 10,
  count,
});
