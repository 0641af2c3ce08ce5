import type { Store } from '../backend/backend.ts';
import { type Description, parameterKey } from '../nn/layer.ts';
import { initialise } from '../step/initialise.ts';

/** Makes a model's tensors and fills them by their initialisation. */
export function declareParameters(
  store: Store,
  { params, buffers }: Pick<Description, 'params' | 'buffers'>,
  seed: number,
): void {
  const tensors = [...params, ...buffers].map(({ name, shape, init }) => {
    const key = parameterKey(name);
    store.declare(key, { dtype: 'f32', shape });
    return { key, init };
  });
  initialise(store, tensors, seed);
}
