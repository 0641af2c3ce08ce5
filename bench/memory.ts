import type { Dataset } from '#flatmin/data/dataset';
import { bytesOf, type TensorType } from '#flatmin/graph/types';
import type { Layer } from '#flatmin/nn/layer';
import type { Optimizer } from '#flatmin/step/bound';
import { Training } from '#flatmin/train/training';
import { batch } from './digits.ts';
import type { Sample, Target } from './suite.ts';

export interface Peak {
  /** Most bytes that the process had resident at a time, Node.js or Python included. */
  readonly peak: number;
}

/** Bytes that a training takes. */
export interface Memory extends Peak {
  /** Temporaries of a step, as they were planned. */
  readonly arena: number;
  /** The same with a buffer of its own for every result of an instruction. */
  readonly unshared: number;
  /** Parameters, state and data. */
  readonly stored: number;
}

const bytes = (types: readonly TensorType[]): number =>
  types.reduce((sum, type) => sum + bytesOf(type), 0);

/** An epoch of a training, in a process that does nothing else. */
export async function memoryOf(
  model: Layer,
  train: Dataset,
  optimizer: Optimizer,
  target: Target,
): Promise<Sample> {
  const training = new Training(model, { train }, { optimizer, batch, ...target });
  const done = await training.epoch();
  return { seconds: done?.seconds ?? Number.NaN, memory: memoryUsed(training) };
}

/** What a training has taken until now, in a process that does nothing else. */
export function memoryUsed(training: Training): Memory {
  const [{ program }] = training.steps.values();
  const { spec, graph } = program.compiled;
  const results = spec.instructions.flatMap(({ outputs }) => outputs.map((id) => spec.buffers[id]));
  const stored = [...graph.buffers].filter(({ place }) => place === 'store');
  return {
    arena: spec.arenaBytes,
    unshared: bytes(results.filter(({ place }) => place.kind === 'arena')),
    stored: bytes(stored.map(({ type }) => type)),
    peak: process.resourceUsage().maxRSS * 1024,
  };
}
