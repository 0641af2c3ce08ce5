import { isFloat32Array, isInt32Array } from '../arguments.ts';
import type { AnyDataset } from '../data/dataset.ts';
import type { Value } from '../graph/graph.ts';
import type { Numbers } from '../graph/kernel.ts';
import type { Shape } from '../graph/types.ts';
import { normalise } from '../ops/gather.ts';

/** Inputs as the data have them, before what the network sees is made of them. */
export interface InputForm {
  readonly dtype: InputType;
  /** Of one example. */
  readonly shape: Shape;
  /** The network sees x · scale[c] + shift[c] for an input x of channel c. Default x itself. */
  readonly normalise?: Normalisation;
}

export type InputType = 'u8' | 'f32' | 'i32';
export type InputArray = Uint8Array | Float32Array | Int32Array;
type Normalisation = Readonly<Record<'scale' | 'shift', readonly number[]>>;

export const dtypeOf = (data: Numbers): InputType =>
  isFloat32Array(data) ? 'f32' : isInt32Array(data) ? 'i32' : 'u8';

/** Of what the network sees of such inputs. */
export const seenAs = (dtype: InputType): 'f32' | 'i32' => (dtype === 'i32' ? 'i32' : 'f32');

export const formOf = ({ inputs, normalise }: AnyDataset): InputForm => ({
  dtype: dtypeOf(inputs.data),
  shape: inputs.shape,
  ...(normalise && { normalise }),
});

/** Traces what the network sees of a batch of inputs. */
export function seen(raw: Value, form: Pick<InputForm, 'normalise'>): Value {
  const affine = form.normalise ?? (raw.dtype === 'u8' ? { scale: [1], shift: [0] } : undefined);
  return affine === undefined ? raw : normalise(raw, affine);
}
