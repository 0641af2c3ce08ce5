import { checkNames, checkOneOf, checkText, wrongArgument } from '../arguments.ts';
import { type DeviceName, openStore } from '../backend/device.ts';
import { FlatminError } from '../errors.ts';
import type { Shape } from '../graph/types.ts';
import { crossEntropy } from '../nn/cross-entropy.ts';
import { describeModel, type Layer, parameterKey } from '../nn/layer.ts';
import type { Loss } from '../nn/loss.ts';
import { expectDims } from '../ops/define.ts';
import { checkCriteria } from '../train/check-form.ts';
import { type InputForm, type InputType, seenAs } from '../train/input-form.ts';
import { TrainedModel } from '../train/model.ts';
import { loadInto, type Metadata, readModel } from '../train/model-file.ts';
import { Turns } from '../train/turns.ts';

/**
 * Options of loading a model: what its inputs are where the file does not say, its loss, device and threads. An unknown
 * option is `FLATMIN_ARGUMENT`.
 */
export interface LoadModelOptions {
  /** Shape of one example. Default what the file says, which another program's does not. */
  readonly input?: Shape;
  /** Of the inputs as `predict` takes them: bytes, numbers, or tokens. Default what the file says, else `f32`. */
  readonly inputType?: InputType;
  /** The network sees x · scale[c] + shift[c] for an input x of channel c. Default what the file says, else none. */
  readonly normalise?: InputForm['normalise'];
  /** What `evaluate` judges by. Default `crossEntropy()`. */
  readonly loss?: Loss;
  /** Where the work is done: `auto` is the best kernels there are on the CPU. Default `auto`. */
  readonly device?: DeviceName;
  /** CPU threads, default every core. */
  readonly threads?: number;
}

/**
 * A model from a safetensors file: one that `model.save` wrote, or another program, PyTorch's names included. `layers` are
 * those it was trained with. Tensors must fit all of them: `FLATMIN_CHECKPOINT` names the file and lists what is missing,
 * unexpected or of another shape. `FLATMIN_DATA` where the file is missing or damaged, `FLATMIN_ARGUMENT` where neither it
 * nor the options say what the inputs are.
 */
export function loadModel(
  layers: Layer,
  path: string,
  options: LoadModelOptions = {},
): TrainedModel {
  checkNames<LoadModelOptions>('loadModel', options, {
    input: true,
    inputType: true,
    normalise: true,
    loss: true,
    device: true,
    threads: true,
  });
  checkText('The path of loadModel', path);
  checkCriteria(options);
  const { loss = crossEntropy(), ...given } = options;
  const file = readModel(path);
  const form = formOf(path, file.form, given);
  const input = { dtype: seenAs(form.dtype), shape: [1, ...form.shape] };
  const { params, buffers } = describeModel(layers, input);
  const store = openStore(options);
  for (const { name, shape } of [...params, ...buffers]) {
    store.declare(parameterKey(name), { dtype: 'f32', shape });
  }
  const turns = new Turns();
  const on = { model: layers, params, buffers, store, loss, form, input, turns };
  const model = new TrainedModel(on, file.metadata);
  loadInto(model, path, file.state);
  return model;
}

/**
 * The texts that a model was saved with, from which its layers may follow. `FLATMIN_DATA` where the file is missing or
 * damaged.
 */
export function readMetadata(path: string): Metadata {
  checkText('The path of readMetadata', path);
  return readModel(path).metadata;
}

/** What the inputs are by the options, and else by the file. */
function formOf(
  path: string,
  known: InputForm | undefined,
  { input, inputType, normalise }: LoadModelOptions,
): InputForm {
  const shape = input ?? known?.shape;
  if (shape === undefined) {
    throw new FlatminError(
      'FLATMIN_ARGUMENT',
      `${path} does not say what the model's inputs are. Help: tell the shape of one example, as input: [1, 32, 32], and where it is not numbers the inputType.`,
    );
  }
  expectDims('input', shape);
  const dtype = checkOneOf('inputType', inputType ?? known?.dtype ?? 'f32', ['u8', 'f32', 'i32']);
  const affine = normalise ?? known?.normalise;
  if (affine === undefined) return { dtype, shape };
  checkNames('normalise', affine, { scale: true, shift: true });
  for (const [name, list] of Object.entries(affine)) {
    if (Array.isArray(list) && list.every((x) => typeof x === 'number')) continue;
    throw wrongArgument(`${name} of normalise`, 'a list of numbers', list);
  }
  return { dtype, shape, normalise: affine };
}
