import { FlatminError } from '../errors.ts';
import { type Attrs, type Shape, sizeOf } from '../graph/types.ts';
import { type Pair, pair, windowsOf } from '../ops/windows.ts';
import { checkArray, checkRecord } from './arrays.ts';

/** What a layer saw of a batch, row after row. */
export interface LayerBatch {
  /** [rows, in], or of a convolution images [rows, channels, height, width]. */
  readonly inputs: Float32Array;
  /** Gradients of the batch-mean loss by the layer's outputs: [rows, out], or [rows, out, height, width]. */
  readonly outputGrads: Float32Array;
  /** Height and width of a convolution's input images. */
  readonly image?: readonly [height: number, width: number];
  /** Of a convolution. Default 1. */
  readonly stride?: Pair;
  /** Of a convolution: zeros around the image. Default 0. */
  readonly padding?: Pair;
}

/** The same as K-FAC's program takes it. */
export interface Observation {
  readonly kind: 'linear' | 'conv2d';
  readonly inputs: { readonly data: Float32Array; readonly shape: Shape };
  readonly outputGrads: { readonly data: Float32Array; readonly shape: Shape };
  readonly attrs: Attrs;
}

const argument = (message: string) => new FlatminError('FLATMIN_ARGUMENT', message);

/** Copies what a layer of this weight saw; `FLATMIN_ARGUMENT` and `FLATMIN_SHAPE` where it does not fit. */
export function observationOf(layer: string, weight: Shape, given: LayerBatch): Observation {
  checkRecord('An observation', given);
  const { input, output, ...rest } = shapesOf(layer, weight, given);
  const rows = given.outputGrads?.length / sizeOf(output);
  if (!Number.isInteger(rows) || rows === 0) {
    throw argument(
      `The outputGrads of "${layer}" must hold rows of ${output.join(' × ')}, got ${given.outputGrads?.length ?? 'no'} numbers`,
    );
  }
  const copied = (what: 'inputs' | 'outputGrads', shape: Shape) => {
    checkArray(`The ${what} of "${layer}"`, given[what], rows * sizeOf(shape));
    return { data: given[what].slice(), shape: [rows, ...shape] };
  };
  return { ...rest, inputs: copied('inputs', input), outputGrads: copied('outputGrads', output) };
}

/** Of one row. */
function shapesOf(layer: string, [out, ...inputs]: Shape, { image, stride, padding }: LayerBatch) {
  if (inputs.length === 1)
    return { kind: 'linear' as const, input: inputs, output: [out], attrs: {} };
  if (!Array.isArray(image) || image.length !== 2) {
    throw argument(
      `observe expects the height and width of the images that the convolution "${layer}" saw, got image ${JSON.stringify(image)}. Help: pass image: [height, width].`,
    );
  }
  const [channels, ...kernel] = inputs;
  const attrs = {
    kernel,
    stride: pair('observe', 'stride', stride ?? 1, 1),
    padding: pair('observe', 'padding', padding ?? 0, 0),
  };
  const [height, width] = pair('observe', 'image', [image[0], image[1]], 1);
  const { outHeight, outWidth } = windowsOf('observe', [channels, height, width], attrs);
  const output = [out, outHeight, outWidth];
  return { kind: 'conv2d' as const, input: [channels, height, width], output, attrs };
}
