import { wrongArgument } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { isArrayOf } from '../graph/kernel.ts';
import { sizeOf, type TensorType } from '../graph/types.ts';

/** Throws unless `data` are the numbers of one batch; `what` of a step they are. */
export function checkBatch(
  what: string,
  data: unknown,
  { dtype, shape }: TensorType,
): asserts data is Float32Array | Int32Array {
  if (!isArrayOf(dtype, data)) {
    throw wrongArgument(
      `The ${what} of a step`,
      dtype === 'i32' ? 'an Int32Array' : 'a Float32Array',
      data,
    );
  }
  const size = sizeOf(shape);
  if (data.length === size) return;
  const rows = data.length / sizeOf(shape.slice(1));
  const came = Number.isInteger(rows) ? `a batch of ${rows}` : 'no whole number of rows';
  throw new FlatminError(
    'FLATMIN_ARGUMENT',
    `The ${what} of a step are a batch of ${shape[0]}, [${shape.join(', ')}], ${size} numbers; got ${data.length}, ${came}. Help: compile a step for every size of batch.`,
  );
}
