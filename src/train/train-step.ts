import { openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import type { Shape } from '../graph/types.ts';
import { describeModel, type Layer } from '../nn/layer.ts';
import { crossEntropy } from '../nn/loss.ts';
import { checkWhole } from './arguments.ts';
import { TrainedModel } from './model.ts';
import { OptimizerStep } from './optimizer-step.ts';
import { declareParameters } from './parameters.ts';
import type { TrainingOptions } from './training.ts';

export interface TrainStepOptions extends Omit<TrainingOptions, 'accumulate'> {
  /** Shape of one example, as the network takes it. */
  readonly input: Shape;
}

/** A compiled step for a training loop of one's own. */
export interface TrainStep {
  /**
   * One optimizer step on a batch: inputs [batch, …] as the network takes them, one class index a row. Returns the
   * loss before the step.
   */
  (inputs: Float32Array, labels: Int32Array): number;
  readonly model: TrainedModel;
}

const INPUTS = 'batch/inputs';
const LABELS = 'batch/labels';

/** Compiles forward, backward and update for batches of one size. */
export function trainStep(model: Layer, options: TrainStepOptions): TrainStep {
  const batch = checkWhole('batch', options.batch ?? 32, 1);
  const seed = checkWhole('seed', options.seed ?? 0, 0);
  const input = { dtype: 'f32' as const, shape: [batch, ...options.input] };
  const labelsType = { dtype: 'i32' as const, shape: [batch] };
  const store = openStore(options);
  const { params, output } = describeModel(model, input);
  const classes = output.shape[output.shape.length - 1];
  declareParameters(store, params, seed);
  const step = new OptimizerStep(store, {
    model,
    params,
    loss: options.loss ?? crossEntropy(),
    optimizer: options.optimizer,
    onNonFinite: options.onNonFinite ?? 'throw',
    parts: [
      {
        rows: batch,
        trace: (graph) => ({
          inputs: graph.stored(INPUTS, input),
          targets: graph.stored(LABELS, labelsType),
        }),
      },
    ],
  });
  let taken = 0;
  const run = (inputs: Float32Array, labels: Int32Array): number => {
    if (!(inputs instanceof Float32Array) || !(labels instanceof Int32Array)) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        'A step takes inputs as a Float32Array and labels as an Int32Array',
      );
    }
    const bad = labels.findIndex((label) => label < 0 || label >= classes);
    if (bad !== -1) {
      throw new FlatminError(
        'FLATMIN_ARGUMENT',
        `Label ${labels[bad]} of row ${bad} is outside 0 … ${classes - 1}`,
      );
    }
    store.write(INPUTS, inputs);
    store.write(LABELS, labels);
    const { reports } = step.runSync([{ step: taken + 1, epoch: 0, seed, offset: 0 }]);
    taken += 1;
    return reports[0];
  };
  return Object.assign(run, { model: new TrainedModel({ model, params, store, input }) });
}
