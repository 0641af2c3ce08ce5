import type { Store } from '../backend/backend.ts';
import { initialise } from '../nn/init.ts';
import { type Description, parameterKey } from '../nn/layer.ts';

/** Makes a model's tensors and fills them by their initialisation. */
export function declareParameters(
  store: Store,
  { params, buffers }: Pick<Description, 'params' | 'buffers'>,
  seed: number,
): void {
  [...params, ...buffers].forEach(({ name, shape, init }, index) => {
    const key = parameterKey(name);
    store.declare(key, { dtype: 'f32', shape });
    const values = store.read(key);
    initialise(values, init, seed, index);
    store.write(key, values);
  });
}
