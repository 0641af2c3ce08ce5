import { isInt32Array } from '../arguments.ts';
import { FlatminError } from '../errors.ts';
import { type Age, FROM_THE_START } from '../graph/moment.ts';
import { sameShape } from '../graph/types.ts';
import type { StateDict } from './state-dict.ts';

/** What a state has beside a store's tensors, where there is something to say: i32 tensors of its own. */
export interface Beside {
  /** `epoch`, [1]: the epochs finished, where the caller said it. */
  readonly epoch: number | undefined;
  /** `joined/NAME`, [2]: the steps before a parameter joined, and those skipped of them. */
  readonly ages: ReadonlyMap<string, Age>;
}

const EPOCH = 'epoch';
const joined = (name: string) => `joined/${name}`;

export function besideState({ epoch, ages }: Beside): StateDict {
  const late = [...ages].filter(([, { step }]) => step !== 0);
  const numbers = (...values: number[]) => {
    return { data: Int32Array.from(values), shape: [values.length] };
  };
  return {
    ...(epoch !== undefined && { [EPOCH]: numbers(epoch) }),
    ...Object.fromEntries(
      late.map(([name, { step, skipped }]) => [joined(name), numbers(step, skipped)]),
    ),
  };
}

/** A state apart: what is beside, of the parameters `names`, and the tensors of the store. */
export function splitState(
  state: StateDict,
  names: readonly string[],
): { epoch: number | undefined; ages: Map<string, Age>; tensors: StateDict } {
  const tensors: Record<string, StateDict[string]> = { ...state };
  const take = (key: string, length: number): Int32Array | undefined => {
    if (!Object.hasOwn(tensors, key)) return undefined;
    const { data, shape } = tensors[key] ?? {};
    delete tensors[key];
    const fits = Array.isArray(shape) && sameShape(shape, [length]) && data?.length === length;
    if (fits && isInt32Array(data) && (key !== EPOCH || data[0] >= 0)) return data;
    throw new FlatminError(
      'FLATMIN_CHECKPOINT',
      `The state does not fit: "${key}" must be an Int32Array of shape [${length}], counts of steps or epochs`,
    );
  };
  const epoch = take(EPOCH, 1)?.[0];
  const ages = new Map<string, Age>();
  for (const name of names) {
    const age = take(joined(name), 2);
    ages.set(name, age === undefined ? FROM_THE_START : { step: age[0], skipped: age[1] });
  }
  return { epoch, ages, tensors };
}
