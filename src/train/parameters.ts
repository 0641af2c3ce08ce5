import type { Store } from '../backend/backend.ts';
import { initialise } from '../nn/init.ts';
import { type ParameterSpec, parameterKey } from '../nn/layer.ts';

/** Makes a model's parameters and fills them by their initialisation. */
export function declareParameters(
  store: Store,
  params: readonly ParameterSpec[],
  seed: number,
): void {
  params.forEach(({ name, shape, init }, index) => {
    const key = parameterKey(name);
    store.declare(key, { dtype: 'f32', shape });
    const values = store.read(key);
    initialise(values, init, seed, index);
    store.write(key, values);
  });
}
